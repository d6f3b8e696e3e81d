"""Settings: the source of each value, and the errors of invalid ones."""

from __future__ import annotations

import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sync.config.files import secret_file
from sync.config.load_settings import load, require_key
from sync.config.redaction import Redactor
from sync.config.settings import OPTIONS
from sync.errors import ConfigurationError
from sync.store.engine import open_engine

if TYPE_CHECKING:
    from pathlib import Path

KEY = "ak_" + "k" * 32


def value_of(variable: str, text: str) -> Any:
    (field,) = [option.field for option in OPTIONS if option.variable == variable]
    return getattr(load({}, {variable: text}, None).settings, field)


def problems(environ: dict[str, str], file: Path | None = None, *, needs_key: bool = False) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load({}, environ, file, needs_key=needs_key)
    return caught.value.problems


def names(found: list[str]) -> list[str]:
    return [line.partition(":")[0] for line in found]


def test_a_flag_precedes_the_environment_then_the_file_then_the_default(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SYNC_PAGE_SIZE=10\nSYNC_RATE=3\nSYNC_CONCURRENCY=2\n")
    loaded = load({"page_size": "30"}, {"SYNC_PAGE_SIZE": "20", "SYNC_RATE": "5"}, file)
    assert (loaded.settings.page_size, loaded.settings.rate, loaded.settings.concurrency) == (30, 5.0, 2)
    sources = [loaded.origins[name].source for name in ("page_size", "rate", "concurrency", "interval")]
    assert sources == ["flag", "environment", ".env file", "default"]


@pytest.mark.parametrize(("variable", "text", "value"), [
    ("SYNC_PAGE_SIZE", "", 50),
    ("SYNC_INTERVAL", "90", 90), ("SYNC_INTERVAL", "90s", 90), ("SYNC_INTERVAL", "15m", 900), ("SYNC_INTERVAL", "6h", 21600),
    ("SYNC_INTERVAL", "1d", 86400), ("SYNC_INTERVAL", "1.5m", 90), ("SYNC_INTERVAL", " 2 m ", 120),
    ("SYNC_HOLD", "", 3600), ("SYNC_HOLD", "0s", 0), ("SYNC_HOLD", "0", 0), ("SYNC_HOLD", "0.0 h", 0), ("SYNC_HOLD", "1h", 3600),
    ("SYNC_HOLD", "30m", 1800),
    ("SYNC_MAX_REMOVED", "10%", Decimal("0.1")), ("SYNC_MAX_REMOVED", "0.25", Decimal("0.25")),
    ("SYNC_MAX_REMOVED", "0", Decimal(0)), ("SYNC_MAX_REMOVED", "100%", Decimal(1)),
    ("SYNC_MAX_REMOVED", "2.5%", Decimal("0.025")),
    ("CRUN_BASE_URL", "http://127.0.0.1:8455", "http://127.0.0.1:8455"), ("CRUN_BASE_URL", "http://localhost:1", "http://localhost:1"),
    ("CRUN_BASE_URL", "http://[::1]:2", "http://[::1]:2"), ("CRUN_BASE_URL", "http://127.0.0.2:1", "http://127.0.0.2:1"),
    ("CRUN_BASE_URL", "https://api.crunai.com/", "https://api.crunai.com"),
])  # fmt: skip
def test_a_value_is_parsed(variable: str, text: str, value: object) -> None:
    assert value_of(variable, text) == value


@pytest.mark.parametrize(("variable", "text", "reason"), [
    ("SYNC_PAGE_SIZE", "51", "a whole number from 1 to 50"), ("SYNC_RATE", "fast", "environment says 'fast'."),
    ("SYNC_HOLD", "-1s", "a duration"), ("SYNC_HOLD", "1w", "a duration"), ("SYNC_HOLD", "soon", "a duration"),
    ("SYNC_HOLD", "0.001s", "a duration"), ("SYNC_DEADLINE", "3651d", "at most 3650d"),
    ("CRUN_BASE_URL", "http://api.crun.ai", "https"), ("CRUN_BASE_URL", "http://10.0.0.1:80", "https"),
    ("CRUN_BASE_URL", "http://localhost.evil.example", "https"), ("CRUN_BASE_URL", "http://127.0.0.1.evil.example", "https"),
    ("SYNC_METRICS_FILE", "n" * 300, "a valid file name"),
    ("SYNC_MAX_REMOVED", "snan%", "a share"), ("SYNC_MAX_REMOVED", "1e999999999%", "a share"),
])  # fmt: skip
def test_an_invalid_value_is_reported_with_its_variable_and_source(variable: str, text: str, reason: str) -> None:
    (problem,) = problems({variable: text})
    assert problem.startswith(f"{variable}: expected ")
    assert reason in problem
    assert "environment" in problem


@pytest.mark.parametrize(("variable", "text"), [
    ("CRUN_API_KEY", "with secret"), ("CRUN_API_KEY", "secret\nline"), ("CRUN_API_KEY", "secr\u00e9t-secret"),
    ("CRUN_BASE_URL", "https://u:secret@api.crun.ai"), ("CRUN_BASE_URL", "u:secret@api.crun.ai"),
    ("SYNC_PROXY", "u:secret@proxy:3128"),
    ("DATABASE_URL", "oracle://u:secret@h/d"), ("DATABASE_URL", "secret.db"), ("DATABASE_URL", "postgresql:/secret/db"),
    ("DATABASE_URL", "sqlite://"), ("DATABASE_URL", "sqlite:///:memory:"), ("DATABASE_URL", "postgresql://secret"),
    ("DATABASE_URL", "postgresql://u:my@secret@h/db"),
])  # fmt: skip
def test_an_invalid_value_that_may_be_a_secret_is_not_shown(variable: str, text: str) -> None:
    (problem,) = problems({variable: text})
    assert problem.startswith(variable)
    assert "secret" not in problem
    if variable == "DATABASE_URL":
        with pytest.raises(ConfigurationError, match="DATABASE_URL"):
            open_engine(text)


def test_all_problems_are_reported_together(tmp_path: Path) -> None:
    texts = {"PAGE_SIZE": "51", "INTERVAL": "soon", "MAX_REMOVED": "lots", "LOG_FORMAT": "xml", "TIMEZONE": "CST6"}
    found = problems({f"SYNC_{name}": text for name, text in texts.items()})
    assert names(found) == ["SYNC_INTERVAL", "SYNC_TIMEZONE", "SYNC_PAGE_SIZE", "SYNC_MAX_REMOVED", "SYNC_LOG_FORMAT"]
    several = {"SYNC_CRON": "99 * * * *", "SYNC_RATE": "x", "DATABASE_URL": "postgresql://u:p@h:port/d"}
    assert names(problems(several, needs_key=True)) == ["CRUN_API_KEY", "DATABASE_URL", "SYNC_CRON", "SYNC_RATE"]
    (file := tmp_path / ".env").write_text("SYNC_METRICS_FILE=m\0x\nCRUN_API_KEY_FILE=k\0x\nSYNC_SITE_DIR=s\0x\n")
    found = problems({}, file)
    assert names(found) == ["CRUN_API_KEY", "SYNC_METRICS_FILE", "SYNC_SITE_DIR"]
    assert all(": expected a text without a NUL character" in problem for problem in found)


def test_an_unreadable_env_file_is_reported(tmp_path: Path) -> None:
    (file := tmp_path / ".env").write_bytes(b"\xff\xfe")
    assert ".env" in problems({}, file)[0]


def test_an_invalid_line_of_an_env_file_is_a_warning_without_its_text(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (file := tmp_path / ".env").write_text(f"# comment\nSYNC_RATE=2\nCRUN API KEY\nCRUN_API_KEY='{KEY}\n\nSYNC_PAGE_SIZE=3\n")
    loaded = load({}, {}, file)
    invalid = [f"{file}, line {line}: not of the form NAME=value; ignored." for line in (3, 4)]
    assert loaded.warnings == (*invalid,)
    assert (loaded.settings.rate, loaded.settings.page_size, loaded.settings.api_key) == (2.0, 3, None)
    assert (capfd.readouterr(), caplog.messages) == (("", ""), [])  # not logged by the library: the log of a service is JSON
    misspelt = "CRUN_APIKEY (environment) is not a setting; did you mean CRUN_API_KEY?"
    assert problems({"CRUN_APIKEY": KEY}, file, needs_key=True)[1:] == [*invalid, misspelt]  # the probable causes


def test_a_metrics_file_may_be_new(tmp_path: Path) -> None:
    assert value_of("SYNC_METRICS_FILE", str(tmp_path / "new.prom"))


# Secrets ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("url", "shown", "secrets"), [
    ("postgresql://u:sec?ret@h/db?password=inner", "postgresql://u:********@h/db", {"sec?ret", "inner"}),
    ("postgresql://u:pa%40ss@h/db?sslpassword=inner", "postgresql://u:********@h/db", {"pa%40ss", "pa@ss", "inner"}),
    ("postgresql://u:secret@a:1,[::1]:2,c/db", "postgresql://u:********@a:1,[::1]:2,c/db", {"secret"}),
])  # fmt: skip
def test_passwords_of_a_database_are_masked_and_known_as_secrets(url: str, shown: str, secrets: set[str]) -> None:
    loaded = load({}, {"DATABASE_URL": url}, None)
    assert (loaded.origins["database_url"].shown, set(loaded.secrets)) == (shown, secrets)


@pytest.mark.parametrize("url", ["http://ping.example/uuid-1/", "HTTPS://ping.example:8443/uuid-1?x=/"])
def test_the_path_of_the_ping_url_is_hidden_without_the_host(url: str) -> None:
    secrets = load({}, {"SYNC_PING_URL": url}, None).secrets
    path = url.partition("example")[2].rstrip("/").removeprefix(":8443")
    redirect = f"location: https://other.example{path}/start"
    assert Redactor(secrets)(redirect) == "location: https://other.example[secret]/start"


def test_a_ping_url_without_a_path_is_masked_and_hides_no_other_text() -> None:
    loaded = load({}, {"SYNC_PING_URL": "https://ping.example/"}, None)
    assert (loaded.origins["ping_url"].shown, loaded.secrets) == ("********", ("https://ping.example/",))


@pytest.mark.parametrize(("mode", "warnings"), [(0o600, 0), (0o644, 1)])
def test_a_key_file_is_read_and_causes_a_warning_if_every_user_can_read_it(tmp_path: Path, mode: int, warnings: int) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    file.chmod(mode)
    loaded = load({}, {"CRUN_API_KEY_FILE": str(file)}, None)
    assert require_key(loaded.settings) == KEY
    assert ["chmod 600" in each for each in loaded.warnings] == [True] * warnings


@pytest.mark.parametrize("content", ["", "x" * 5000, "\n\n", None])
def test_an_invalid_or_missing_key_file_is_reported_by_its_name(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
    (problem,) = problems({"CRUN_API_KEY_FILE": str(file)})
    assert problem.startswith("CRUN_API_KEY")
    assert str(file) in problem


def test_a_key_and_a_key_file_together_are_rejected(tmp_path: Path) -> None:
    (problem,) = problems({"CRUN_API_KEY": KEY, "CRUN_API_KEY_FILE": str(tmp_path / "key")})
    assert "not both" in problem
    assert KEY not in problem


def test_a_key_of_another_shape_causes_a_warning_and_is_used() -> None:
    loaded = load({}, {"CRUN_API_KEY": "short"}, None)
    assert loaded.settings.api_key == "short"
    assert "does not look like" in loaded.warnings[0]


def test_a_missing_key_is_reported_if_it_is_needed() -> None:
    with pytest.raises(ConfigurationError, match="CRUN_API_KEY: not set"):
        require_key(load({}, {}, None).settings)


# Several settings together ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("url", "driver"), [
    ("postgres://h/db", "postgresql+psycopg"), ("postgresql://h/db", "postgresql+psycopg"), ("mysql://h/db", "mysql+pymysql"),
    ("mariadb://h/db", "mysql+pymysql"), ("sqlite:///x.db", "sqlite"),
])  # fmt: skip
def test_every_spelling_of_a_database_works(url: str, driver: str) -> None:
    assert open_engine(url).url.drivername == driver


def test_a_directory_instead_of_the_file_of_a_secret_leaves_no_descriptor_open(tmp_path: Path) -> None:
    lowest = os.dup(2)
    os.close(lowest)
    assert "Is a directory" in problems({"CRUN_API_KEY_FILE": str(tmp_path)})[0]
    after = os.dup(2)
    os.close(after)
    assert after == lowest


CRON = "0 * * * *"


@pytest.mark.parametrize(("environ", "problem"), [
    ({"SYNC_INTERVAL": "5m", "SYNC_CRON": CRON}, "SYNC_CRON: set either SYNC_INTERVAL or SYNC_CRON, not both."),
    ({"SYNC_PROXY": "http://127.0.0.1:1", "CRUN_BASE_URL": "http://127.0.0.1:2"},
     "SYNC_PROXY: not allowed with a plain http base URL: the proxy would see the API key."),
])  # fmt: skip
def test_contradicting_settings_are_rejected(environ: dict[str, str], problem: str) -> None:
    assert problems(environ) == [problem]


@pytest.mark.parametrize(("flags", "environ", "schedule"), [
    ({}, {}, (420.0, None)),
    ({}, {"SYNC_CRON": CRON}, (900.0, CRON)),
    ({"interval": "5m"}, {"SYNC_CRON": CRON}, (300.0, None)),
    ({"cron": CRON}, {"SYNC_INTERVAL": "5m"}, (900.0, CRON)),
    ({"interval": "5m"}, {"SYNC_CRON": "no cron"}, (300.0, None)),
    ({"interval": "5m"}, {"SYNC_CRON": CRON, "SYNC_INTERVAL": "6m"}, (300.0, None)),
])  # fmt: skip
def test_the_source_of_higher_precedence_decides_between_interval_and_cron(
    flags: dict[str, str | None], environ: dict[str, str], schedule: tuple[float, str | None], tmp_path: Path
) -> None:
    (file := tmp_path / ".env").write_text("SYNC_INTERVAL=7m\n")
    found = load(flags, environ, file).settings
    assert (found.interval, found.cron) == schedule


def test_every_option_has_a_help_text() -> None:
    assert [option for option in OPTIONS if not option.help.endswith(".") or not option.variable.isupper()] == []


def test_a_misspelt_variable_causes_a_warning_and_one_of_another_program_does_not(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SYNC_LOGLEVEL=debug\n")
    environ = {"SYNC_INTERVALL": "5m", "CRUN_API_KEYFILE": "/key", "SYNC_TEST_POSTGRES_URL": "x", "SYNC_GATEWAY_ADMIN": "x"}
    assert load({}, environ, tmp_path / ".env").warnings == (
        "CRUN_API_KEYFILE (environment) is not a setting; did you mean CRUN_API_KEY_FILE?",
        "SYNC_INTERVALL (environment) is not a setting; did you mean SYNC_INTERVAL?",
        "SYNC_LOGLEVEL (.env file) is not a setting; did you mean SYNC_LOG_LEVEL?",
    )


def test_a_writer_that_closes_a_pipe_without_data_is_not_the_end_of_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(pipe := tmp_path / "key")
    contents = iter([b"", b"ak_ex"])
    monkeypatch.setattr("time.sleep", lambda _seconds: pipe.write_bytes(next(contents)))
    assert secret_file("CRUN_API_KEY_FILE", pipe, []) == "ak_ex"

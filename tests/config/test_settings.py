"""Settings: where each value comes from, and what is said of bad ones."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from sync.config.options import OPTIONS
from sync.config.settings import load, require_key
from sync.errors import ConfigurationError
from sync.store.engine import open_engine

if TYPE_CHECKING:
    from pathlib import Path

KEY = "ak_" + "k" * 32


def problems(**environ: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load({}, environ, None)
    return caught.value.problems


def test_a_flag_precedes_the_environment_then_the_file_then_the_default(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SYNC_PAGE_SIZE=10\nSYNC_RATE=3\nSYNC_CONCURRENCY=2\n")
    loaded = load({"page_size": "30"}, {"SYNC_PAGE_SIZE": "20", "SYNC_RATE": "5"}, file)
    assert (loaded.settings.page_size, loaded.settings.rate, loaded.settings.concurrency) == (30, 5.0, 2)
    sources = {origin.option.field: origin.source for origin in loaded.origins}
    assert [sources[name] for name in ("page_size", "rate", "concurrency", "interval")] == [
        "flag", "environment", ".env file", "default",
    ]  # fmt: skip


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load({}, {"SYNC_PAGE_SIZE": ""}, None).settings.page_size == 50


def test_all_invalid_values_are_reported_together_with_their_variables() -> None:
    told = problems(
        SYNC_PAGE_SIZE="51", SYNC_INTERVAL="soon", SYNC_MAX_REMOVED="lots", SYNC_LOG_FORMAT="xml", SYNC_TIMEZONE="CST6"
    )
    assert [line.partition(":")[0] for line in told] == [
        "SYNC_INTERVAL", "SYNC_TIMEZONE", "SYNC_PAGE_SIZE", "SYNC_MAX_REMOVED", "SYNC_LOG_FORMAT",
    ]  # fmt: skip


def test_an_invalid_cron_an_invalid_database_and_a_missing_key_are_reported_together() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load({}, {"SYNC_CRON": "99 * * * *", "SYNC_RATE": "x", "DATABASE_URL": "postgresql://u:p@h:port/d"}, None, needs_key=True)
    assert [line.partition(":")[0] for line in caught.value.problems] == [
        "CRUN_API_KEY",
        "DATABASE_URL",
        "SYNC_CRON",
        "SYNC_RATE",
    ]


def test_an_invalid_value_is_shown_with_its_source_unless_it_may_be_a_secret() -> None:
    assert problems(SYNC_RATE="fast")[0].endswith("environment says 'fast'.")
    assert "pass" not in problems(DATABASE_URL="oracle://u:pass@h/d")[0]


def test_a_proxy_would_see_the_key_on_a_plain_address() -> None:
    assert "SYNC_PROXY" in problems(SYNC_PROXY="http://127.0.0.1:1", CRUN_BASE_URL="http://127.0.0.1:2")[0]


def test_a_password_with_a_question_mark_and_one_in_the_query_are_secrets() -> None:
    loaded = load({}, {"DATABASE_URL": "postgresql://u:sec?ret@h/db?password=inner"}, None)
    assert loaded.shown("database_url") == "postgresql://u:********@h/db"
    several = load({}, {"DATABASE_URL": "postgresql://u:secret@a:1,[::1]:2,c/db"}, None)
    assert several.shown("database_url") == "postgresql://u:********@a:1,[::1]:2,c/db"
    assert {"sec?ret", "inner"} <= set(loaded.secrets)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("6h", 21600), ("1d", 86400), ("1.5m", 90), (" 2 m ", 120)]
)
def test_durations_take_a_unit(text: str, seconds: float) -> None:
    assert load({}, {"SYNC_INTERVAL": text}, None).settings.interval == seconds


@pytest.mark.parametrize(("text", "seconds"), [("0s", 0), ("0", 0), ("0.0 h", 0), ("1h", 3600), ("30m", 1800)])
def test_the_hold_of_removals_may_be_zero(text: str, seconds: float) -> None:
    assert load({}, {"SYNC_HOLD": text}, None).settings.hold == seconds


@pytest.mark.parametrize("text", ["-1s", "1w", "soon", "0.001s"])
def test_invalid_holds_are_rejected(text: str) -> None:
    assert "SYNC_HOLD: expected a duration" in problems(SYNC_HOLD=text)[0]


def test_the_hold_of_removals_is_an_hour_by_default_and_a_flag_changes_it() -> None:
    assert load({}, {}, None).settings.hold == 3600
    assert load({"hold": "0s"}, {"SYNC_HOLD": "2h"}, None).settings.hold == 0


@pytest.mark.parametrize(("text", "share"), [("10%", "0.1"), ("0.25", "0.25"), ("0", "0"), ("100%", "1"), ("2.5%", "0.025")])
def test_shares_are_percentages_or_fractions(text: str, share: str) -> None:
    assert load({}, {"SYNC_MAX_REMOVED": text}, None).settings.max_removed == Decimal(share)


@pytest.mark.parametrize("url", ["http://api.crun.ai", "http://10.0.0.1:80", "http://localhost.evil.example"])
def test_plain_http_is_rejected_except_for_loopback(url: str) -> None:
    assert "https" in problems(CRUN_BASE_URL=url)[0]


@pytest.mark.parametrize("url", ["http://127.0.0.1:8455", "http://localhost:1", "http://[::1]:2", "https://api.crunai.com/"])
def test_https_and_loopback_are_accepted(url: str) -> None:
    assert load({}, {"CRUN_BASE_URL": url}, None).settings.base_url == url.rstrip("/")


def test_a_key_file_is_read_and_its_newline_dropped(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    loaded = load({}, {"CRUN_API_KEY_FILE": str(file)}, None)
    assert require_key(loaded.settings) == KEY
    assert loaded.warnings == ()


def test_a_key_file_that_every_user_can_read_causes_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(0o644)
    assert "chmod 600" in load({}, {"CRUN_API_KEY_FILE": str(file)}, None).warnings[0]


def test_a_key_and_a_key_file_together_are_rejected(tmp_path: Path) -> None:
    told = problems(CRUN_API_KEY=KEY, CRUN_API_KEY_FILE=str(tmp_path / "key"))
    assert "not both" in told[0]
    assert KEY not in told[0]


@pytest.mark.parametrize("content", ["", "x" * 5000, "\n\n"])
def test_an_invalid_key_file_is_rejected(tmp_path: Path, content: str) -> None:
    file = tmp_path / "key"
    file.write_text(content)
    assert "CRUN_API_KEY" in problems(CRUN_API_KEY_FILE=str(file))[0]


def test_a_key_file_that_is_missing_is_named(tmp_path: Path) -> None:
    told = problems(CRUN_API_KEY_FILE=str(tmp_path / "no-such-file"))
    assert "no-such-file" in told[0]


@pytest.mark.parametrize("key", ["with space", "new\nline", "schlüssel"])
def test_a_key_that_could_break_a_header_is_rejected_and_not_shown(key: str) -> None:
    told = problems(CRUN_API_KEY=key)
    assert "CRUN_API_KEY" in told[0]
    assert key not in told[0]


def test_a_key_of_another_shape_causes_a_warning_and_is_used() -> None:
    loaded = load({}, {"CRUN_API_KEY": "short"}, None)
    assert loaded.settings.api_key == "short"
    assert "does not look like" in loaded.warnings[0]


def test_a_missing_key_is_reported_if_it_is_needed() -> None:
    with pytest.raises(ConfigurationError, match="CRUN_API_KEY: not set"):
        require_key(load({}, {}, None).settings)


def test_a_database_password_is_masked_and_known_as_a_secret() -> None:
    loaded = load({}, {"DATABASE_URL": "postgresql://u:pa%40ss@h/db?sslpassword=inner"}, None)
    shown = loaded.shown("database_url")
    assert shown == "postgresql://u:********@h/db"
    assert {"pa%40ss", "pa@ss"} <= set(loaded.secrets)


@pytest.mark.parametrize("url", ["oracle://x", "templates.db", "postgresql:/h/db"])
def test_an_unsupported_database_is_rejected_and_the_url_is_not_shown(url: str) -> None:
    told = problems(DATABASE_URL=url)
    assert "DATABASE_URL" in told[0]
    assert url not in told[0]


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgres://h/db", "postgresql+psycopg"),
        ("postgresql://h/db", "postgresql+psycopg"),
        ("mysql://h/db", "mysql+pymysql"),
        ("mariadb://h/db", "mysql+pymysql"),
        ("sqlite:///x.db", "sqlite"),
    ],
)
def test_every_spelling_of_a_database_works(url: str, driver: str) -> None:
    assert open_engine(url).url.drivername == driver


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "postgresql://h", "postgresql://u:se@cret@h/db"])
def test_a_database_url_that_cannot_work_is_refused_without_its_password(url: str) -> None:
    told = problems(DATABASE_URL=url)
    assert "DATABASE_URL" in told[0]
    assert "cret" not in told[0]
    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        open_engine(url)


def test_interval_and_cron_together_are_refused() -> None:
    assert "not both" in problems(SYNC_INTERVAL="5m", SYNC_CRON="0 * * * *")[0]


def test_the_source_of_higher_precedence_decides_between_interval_and_cron(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("SYNC_INTERVAL=7m\n")
    cron = "0 * * * *"
    for flags, environ, schedule in [
        ({}, {}, (420.0, None)),
        ({}, {"SYNC_CRON": cron}, (900.0, cron)),
        ({"interval": "5m"}, {"SYNC_CRON": cron}, (300.0, None)),
        ({"cron": cron}, {"SYNC_INTERVAL": "5m"}, (900.0, cron)),
        ({"interval": "5m"}, {"SYNC_CRON": "no cron"}, (300.0, None)),
        ({"interval": "5m"}, {"SYNC_CRON": cron, "SYNC_INTERVAL": "6m"}, (300.0, None)),
    ]:
        found = load(flags, environ, file).settings
        assert (found.interval, found.cron) == schedule


def test_a_nul_character_in_the_env_file_is_reported_with_the_variable(tmp_path: Path) -> None:
    (file := tmp_path / ".env").write_text("SYNC_METRICS_FILE=m\0x\nCRUN_API_KEY_FILE=k\0x\nSYNC_SITE_DIR=s\0x\n")
    with pytest.raises(ConfigurationError) as caught:
        load({}, {}, file)
    told = [problem.partition(": ")[::2] for problem in caught.value.problems]
    assert [name for name, _ in told] == ["CRUN_API_KEY", "SYNC_METRICS_FILE", "SYNC_SITE_DIR"]
    assert all(what.startswith("expected a text without a NUL character") for _, what in told)


def test_every_option_has_a_help_text() -> None:
    for option in OPTIONS:
        assert option.help.endswith(".")
        assert option.variable.isupper()


def test_an_unreadable_env_file_is_reported(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"\.env"):
        load({}, {}, file)


def test_a_duration_of_more_than_ten_years_is_refused() -> None:
    assert "3650d" in problems(SYNC_DEADLINE="3651d")[0]


def test_a_metrics_file_may_be_new_and_must_have_a_name_that_the_system_accepts(tmp_path: Path) -> None:
    assert "a valid file name" in problems(SYNC_METRICS_FILE="n" * 300)[0]
    assert load({}, {"SYNC_METRICS_FILE": str(tmp_path / "new.prom")}, None).settings.metrics_file


def test_a_password_in_the_base_url_is_rejected_and_not_shown() -> None:
    (problem,) = problems(CRUN_BASE_URL="https://u:secret@api.crun.ai")
    assert problem.startswith("CRUN_BASE_URL")
    assert "secret" not in problem


def test_a_misspelt_variable_is_warned_about_and_one_of_another_program_is_not(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SYNC_LOGLEVEL=debug\n")
    environ = {"SYNC_INTERVALL": "5m", "CRUN_API_KEYFILE": "/key", "SYNC_TEST_POSTGRES_URL": "x", "SYNC_GATEWAY_ADMIN": "x"}
    assert load({}, environ, tmp_path / ".env").warnings == (
        "CRUN_API_KEYFILE (environment) is not a setting; did you mean CRUN_API_KEY_FILE?",
        "SYNC_INTERVALL (environment) is not a setting; did you mean SYNC_INTERVAL?",
        "SYNC_LOGLEVEL (.env file) is not a setting; did you mean SYNC_LOG_LEVEL?",
    )

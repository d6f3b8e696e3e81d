"""The secrets of endpoints: their sources and checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sync.errors import ConfigurationError
from sync.webhooks.configuration import endpoints_in, load_endpoints, secrets_of
from sync.webhooks.endpoints import secret_forms
from tests.webhooks.receiver import OTHER, SECRET

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://example.com/secret-path"


def write(folder: Path, *lines: str) -> str:
    file = folder / "hooks.toml"
    file.write_text("\n".join([f'[[endpoint]]\nname = "shop"\nurl = "{URL}"', *lines]))
    return str(file)


def test_a_secret_is_read_from_the_environment_before_dotenv_or_from_a_file_beside_the_toml_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"A={OTHER}\nB={OTHER}\n")
    (tmp_path / "new.secret").write_text(SECRET + "\n")
    (tmp_path / "new.secret").chmod(0o644)
    path = write(tmp_path, 'secret_env = "A"', 'secret_file = "new.secret"')
    warnings: list[str] = []
    environ = {"A": "whsec_" + "bm9uZSBvZiB0aGUgb3RoZXJzIGF0IGFsbA=="}
    (found,) = load_endpoints(path, environ, tmp_path / ".env", warnings)
    assert found.secrets == (environ["A"], SECRET)
    assert secrets_of([found]) == [*secret_forms(environ["A"]), *secret_forms(SECRET), URL, "/secret-path"]
    assert "can be read by every user" in warnings[0]
    (found,) = load_endpoints(write(tmp_path, 'secret_env = ["B"]'), {"B": ""}, tmp_path / ".env")
    assert found.secrets == (OTHER,)


@pytest.mark.parametrize(("lines", "expected"), [
    ('secret_env = "UNSET"', "secret_env (UNSET): expected that variable to be set"),
    ('secret_env = "WRONG"', "secret_env (WRONG): expected whsec_ and then 24 to 64"),
    ('secret_env = ["GOOD", "AGAIN"]', "secret_env (AGAIN): expected two different secrets"),
    ('secret_file = "none"', "secret_file: expected a readable file in secret_file"),
    ('secret_file = "."', "secret_file: expected a readable file in secret_file"),
])  # fmt: skip
def test_an_invalid_secret_is_reported_by_endpoint_and_source_without_its_text(tmp_path: Path, lines: str, expected: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_endpoints(write(tmp_path, lines), {"WRONG": "v1,whsec_abc", "GOOD": SECRET, "AGAIN": SECRET}, None)
    assert raised.value.problems[0].startswith(f"SYNC_WEBHOOKS_FILE: endpoint shop: {expected}")
    assert "whsec_abc" not in str(raised.value)
    assert SECRET not in str(raised.value)


def test_a_listing_and_disabled_endpoints_need_no_secret(tmp_path: Path) -> None:
    path = write(tmp_path, 'secret_env = "UNSET"', "enabled = false")
    assert [endpoint.name for endpoint in endpoints_in(path)] == ["shop"]
    assert load_endpoints(path, {}, None) == []


@pytest.mark.parametrize(("content", "expected"), [(b"\xff", "not UTF-8 text"), ("é".encode() * 2**19 + b"x", "at most 1 MiB")])
def test_an_unreadable_file_is_reported_in_one_line(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "hooks.toml").write_bytes(content)
    with pytest.raises(ConfigurationError, match=expected):
        endpoints_in(str(tmp_path / "hooks.toml"))
    with pytest.raises(ConfigurationError, match="No such file"):
        endpoints_in(str(tmp_path / "other.toml"))

"""Valid URLs, Host headers, origins and names of SQLite databases; no error repeats a URL."""

from __future__ import annotations

import pytest

from sync.config.addresses import LOOPBACK, LOOPBACK_ORIGIN, http_url, is_loopback_name, require_same_origin, sqlite_path
from sync.errors import OtherOrigin

EXPECTED = "a URL such as https://api.crun.ai"


@pytest.mark.parametrize("value", [
    "https://api.crun.ai", "http://api.crun.ai", "HTTPS://API.crun.ai", "https://api.crun.ai:8443/v1/templates?x=1#y",
    "http://127.0.0.1:1", "http://[::1]:2/", "https://xn--bcher-kva.example", "https://api.crun.ai./",
    f"https://{'x' * 63}.example",
])  # fmt: skip
def test_a_url_is_returned_unchanged(value: str) -> None:
    assert http_url(value) == value


def test_the_newline_at_the_end_of_a_secret_file_is_removed() -> None:
    assert http_url(" https://ping.example/secret-path\n") == "https://ping.example/secret-path"


INVALID = [
    "", "api.crun.ai", "//api.crun.ai", "ftp://api.crun.ai", "httpx://api.crun.ai", "https://", "https://:443", "https:///path",
    "https://[x", "https://api.crun.ai:port", "https://api.crun.ai:65536", "https://api.crun.ai/a b", "https://api.crun\n.ai",
    "https://api.crun.ai/a\tb", "https://api..crun.ai", f"https://{'x' * 64}.example",
    "https://api.crun.ai/\x01", "https://api.crun.ai/\x7f",  # no request can be sent to these
]  # fmt: skip
AMBIGUOUS = [
    "b\xfccher.example", "stra\xdfe.example", "\uff41pi.crun.ai", "api\u3002crun.ai",  # resolvers convert these differently
    "xn--.example", "xn--abc-.example", "xn--strae-oqa.example", "xn--\xfc.example",  # no name has this xn-- form
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "expected"),
    [(value, EXPECTED) for value in (*INVALID, *(f"https://{host}" for host in AMBIGUOUS))]
    + [
        (f"https://{who}@api.crun.ai", "a URL without a user name or password in it")
        for who in ("user", "user:", ":password", "user:password")
    ],
)
def test_an_invalid_url_is_rejected_without_showing_it(value: str, expected: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is what is compared
        http_url(value)
    assert str(caught.value) == expected


@pytest.mark.parametrize("value", ["https://api.crun.ai:port", "ftp://api.crun.ai"])
def test_the_example_in_the_error_of_a_url_is_an_argument(value: str) -> None:
    with pytest.raises(ValueError, match=r"\Aa URL such as https://shop\.example/hook\Z"):
        http_url(value, "https://shop.example/hook")


def test_plain_http_is_for_these_hosts_only() -> None:
    assert {"localhost", "127.0.0.1", "::1"} == LOOPBACK


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost", "127.0.0.1", "[::1]", "localhost:80", "127.0.0.1:8455", "[::1]:65535"]
)
def test_loopback_names_may_have_a_port(host: str) -> None:
    assert is_loopback_name(host) is True


@pytest.mark.parametrize("host", [
    "", "evil.example", "evil.example:8455", "localhost.evil.example", "127.0.0.1.evil.example", "evil-localhost", "127x0.0.1",
    "127.0x0.1", "127.0.0x1", "127.0.0.2", "::1", "[::1", "localhost:", "localhost:80x", "localhost:80:80", "localhost ",
    "localhost\n", "localhost, evil.example",
])  # fmt: skip
def test_another_name_is_not_loopback(host: str) -> None:
    assert is_loopback_name(host) is False


OTHER = "https://api.crunai.com"


def test_the_recorded_origin_of_loopback_addresses_is_the_same_in_every_version() -> None:
    assert LOOPBACK_ORIGIN == "loopback"


@pytest.mark.parametrize("recorded", [None, OTHER])
def test_the_recorded_origin_and_a_first_one_are_accepted(recorded: str | None) -> None:
    require_same_origin(recorded, OTHER)


@pytest.mark.parametrize(("recorded", "configured", "named"), [
    (OTHER, "https://api.crun.ai", f"{OTHER}, but CRUN_BASE_URL is https://api.crun.ai"),
    (OTHER, LOOPBACK_ORIGIN, f"{OTHER}, but CRUN_BASE_URL is a loopback address (a sandbox)"),
    (LOOPBACK_ORIGIN, OTHER, f"a loopback address (a sandbox), but CRUN_BASE_URL is {OTHER}"),
])  # fmt: skip
def test_another_origin_is_refused_with_both_names(recorded: str, configured: str, named: str) -> None:
    with pytest.raises(OtherOrigin) as refused:
        require_same_origin(recorded, configured)
    assert str(refused.value) == f"The database is a copy of the catalog at {named}."


@pytest.mark.parametrize(("name", "path"), [
    ("a%20b.db", "a%20b.db"), ("file:a%20b.db", "a b.db"), (":memory:", ":memory:"), ("file::memory:", ":memory:"),
])  # fmt: skip
def test_the_name_of_a_sqlite_database_is_decoded_if_it_is_a_uri(name: str, path: str) -> None:
    assert sqlite_path(name) == path

"""Which addresses are taken, and what is said of the others: never the address itself."""

from __future__ import annotations

import pytest

from sync.config.addresses import LOOPBACK, http_url

EXPECTED = "a URL such as https://api.crun.ai"


def refusal(value: str) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is what is compared
        http_url(value)
    return str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        "https://api.crun.ai",
        "http://api.crun.ai",
        "HTTPS://API.crun.ai",
        "https://api.crun.ai:8443/v1/templates?x=1#y",
        "http://127.0.0.1:1",
        "http://[::1]:2/",
        "https://xn--bcher-kva.example",
        "https://api.crun.ai./",
        f"https://{'x' * 63}.example",
    ],
)
def test_a_url_is_returned_unchanged(value: str) -> None:
    assert http_url(value) == value


def test_the_newline_at_the_end_of_a_secret_file_is_removed() -> None:
    assert http_url(" https://ping.example/secret-path\n") == "https://ping.example/secret-path"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "api.crun.ai",
        "//api.crun.ai",
        "ftp://api.crun.ai",
        "httpx://api.crun.ai",
        "https://",
        "https://:443",
        "https:///path",
        "https://[x",
        "https://api.crun.ai:port",
        "https://api.crun.ai:65536",
        "https://api.crun.ai/a b",
        "https://api.crun\n.ai",
        "https://api.crun.ai/a\tb",
        "https://api..crun.ai",
        f"https://{'x' * 64}.example",
    ],
)
def test_an_invalid_url_is_rejected_with_an_example(value: str) -> None:
    assert refusal(value) == EXPECTED


@pytest.mark.parametrize(
    "host",
    [
        "b\xfccher.example",  # each resolver would read it in its own way
        "stra\xdfe.example",  # and of this one there are two
        "\uff41pi.crun.ai",
        "api\u3002crun.ai",
        "xn--.example",  # and these are the xn-- form of nothing
        "xn--abc-.example",
        "xn--strae-oqa.example",
        "xn--\xfc.example",
    ],
)
def test_an_ambiguous_name_is_invalid(host: str) -> None:
    assert refusal(f"https://{host}") == EXPECTED


@pytest.mark.parametrize("who", ["user", "user:", ":password", "user:password"])
def test_a_url_with_a_password_is_rejected_and_not_shown(who: str) -> None:
    assert refusal(f"https://{who}@api.crun.ai") == "a URL without a user name or password in it"


def test_the_example_in_the_error_of_a_url_is_an_argument() -> None:
    for value in ("https://api.crun.ai:port", "ftp://api.crun.ai"):
        with pytest.raises(ValueError, match=r"\Aa URL such as https://shop\.example/hook\Z"):
            http_url(value, "https://shop.example/hook")


def test_plain_http_is_for_these_hosts_only() -> None:
    assert {"localhost", "127.0.0.1", "::1"} == LOOPBACK

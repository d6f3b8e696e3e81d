"""Which Host headers mean this machine: a web page's own name, pointed at 127.0.0.1, is none of them."""

from __future__ import annotations

import pytest

from sync.config.addresses import is_loopback_name


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost", "127.0.0.1", "[::1]", "localhost:80", "127.0.0.1:8455", "[::1]:65535"]
)
def test_loopback_names_may_have_a_port(host: str) -> None:
    assert is_loopback_name(host) is True


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8455",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil-localhost",
        "127x0.0.1",
        "127.0x0.1",
        "127.0.0x1",
        "127.0.0.2",
        "::1",
        "[::1",
        "localhost:",
        "localhost:80x",
        "localhost:80:80",
        "localhost ",
        "localhost\n",
        "localhost, evil.example",
    ],
)
def test_another_name_is_not_loopback(host: str) -> None:
    assert is_loopback_name(host) is False

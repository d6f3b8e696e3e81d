"""Where a message may go, and how little of an address is shown."""

from __future__ import annotations

import re

import pytest

from sync.webhooks.addresses import check_url, is_allowed, origin, secret_parts


@pytest.mark.parametrize(
    "url", ["https://example.com/a?b=c", "https://10.0.0.1/x", "http://localhost:1/", "http://[::1]:80/", "http://127.0.0.1"]
)
def test_tls_goes_anywhere_and_plain_http_to_this_machine(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(("url", "expected"), [
    ("example.com", "a URL such as https://example.com/hooks/templates"),
    ("https://example.com/a#b", "a URL without a fragment, which is never sent"),
    ("http://example.com/", "an https:// URL: plain http is for loopback addresses only"),
    ("https://169.254.169.254/", "a URL to another host: this address is link-local or of a cloud's metadata service"),
])  # fmt: skip
def test_the_error_of_a_refused_url_names_what_was_expected_without_the_url(url: str, expected: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(expected) + "$"):
        check_url(url)


@pytest.mark.parametrize("address", [
    "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::", "fd00:ec2::254", "100.100.100.200", "::ffff:100.100.100.200", "192.0.0.192", "168.63.129.16",
])  # fmt: skip
def test_a_link_local_address_or_a_metadata_service_is_not_sent_to(address: str) -> None:
    assert not is_allowed(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "fd00::1", "100.64.0.1", "example.com", ""])
def test_any_other_address_is(address: str) -> None:
    assert is_allowed(address)


def test_path_and_query_may_be_secrets_and_are_not_shown() -> None:
    assert origin("https://hooks.example.com:8443/T0/B1?token=x") == "https://hooks.example.com:8443"


def test_every_part_after_the_host_may_be_a_secret_as_it_is_written_and_decoded() -> None:
    assert secret_parts("https://example.com/bot12:AAE/x%2Fy?token=a+b&v=1") == [
        "/bot12:AAE/x%2Fy?token=a+b&v=1", "/bot12:AAE/x/y?token=a+b&v=1", "/bot12:AAE/x/y?token=a b&v=1",
        "bot12", "AAE", "x%2Fy", "x/y", "token", "a+b", "a b", "v", "1",
        "/bot12:AAE/x%2Fy", "/bot12:AAE/x/y",
        "token=a+b&v=1", "token=a b&v=1",
    ]  # fmt: skip
    assert secret_parts("https://example.com") == []

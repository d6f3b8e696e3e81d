"""The file of endpoints, the addresses that messages may go to, and the form of a secret."""

from __future__ import annotations

import re
from base64 import b64encode
from decimal import Decimal
from pathlib import Path

import pytest

from sync.errors import ConfigurationError
from sync.webhooks.endpoints import (
    KEYS,
    Endpoint,
    SecretSource,
    check_secret,
    check_url,
    read_endpoints,
    secret_forms,
)
from sync.webhooks.position import POLICY
from sync.webhooks.rules import PriceRule, Rules

MINIMAL = '[[endpoint]]\nname = "shop"\nurl = "https://example.com/hook"\nsecret_env = "SHOP"\n'


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        read_endpoints(text)
    assert (raised.value.exit_code, raised.value.hint) == (78, "docs/changes.md lists every key; nothing was sent.")
    return raised.value.problems


def test_a_name_a_url_and_a_secret_are_sufficient_and_an_empty_file_has_no_endpoints() -> None:
    secret = (SecretSource("secret_env", "SHOP"),)
    assert read_endpoints(MINIMAL) == (Endpoint("shop", "https://example.com/hook", secret, Rules()),)
    assert read_endpoints("") == ()


def test_every_key_is_read() -> None:
    (found,) = read_endpoints("""
        [[endpoint]]
        name = "price-watch"
        url = "http://127.0.0.1:8000/hook?to=me"
        secret_env = "NEW"
        secret_file = "old.secret"
        kinds = ["changed"]
        fields = ["consume_items.720p"]
        tags = ["Festival", "热门"]
        ids = ["1", "2"]
        types = ["BEGIN_END_FRAME"]
        price_change = "-10%"
        breaking = true
        per = "run"
        from = "start"
        enabled = false
    """)
    assert found == Endpoint(
        "price-watch",
        "http://127.0.0.1:8000/hook?to=me",
        (SecretSource("secret_env", "NEW"), SecretSource("secret_file", "old.secret")),
        Rules(
            frozenset({"changed"}), frozenset({"consume_items.720p"}), frozenset({"Festival", "热门"}), frozenset({"1", "2"}),
            frozenset({"BEGIN_END_FRAME"}), PriceRule(Decimal(10), "-"), breaking=True,
        ),
        per="run", start="start", enabled=False,
    )  # fmt: skip


NAME = "name: expected 1 to 64 letters, digits, dots, dashes or underscores."
NOT_HTTPS = "url: expected an https:// URL; allow_http = true permits plain http to an address of a private network."
LINK_LOCAL = "url: expected a URL to another host: this address is link-local or of a cloud's metadata service."
NO_LIST = "expected a list of texts with at least one in it: an empty one could never match."
TOO_LONG = "expected texts of at most 255 characters: a longer one could never match."
ONE_OR_TWO = "expected a text in quotes, or a list of two while one is rotated."
NO_SUCH_KEY = (
    "no such key; expected one of name, url, secret_env, secret_file, kinds, fields, tags, ids, types, price_change, "
    "breaking, per, from, enabled, allow_http."
)
BAD = [
    ('name = "a b"', f"number 1: {NAME}"),
    ("name = 3", f"number 1: {NAME}"),
    ('url = "example.com"', "shop: url: expected a URL such as https://example.com/hooks/templates."),
    ('url = "http://example.com"', f"shop: {NOT_HTTPS}"),
    ('url = "http://127.0.0.2/"', f"shop: {NOT_HTTPS}"),
    ('url = "https://me:pw@example.com"', "shop: url: expected a URL without a user name or password in it."),
    ('url = "https://example.com/#x"', "shop: url: expected a URL without a fragment, which is never sent."),
    ('url = "https://169.254.169.254/latest"', f"shop: {LINK_LOCAL}"),
    ('url = "https://[fe80::1]/"', f"shop: {LINK_LOCAL}"),
    ('url = "https://[::ffff:169.254.1.1]/"', f"shop: {LINK_LOCAL}"),
    ('secret_env = "not a name"', "shop: secret_env: expected the name of an environment variable, not the secret itself."),
    ('secret_env = "whsec_x"', "shop: secret_env: expected the name of an environment variable, not the secret itself."),
    ('secret_env = ["A", "B", "C"]', "shop: secret_env: expected one secret, or two while one is rotated, not 3."),
    ("secret_env = []", f"shop: secret_env: {ONE_OR_TWO}"),
    ('secret_env = ["A", ""]', f"shop: secret_env: {ONE_OR_TWO}"),
    ("secret_env = 1", f"shop: secret_env: {ONE_OR_TWO}"),
    ('secret_file = "whsec_x"', "shop: secret_file: expected the name of a file, not the secret itself."),
    ("kinds = []", f"shop: kinds: {NO_LIST}"),
    ('kinds = "added"', f"shop: kinds: {NO_LIST}"),
    ('kinds = ["created"]', "shop: kinds: expected any of added, removed, changed, not 'created'."),
    (
        'fields = ["titel"]',
        "shop: fields: expected fields as `changes` shows them, such as title or consume_items.720p, not 'titel'.",
    ),
    ("ids = [1]", f"shop: ids: {NO_LIST}"),
    ('tags = [""]', f"shop: tags: {NO_LIST}"),
    ('price_change = "10"', "shop: price_change: expected a share such as 10%, or +10% for up only, -10% for down only."),
    ("price_change = 10", "shop: price_change: expected a text in quotes."),
    ('price_change = ""', "shop: price_change: expected a text in quotes."),
    ('breaking = "yes"', "shop: breaking: expected true or false, without quotes."),
    ('per = "day"', "shop: per: expected one of change, run."),
    ('from = "now"', "shop: from: expected one of end, start."),
    ('kinds = ["added"]\nbreaking = true', "shop: kinds: added can never match: an added template is not a breaking change."),
    ('kinds = ["removed"]\nfields = ["title"]', "shop: kinds: removed can never match: fields selects changed templates only."),
    (f'ids = ["{"1" * 256}"]', f"shop: ids: {TOO_LONG}"),
    (f'tags = ["{"x" * 256}"]', f"shop: tags: {TOO_LONG}"),
    ('tag = ["x"]', f"shop: tag: {NO_SUCH_KEY}"),
    ('secret = "whsec_abcdefgh"', f"shop: secret: {NO_SUCH_KEY}"),
]


@pytest.mark.parametrize(("lines", "expected"), BAD, ids=[case[0] for case in BAD])
def test_an_invalid_value_is_reported_by_endpoint_and_key_without_a_secret(lines: str, expected: str) -> None:
    keys = [line.partition(" ")[0] for line in lines.splitlines()]
    kept = [line for line in MINIMAL.splitlines() if line.partition(" ")[0] not in keys]
    (problem,) = problems("\n".join([*kept, lines]))
    assert problem == f"SYNC_WEBHOOKS_FILE: endpoint {expected}"
    assert "whsec_" not in problem
    assert "pw" not in problem


def test_all_problems_of_all_endpoints_are_reported_at_once() -> None:
    found = problems('x = 1\n[[endpoint]]\nname = "a"\n[[endpoint]]\nper = 1\n[[endpoint]]\n')
    assert [problem.removeprefix("SYNC_WEBHOOKS_FILE: ") for problem in found] == [
        "x: no such key; expected [[endpoint]].",
        "endpoint a: url: missing.",
        "endpoint a: secret_env: missing, and no secret_file either.",
        "endpoint number 2: name: missing.",
        "endpoint number 2: url: missing.",
        "endpoint number 2: secret_env: missing, and no secret_file either.",
        "endpoint number 2: per: expected one of change, run.",
        "endpoint number 3: name: missing.",
        "endpoint number 3: url: missing.",
        "endpoint number 3: secret_env: missing, and no secret_file either.",
    ]


def test_an_id_in_a_rule_may_be_as_long_as_that_of_a_template() -> None:
    (found,) = read_endpoints(MINIMAL + f'ids = ["{"1" * 255}"]\n')
    assert found.rules.ids == {"1" * 255}


def test_a_name_occurs_once() -> None:
    assert problems(MINIMAL * 2) == ["SYNC_WEBHOOKS_FILE: endpoint shop: name: given twice."]


@pytest.mark.parametrize("text", ['[endpoint]\nname = "a"', "endpoint = [1]", "endpoint = 1", "endpoint = [[]]"])
def test_endpoint_must_be_an_array_of_tables(text: str) -> None:
    assert problems(text) == ["SYNC_WEBHOOKS_FILE: endpoint: expected [[endpoint]], in two pairs of brackets."]


def test_at_most_20_endpoints_are_accepted() -> None:
    tables = [MINIMAL.replace("shop", f"s{number}") for number in range(21)]
    assert len(read_endpoints("".join(tables[:20]))) == 20
    assert problems("".join(tables)) == ["SYNC_WEBHOOKS_FILE: expected at most 20 endpoints, not 21."]


@pytest.mark.parametrize("text", ['url = "whsec_topsecret', "= 1", "a = 1\na = 2", "[" * 5000, "\x00", "a = " + "9" * 5000])
def test_invalid_toml_is_reported_by_its_position_and_never_quoted(text: str) -> None:
    (problem,) = problems(text)
    assert re.fullmatch(r"SYNC_WEBHOOKS_FILE: no TOML(| \(at (line \d+, column \d+|end of document)\))\.", problem)
    assert "topsecret" not in problem


def test_the_position_of_invalid_toml_is_its_line_and_column() -> None:
    assert problems("= 1") == ["SYNC_WEBHOOKS_FILE: no TOML (at line 1, column 1)."]
    assert problems("a = " + "9" * 5000) == ["SYNC_WEBHOOKS_FILE: no TOML."]


DOCUMENT = (Path(__file__).parents[2] / "docs" / "changes.md").read_text()


def test_the_example_in_the_documentation_is_valid_and_its_table_has_every_key() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    assert [endpoint.name for endpoint in read_endpoints(example)] == ["shop", "price-watch"]
    table = DOCUMENT[DOCUMENT.index("| key | meaning |") :].partition("\n\n")[0]
    named = {key for row in table.splitlines()[3:] for key in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    assert named == set(KEYS)


def test_the_documentation_has_the_waits_of_the_policy() -> None:
    hours = ", ".join(f"{step / 3600:g} h" for step in POLICY.waits[3:-1])
    assert (
        f"retry after {POLICY.waits[0]:g} s, {POLICY.waits[1] / 60:g} min, {POLICY.waits[2] / 60:g} min, {hours}, then every 24 h"
        in DOCUMENT
    )


# Secrets --------------------------------------------------------------------------------------------------------------


GOOD = "whsec_" + b64encode(bytes(range(24))).decode()


@pytest.mark.parametrize("length", [24, 32, 64])
def test_a_secret_has_24_to_64_bytes(length: int) -> None:
    secret = "whsec_" + b64encode(bytes(length)).decode()
    assert check_secret(secret) == secret


@pytest.mark.parametrize("text", [
    "", "whsec_", "plain secret text", GOOD.removeprefix("whsec_"), f"v1,{GOOD}", f"whsec_{GOOD}", GOOD[:-4], GOOD + "\n",
    GOOD + "=",    "whsec_" + b64encode(bytes(23)).decode(), "whsec_" + b64encode(bytes(65)).decode(),
    "whsec_" + "-_" * 16, "whsec_ünïcode",
    "whsk_" + b64encode(bytes(32)).decode(),
])  # fmt: skip
def test_other_texts_are_not_secrets_and_are_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"^whsec_ and then 24 to 64 random bytes in base64, with its = at the end$") as raised:
        check_secret(text)
    assert len(text) < 8 or text not in str(raised.value)


def test_the_forms_of_a_secret_are_the_text_with_and_without_prefix_and_its_bytes() -> None:
    key = b"a secret of text letters"
    written = b64encode(key).decode()
    assert secret_forms(f"whsec_{written}") == [f"whsec_{written}", written, key.hex(), key.hex().upper(), key.decode()]
    assert secret_forms("whsec_" + b64encode(b"\xff" * 24).decode())[2:] == ["ff" * 24, "FF" * 24]


@pytest.mark.parametrize(
    "url", ["https://example.com/a?b=c", "https://10.0.0.1/x", "http://localhost:1/", "http://[::1]:80/", "http://127.0.0.1"]
)
def test_https_is_accepted_for_any_host_and_http_for_loopback(url: str) -> None:
    assert check_url(url) == url


@pytest.mark.parametrize(("url", "expected"), [
    ("example.com", "a URL such as https://example.com/hooks/templates"),
    ("https://example.com/a#b", "a URL without a fragment, which is never sent"),
    ("http://example.com/", "an https:// URL; allow_http = true permits plain http to an address of a private network"),
    ("https://169.254.169.254/", "a URL to another host: this address is link-local or of a cloud's metadata service"),
])  # fmt: skip
def test_the_error_of_an_invalid_url_does_not_contain_it(url: str, expected: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(expected) + "$"):
        check_url(url)


@pytest.mark.parametrize("address", [
    "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::", "fd00:ec2::254", "100.100.100.200", "::ffff:100.100.100.200", "192.0.0.192", "168.63.129.16",
])  # fmt: skip
def test_link_local_addresses_and_metadata_services_are_refused(address: str) -> None:
    assert not Endpoint("shop", "https://example.com/", ()).is_permitted(address)
    assert not Endpoint("shop", "http://receiver.internal/", (), allow_http=True).is_permitted(address)


@pytest.mark.parametrize(("address", "over_http"), [
    ("127.0.0.1", True), ("::1", True), ("10.1.2.3", True), ("172.31.0.1", True), ("192.168.0.1", True), ("100.64.0.1", True),
    ("fd00::1", True), ("::ffff:10.1.2.3", True), ("8.8.8.8", False), ("172.32.0.1", False), ("2606:4700::1", False),
    ("64:ff9b::8.8.8.8", False),
])  # fmt: skip
def test_any_other_address_is_permitted_over_https_and_private_ones_over_http(address: str, *, over_http: bool) -> None:
    assert Endpoint("shop", "https://example.com/", ()).is_permitted(address)
    assert Endpoint("shop", "HTTP://receiver.internal/", (), allow_http=True).is_permitted(address) == over_http


@pytest.mark.parametrize("url", ["http://10.0.0.1/x", "http://receiver.internal:8000/x", "http://[fd00::1]/", "https://8.8.8.8/"])
def test_with_allow_http_a_url_may_be_plain_http_to_a_private_network(url: str) -> None:
    assert check_url(url, allow_http=True) == url


@pytest.mark.parametrize("url", ["http://8.8.8.8/", "http://[2606:4700::1]/"])
def test_with_allow_http_plain_http_to_a_public_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="plain http is for private networks only"):
        check_url(url, allow_http=True)


def test_the_path_and_query_of_a_url_are_not_in_its_origin() -> None:
    assert Endpoint("shop", "https://hooks.example.com:8443/T0/B1?token=x", ()).origin == "https://hooks.example.com:8443"


def test_every_part_of_a_url_after_its_host_is_hidden_in_responses_as_written_and_decoded() -> None:
    assert Endpoint("shop", "https://example.com/bot12:AAE/x%2Fy?token=a+b&v=1", ()).quotable_parts == [
        "/bot12:AAE/x%2Fy?token=a+b&v=1", "/bot12:AAE/x/y?token=a+b&v=1", "/bot12:AAE/x/y?token=a b&v=1",
        "bot12", "AAE", "x%2Fy", "x/y", "token", "a+b", "a b", "v", "1",
        "/bot12:AAE/x%2Fy", "/bot12:AAE/x/y",
        "token=a+b&v=1", "token=a b&v=1",
    ]  # fmt: skip
    bare = Endpoint("shop", "https://example.com", ())
    assert bare.quotable_parts == bare.secret_parts == []

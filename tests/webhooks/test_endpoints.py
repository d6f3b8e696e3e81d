"""The rules and the position of an endpoint, the addresses that messages may go to, and the form of a secret."""

from __future__ import annotations

from base64 import b64encode
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from sync.webhooks.endpoints import (
    FAILING_AFTER,
    GONE,
    KINDS,
    LOST,
    Endpoint,
    PriceRule,
    Rules,
    check_secret,
    check_url,
    contradiction,
    is_field,
    price_rule,
    secret_forms,
)
from tests.webhooks.changes import change, field

TITLE = field("title", "a", "b")
PRICE = field("consume_items.720p", 100, 110)


def some(*values: str) -> frozenset[str]:
    return frozenset(values)


def moved(percent: int, direction: str = "") -> Rules:
    return Rules(price_change=PriceRule(Decimal(percent), direction))


MATCHES: list[tuple[str, Rules, dict[str, Any], bool]] = [
    ("no rule is every change", Rules(), change("removed"), True),
    ("a kind", Rules(kinds=some("added")), change("added"), True),
    ("another kind", Rules(kinds=some("added")), change("removed"), False),
    ("an id", Rules(ids=some("1", "2")), change(template_id="2"), True),
    ("another id", Rules(ids=some("1", "2")), change(template_id="12"), False),
    ("a field", Rules(fields=some("title")), change("changed", TITLE), True),
    ("a field whose name begins alike", Rules(fields=some("title")), change("changed", field("title_en", "a", "b")), False),
    ("any price", Rules(fields=some("consume_items")), change("changed", PRICE), True),
    ("one resolution's price", Rules(fields=some("consume_items.720p")), change("changed", PRICE), True),
    ("another resolution's", Rules(fields=some("consume_items.7")), change("changed", PRICE), False),
    ("fields: one that is new has none", Rules(fields=some("title")), change("added"), False),
    ("a tag, in Chinese", Rules(tags=some("热门")), change("added"), True),
    ("a tag, in another case", Rules(tags=some("trending")), change("added"), True),
    ("a tag of one that is gone", Rules(tags=some("Trending")), change("removed"), True),
    ("part of a tag", Rules(tags=some("Trend")), change("added"), False),
    ("a tag that is lost", Rules(tags=some("Solo")),
     change("changed", field("tags", [], [], gained=[], lost=[{"name": "单人", "name_en": "Solo"}])), True),
    ("a tag without English", Rules(tags=some("None")), change("added", tags=[{"name": "x", "name_en": None}]), False),
    ("a type", Rules(types=some("begin_end_frame")), change("added"), True),
    ("a type that it was", Rules(types=some("OLD")), change("changed", field("template_type", "OLD", "NEW")), True),
    ("a type that is the value of another field", Rules(types=some("OLD")), change("changed", field("title", "OLD", "b")), False),
    ("another type", Rules(types=some("OLD")), change("added"), False),
    ("no type at all", Rules(types=some("OLD")), change("added", template_type=None), False),
    ("breaking", Rules(breaking=True), change("removed"), True),
    ("not breaking", Rules(breaking=True), change("changed", TITLE), False),
    ("two rules, one of which holds", Rules(kinds=some("changed"), ids=some("9")), change("changed", TITLE), False),
    ("exactly 10 % up", moved(10), change("changed", PRICE), True),
    ("a hair less", moved(10), change("changed", field("consume_items.x", 100, 109.99)), False),
    ("10 % down", moved(10), change("changed", field("consume_items.x", 100, 90)), True),
    ("only up, and it falls", moved(10, "+"), change("changed", field("consume_items.x", 9, 1)), False),
    ("only up, and it rises", moved(10, "+"), change("changed", PRICE), True),
    ("only down, and it rises", moved(10, "-"), change("changed", PRICE), False),
    ("one of two prices moved enough", moved(50),
     change("changed", PRICE, field("consume_items.x", 1, 2)), True),
    ("one that was free costs", moved(500), change("changed", field("consume_items.x", 0, 1)), True),
    ("a new resolution", moved(0), change("changed", field("consume_items.x", None, 1)), False),
    ("a resolution that goes", moved(0), change("changed", field("consume_items.x", 1, None)), False),
    ("a price move, of one that is new", moved(0), change("added"), False),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "found", "matches"), [case[1:] for case in MATCHES], ids=[case[0] for case in MATCHES])
def test_a_change_matches_if_every_rule_matches(rules: Rules, found: dict[str, Any], matches: bool) -> None:  # noqa: FBT001
    assert rules.matches(found) is matches


@pytest.mark.parametrize(("text", "rule"), [
    ("10%", PriceRule(Decimal(10))), ("+2.5%", PriceRule(Decimal("2.5"), "+")), ("-100%", PriceRule(Decimal(100), "-")),
    ("0%", PriceRule(Decimal(0))),
])  # fmt: skip
def test_a_price_rule_is_a_percentage_with_or_without_a_direction(text: str, rule: PriceRule) -> None:
    assert price_rule(text) == rule


@pytest.mark.parametrize("text", ["", "10", "%", "ten%", "1e1%", "+-1%", " 10%", "NaN%", "10 %", "٣%", "-100.1%"])
def test_other_texts_are_not_price_rules(text: str) -> None:
    fall, share = r"^a fall of at most 100%$", r"^a share such as 10%, or \+10% for up only, -10% for down only$"
    with pytest.raises(ValueError, match=fall if text == "-100.1%" else share):
        price_rule(text)


def test_the_names_of_fields_are_those_that_a_change_can_have() -> None:
    assert all(map(is_field, ("title", "tags", "aspect_ratios", "consume_items", "consume_items.720p", "extra", "extra.New")))
    assert KINDS == ("added", "removed", "changed")
    assert not any(map(is_field, ("", "titel", "title.x", "consume_items.", "extra.", "template_id")))


ONLY_CHANGED = "can never match: {} selects changed templates only"


@pytest.mark.parametrize(("rules", "reason"), [
    (Rules(kinds=some("removed"), fields=some("title")), "removed " + ONLY_CHANGED.format("fields")),
    (Rules(kinds=some("added", "removed"), price_change=moved(1).price_change),
     "added and removed " + ONLY_CHANGED.format("price_change")),
    (Rules(kinds=some("added"), breaking=True), "added can never match: an added template is not a breaking change"),
    (Rules(kinds=some("added")), None),
    (Rules(kinds=some("added", "removed", "changed"), price_change=moved(10).price_change, breaking=True), None),
    (Rules(kinds=some("changed"), fields=some("title"), breaking=True), None),
    (Rules(fields=some("title"), price_change=moved(1).price_change), None),
])  # fmt: skip
def test_rules_that_can_never_match_are_reported(rules: Rules, reason: str | None) -> None:
    assert contradiction(rules) == reason


# Secrets --------------------------------------------------------------------------------------------------------------


GOOD = "whsec_" + b64encode(bytes(range(24))).decode()


def test_a_secret_has_24_to_64_bytes() -> None:
    for length in (24, 32, 64):
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


@pytest.mark.parametrize(("url", "allow_http"), [
    *((url, False) for url in ("https://example.com/a?b=c", "https://10.0.0.1/x")),
    *((url, False) for url in ("http://localhost:1/", "http://[::1]:80/", "http://127.0.0.1")),
    *((url, True) for url in ("http://10.0.0.1/x", "http://receiver.internal:8000/x", "http://[fd00::1]/", "https://8.8.8.8/")),
])  # fmt: skip
def test_https_is_accepted_for_any_host_and_http_for_loopback_and_private_networks(url: str, *, allow_http: bool) -> None:
    assert check_url(url, allow_http=allow_http) == url


@pytest.mark.parametrize("url", ["http://8.8.8.8/", "http://[2606:4700::1]/"])
def test_http_to_a_public_address_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"^an https:// URL: with allow_http, plain http is for private networks only$"):
        check_url(url, allow_http=True)


@pytest.mark.parametrize("address", [
    "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::", "fd00:ec2::254", "fd00:ec2::254%eth0", "100.100.100.200", "::ffff:100.100.100.200", "192.0.0.192",
    "168.63.129.16",
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


def test_by_default_an_endpoint_gets_each_later_change_over_https() -> None:
    everything = Endpoint("shop", "https://x.example/", (), Rules(), per="change", start="end", enabled=True, allow_http=False)
    assert Endpoint("shop", "https://x.example/", ()) == everything
    with pytest.raises(ValueError, match="allow_http = true permits"):
        check_url("http://10.0.0.1/")


def test_the_path_and_query_of_a_url_are_not_in_its_origin() -> None:
    assert Endpoint("shop", "https://hooks.example.com:8443/T0/B1?token=x", ()).origin == "https://hooks.example.com:8443"


def test_every_part_of_a_url_after_its_host_is_hidden_in_responses_as_written_and_decoded() -> None:
    assert Endpoint("shop", "https://example.com/bot12:AAE/x%2Fy?token=a+b&v=1", ()).quotable_parts == [
        "/bot12:AAE/x%2Fy?token=a+b&v=1", "/bot12:AAE/x/y?token=a+b&v=1", "/bot12:AAE/x/y?token=a b&v=1",
        "bot12", "AAE", "x%2Fy", "x/y", "token", "a+b", "a b", "v", "1",
        "/bot12:AAE/x%2Fy", "/bot12:AAE/x/y",
        "token=a+b&v=1", "token=a b&v=1",
    ]  # fmt: skip
    assert Endpoint("shop", "HTTPS://Example.com/T0/B1?x", ()).secret_parts == ["/T0/B1?x", "/T0/B1", "x"]
    bare = Endpoint("shop", "https://example.com", ())
    assert bare.quotable_parts == bare.secret_parts == []


def test_the_constants_that_other_modules_and_the_table_use() -> None:
    assert timedelta(hours=1) == FAILING_AFTER
    assert (GONE, LOST) == ("gone", "lost")

"""The file of endpoints: what a user writes is what is meant, and what cannot be meant is named by its endpoint and key."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from sync.errors import ConfigurationError
from sync.webhooks.endpoint import Endpoint, SecretSource
from sync.webhooks.endpoints_file import KEYS, MOST, read_endpoints
from sync.webhooks.rules import PriceRule, Rules
from sync.webhooks.schedule import STEPS

MINIMAL = '[[endpoint]]\nname = "shop"\nurl = "https://example.com/hook"\nsecret_env = "SHOP"\n'


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        read_endpoints(text)
    assert raised.value.exit_code == 78
    return raised.value.problems


def test_an_empty_file_is_no_endpoints() -> None:
    assert read_endpoints("") == ()


def test_name_address_and_secret_are_enough() -> None:
    secret = (SecretSource("secret_env", "SHOP"),)
    assert read_endpoints(MINIMAL) == (Endpoint("shop", "https://example.com/hook", secret, Rules()),)


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


BAD = [
    ('name = "a b"', "number 1: name: expected 1 to 64"),
    ("name = 3", "number 1: name: expected"),
    ('url = "example.com"', "shop: url: expected a URL such as"),
    ('url = "http://example.com"', "shop: url: expected an https:// URL"),
    ('url = "http://127.0.0.2/"', "shop: url: expected an https:// URL"),
    ('url = "https://me:pw@example.com"', "shop: url: expected a URL without a user name"),
    ('url = "https://example.com/#x"', "shop: url: expected a URL without a fragment"),
    ('url = "https://169.254.169.254/latest"', "shop: url: expected a URL to another host"),
    ('url = "https://[fe80::1]/"', "shop: url: expected a URL to another host"),
    ('url = "https://[::ffff:169.254.1.1]/"', "shop: url: expected a URL to another host"),
    ('secret_env = "not a name"', "shop: secret_env: expected the name of an environment variable"),
    ('secret_env = ["A", "B", "C"]', "shop: secret_env: expected one secret, or two"),
    ("secret_env = []", "shop: secret_env: expected a text in quotes, or a list of two"),
    ('secret_file = "whsec_x"', "shop: secret_file: expected the name of a file"),
    ("kinds = []", "shop: kinds: expected a list of texts with at least one in it"),
    ('kinds = "added"', "shop: kinds: expected a list"),
    ('kinds = ["created"]', "shop: kinds: expected any of added, removed, changed, not 'created'"),
    ('fields = ["titel"]', "shop: fields: expected fields as `changes` shows them"),
    ("ids = [1]", "shop: ids: expected a list of texts"),
    ('tags = [""]', "shop: tags: expected a list of texts"),
    ('price_change = "10"', "shop: price_change: expected a share"),
    ("price_change = 10", "shop: price_change: expected a text in quotes"),
    ('breaking = "yes"', "shop: breaking: expected true or false"),
    ('per = "day"', "shop: per: expected one of change, run"),
    ('from = "now"', "shop: from: expected one of end, start"),
    ('kinds = ["added"]\nbreaking = true', "shop: kinds: added could never be told"),
    ('kinds = ["removed"]\nfields = ["title"]', "shop: kinds: removed could never be told"),
    (f'ids = ["{"1" * 256}"]', "shop: ids: expected texts of at most 255 characters: a longer one could never match"),
    (f'tags = ["{"x" * 256}"]', "shop: tags: expected texts of at most 255 characters"),
    ('tag = ["x"]', "shop: tag: no such key"),
    ('secret = "whsec_abcdefgh"', "shop: secret: no such key"),
]


@pytest.mark.parametrize(("lines", "said"), BAD, ids=[case[0] for case in BAD])
def test_what_cannot_be_meant_is_named_by_endpoint_and_key(lines: str, said: str) -> None:
    keys = [line.partition(" ")[0] for line in lines.splitlines()]
    kept = [line for line in MINIMAL.splitlines() if line.partition(" ")[0] not in keys]
    (problem,) = problems("\n".join([*kept, lines]))
    assert problem.startswith(f"SYNC_WEBHOOKS_FILE: endpoint {said}")
    assert "whsec_" not in problem
    assert "pw" not in problem


def test_all_problems_of_all_endpoints_are_told_at_once() -> None:
    found = problems('x = 1\n[[endpoint]]\nname = "a"\n[[endpoint]]\nname = "b"\nper = 1\n')
    assert [problem.removeprefix("SYNC_WEBHOOKS_FILE: ").partition(": ")[0] for problem in found] == [
        "x", "endpoint a", "endpoint a", "endpoint b", "endpoint b", "endpoint b",
    ]  # fmt: skip


def test_a_name_stands_for_one_endpoint() -> None:
    assert problems(MINIMAL * 2) == ["SYNC_WEBHOOKS_FILE: endpoint shop: name: given twice."]


def test_a_single_table_and_very_many_are_refused() -> None:
    assert "two pairs of brackets" in problems('[endpoint]\nname = "a"')[0]
    assert f"at most {MOST}" in problems("".join(MINIMAL.replace("shop", f"s{number}") for number in range(MOST + 1)))[0]


@pytest.mark.parametrize("text", ['url = "whsec_topsecret', "= 1", "a = 1\na = 2", "[" * 5000, "\x00", "a = " + "9" * 5000])
def test_what_is_no_toml_is_told_by_its_place_and_never_quoted(text: str) -> None:
    (problem,) = problems(text)
    assert problem.startswith("SYNC_WEBHOOKS_FILE: no TOML")
    assert "topsecret" not in problem


DOCUMENT = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()


def test_the_documents_example_is_one_and_its_table_has_every_key() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    assert [endpoint.name for endpoint in read_endpoints(example)] == ["shop", "price-watch"]
    table = DOCUMENT[DOCUMENT.index("| key | meaning |") : DOCUMENT.index("\n\nAll rules that are given")]
    named = {key for row in table.splitlines()[3:] for key in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
    assert named == set(KEYS)


def test_the_documents_waits_are_those_of_the_schedule() -> None:
    hours = ", ".join(f"{step / 3600:g} h" for step in STEPS[3:-1])
    assert f"again after {STEPS[0]:g} s, {STEPS[1] / 60:g} min, {STEPS[2] / 60:g} min, {hours}, then every 24 h" in DOCUMENT

"""Secrets are masked completely: literal, percent-encoded or with escapes of JSON; other text is kept."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal

import pytest

from sync.config.redaction import Redactor

SECRET = "canary"


@pytest.mark.parametrize(("text", "shown"), [
    ("canary", "[secret]"),                     # as long as a secret, no longer
    ("a canary, a canary.", "a [secret], a [secret]."),
    ("%63%61%6e%61%72%79%63%61%6E%61%72%79", "[secret][secret]"),
    ("k%63anary", "k[secret]"),
    ("k%63%41nary", "k%63%41nary"),             # another word: cAnary
    (r"k\u0063anary", "k[secret]"),
    (r"k\u0063\u0061\u006E\u0061\u0072\u0079", "k[secret]"),
])  # fmt: skip
def test_a_secret_is_masked_in_each_spelling(text: str, shown: str) -> None:
    assert Redactor([SECRET])(text) == shown


@pytest.mark.parametrize("text", [
    "", "canar", "Canary", "a line of 100 % and \\ and &#, with nothing in it",
    r"\U0063anary",   # not an escape of JSON
    "63616e617279", "Y2FuYXJ5", "&#99;anary", r"\x63anary",   # hexadecimal, base64, HTML and Python are not looked for
])  # fmt: skip
def test_other_text_is_kept(text: str) -> None:
    assert Redactor([SECRET])(text) == text


def test_a_password_of_five_characters_is_left_and_one_of_six_is_hidden() -> None:
    none = Redactor([])
    assert (none("canary"), none.body(b"canary"), none.value(["canary"])) == ("canary", b"canary", ["canary"])
    assert Redactor(["secret"])("my secret!") == "my [secret]!", "once"
    assert Redactor(["secret"]).value(["my secret!"]) == ["my [secret]!"]
    assert Redactor(["plain"])("a plain line") == "a plain line"
    assert Redactor(["plains"])("the plains") == "the [secret]"
    assert Redactor(["plain", SECRET])("a plain canary, canary") == "a plain [secret], [secret]"


@pytest.mark.parametrize("order", [["canary", "canary-bird"], ["canary-bird", "canary"]])
def test_of_two_secrets_with_the_same_beginning_the_longer_one_is_masked_completely(order: list[str]) -> None:
    assert Redactor(order)("canary-bird canary") == "[secret] [secret]"
    assert Redactor(order).body(b"canary-bird canary") == b"[secret] [secret]"


def test_each_of_several_secrets_is_found_in_escapes() -> None:
    assert Redactor([SECRET, "finch.7"])("%63anary finch%2E7 finchx7") == "[secret] [secret] finchx7"


@pytest.mark.parametrize(("secret", "body", "shown"), [
    ('q"uote/d', rb'{"k": "q\"uote/d"}', b'{"k": "[secret]"}'),
    ('q"uote/d', b"?k=q%22uote/d&", b"?k=[secret]&"),
    ('q"uote/d', b"?k=q%22uote%2Fd&", b"?k=[secret]&"),
    ("x/can ary", b"?k=x%2Fcan%20ary&", b"?k=[secret]&"),
    ("can\xe4ry", "<can\xe4ry>".encode(), b"<[secret]>"),
    ("can\xe4ry", rb"<can\u00e4ry>", b"<[secret]>"),
    ("can\xe4ry", b"<can%C3%A4ry>", b"<[secret]>"),
])  # fmt: skip
def test_secrets_are_removed_from_bytes_in_their_json_and_url_forms(secret: str, body: bytes, shown: bytes) -> None:
    assert Redactor([secret]).body(body) == shown


def test_a_number_is_not_a_secret_and_its_record_is_returned_unchanged() -> None:
    value = {"Id": 12345678, "Title": "x"}
    assert Redactor(["12345678"]).value(value) is value


def test_a_secret_that_is_not_utf_8_is_masked_as_bytes() -> None:
    """The environment gives such a byte as half a letter; a connection's error may quote either."""
    redactor = Redactor(["canary\udcff"])
    assert redactor("at u:canary\udcff@h") == "at u:[secret]@h"
    assert redactor("at u:canary%FF@h") == "at u:[secret]@h"
    assert redactor.body(b"canary\xff") == b"[secret]"


@pytest.mark.parametrize(("value", "shown"), [
    ("canary", "[secret]"), ("short", "short"), (12345678, 12345678), (None, None),
    ({"canary": 1}, {"[secret]": 1}),
    ({"x": [{"y": "canary"}]}, {"x": [{"y": "[secret]"}]}),
    (["%63anary"], ["[secret]"]),
    ({"x": {"%63anary": 1}}, {"x": {"[secret]": 1}}),
    ({"x": [r"%63\u0061nary"]}, {"x": ["[secret]"]}),
    (["short", ["finch.7"]], ["short", ["[secret]"]]),
    ({"a canary": ["canary", 7, None, True, "short", {"canary": "a canary"}], "b": 1.5},
     {"a [secret]": ["[secret]", 7, None, True, "short", {"[secret]": "a [secret]"}], "b": 1.5}),
    ({"Title": "a %63anary", "Tags": ["100 %", "%63%61x"], "Prices": [{"Credit": 1.5, "%63anary": "x"}]},
     {"Title": "a [secret]", "Tags": ["100 %", "%63%61x"], "Prices": [{"Credit": 1.5, "[secret]": "x"}]}),
    (["k\xe4fig-1"], ["[secret]"]),
    ({"half a letter \ud83d": 'q"uote\\d'}, {"half a letter \ud83d": "[secret]"}),
    ({"exact": Decimal("1e400"), "x": "canary"}, {"exact": Decimal("1e400"), "x": "[secret]"}),
])  # fmt: skip
def test_a_secret_is_found_in_each_position_of_a_value_and_other_values_are_kept(value: object, shown: object) -> None:
    before, redactor = deepcopy(value), Redactor([SECRET, "finch.7", 'q"uote\\d', "k\xe4fig-1"])
    assert redactor.value(value) == shown
    assert value == before
    assert redactor.value(shown) is shown


@pytest.mark.parametrize("text", [
    r'q\"uo\\te\u00e4😀', r"q%22uo%5cte%C3%a4%f0%9F%98%80", r"q\u0022uo\u005Cte\u00E4\ud83D\uDe00", r'q"uo\\te%c3%A4😀',
])  # fmt: skip
def test_each_character_of_a_secret_may_have_its_own_spelling(text: str) -> None:
    assert Redactor(['q"uo\\teä😀'])(f"<{text}>") == "<[secret]>"


def test_the_beginning_of_each_of_several_secrets_is_masked_in_a_truncated_text() -> None:
    redactor = Redactor(["canary-b", "finch.78"])
    assert [redactor.of_a_part(f"said: {part}") for part in ("finch.7", "canary-")] == ["said: [secret]"] * 2


@pytest.mark.parametrize("length", [6, 7, 20])
def test_the_beginning_of_a_secret_at_the_end_of_a_truncated_text_is_masked(length: int) -> None:
    key = "ak_0123456789abcdef012"
    part = key[:length]
    for spelled in (part, "".join(f"%{ord(char):02x}" for char in part), f"%61k%5F{part[3:]}"):
        assert Redactor([key]).of_a_part(f"It said: {spelled}") == "It said: [secret]"
    assert Redactor([key]).of_a_part("100 % of ak_01") == "100 % of ak_01"
    assert Redactor([key]).of_a_part(f"{key} and {part}, whole") == f"[secret] and {part}, whole"
    assert Redactor([key]).of_a_part(part) == "[secret]"
    assert Redactor([key]).of_a_part(f"{'x' * 99} {key[:-1]}") == f"{'x' * 99} [secret]"
    assert Redactor(["abababab-repeats"]).of_a_part("said: abababab") == "said: [secret]"  # from its first occurrence

"""Values of one field: the bytes of each, and what every engine stores of it, or the reason of its rejection."""
# ruff: noqa: E501 - a value is a line

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from sync.sandbox.server import SANDBOX_KEY as KEY
from tests.builders import record
from tests.hostile import Reply, Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.hostile import Script


@dataclass(frozen=True)
class Value:
    """One value of one field. `sent` is JSON as bytes or text; `stored` is JSON as text, `reason` that of a rejection."""

    name: str
    field: str
    sent: str | bytes
    stored: str = ""
    reason: str = ""


def text(name: str, sent: str, stored: str = "", **more: str) -> Value:
    """A title."""
    return Value(f"text: {name}", "Title", sent, stored or sent, **more)


def unknown(name: str, sent: str, stored: str = "") -> Value:
    """The value of a field called X."""
    return Value(f"unknown: {name}", "X", sent, f'{{"X": {stored or sent}}}')


def named(name: str, field: str, sent: str = "1", stored: str = "") -> Value:
    """An unknown field's name."""
    return Value(f"name: {name}", field, sent, stored or json.dumps({field: json.loads(sent)}, ensure_ascii=False))


def priced(credit: str, stored: str) -> Value:
    """A price."""
    sent = f'[{{"Resolution": "1p", "Credit": {credit}}}]'
    return Value(f"price: {credit[:24]}", "ConsumeItems", sent, f'[{{"resolution": "1p", "credit": {stored}}}]')


def bad(name: str, field: str, sent: str | bytes, reason: str) -> Value:
    """A value whose record is rejected."""
    return Value(f"bad: {name}", field, sent, reason=reason)


def bad_price(name: str, sent: str, reason: str) -> Value:
    """A price whose record is rejected."""
    return bad(f"price: {name}", "ConsumeItems", f'[{{"Resolution": "1p", "Credit": {sent}}}]', reason)


def nested(levels: int, inner: str = "1") -> str:
    """Nest lists and objects in turn."""
    for level in reversed(range(levels)):
        inner = f'{{"a": {inner}}}' if level % 2 else f"[{inner}]"
    return inner


PAGE = 50
"""Records on a page."""


def key_of(value: Value, place: int) -> str:
    """Return the id of the record with this value; `place` is the index of the value in its table."""
    return str(json.loads(value.sent)) if value.field == "TemplateId" and value.stored else f"v{place:03}"


def as_sent(value: Value, place: int) -> bytes:
    """Write the record of one value, as sent."""
    plain = {"ConsumeItems": [], "SupportAspectRatio": None, "Tags": ["x", "x"], "Tags_en": ["x", "x"], "MediaId": None}
    whole = json.dumps(record(key_of(value, place), **{**plain, value.field: ...})).encode()
    sent = value.sent if isinstance(value.sent, bytes) else value.sent.encode()
    return whole[:-1] + b', "%s": %s}' % (value.field.replace('"', '\\"').replace("\x1b", "\\u001b").encode(), sent)


COLUMNS = {
    "TemplateId": "template_id", "Title": "title", "Cover": "cover_url", "SupportAspectRatio": "aspect_ratios",
    "Duration": "duration_ms", "InputNum": "input_num", "ReleaseOnlineTime": "released_at", "ConsumeItems": "consume_items",
    "Tags": "tags",
}  # fmt: skip


def serving(values: Sequence[Value]) -> Script:
    """Serve the records of these values, byte for byte."""
    records = [as_sent(value, place) for place, value in enumerate(values)]

    def script(request: Request) -> Reply:
        start = (request.page - 1) * PAGE
        some = b", ".join(records[start : start + PAGE]) if request.page else b""
        return Reply(b'{"code": 200, "message": "success", "data": {"total": %d, "templates": [%s]}}' % (len(records), some))

    return script


# fmt: off
ESCAPED = "".join(f"\\u{ord(char):04X}" for char in KEY)
PERCENT = "".join(f"%{ord(char):02x}" for char in KEY)
TEXTS = [
    text("nothing", '""'),
    text("null", "null"),
    text("a trailing space", '"a "'),
    text("only spaces", '"   "'),
    text("emoji as it is", '"🔥👩‍👩‍👧"'),
    text("emoji in escapes", '"\\ud83d\\ude00"', '"😀"'),
    text("accents composed", '"\\u00e9"', '"é"'),
    text("accents decomposed", '"e\\u0301"', '"e\u0301"'),
    text("the last code point", '"\\udbff\\udfff"', '"\U0010ffff"'),
    text("a noncharacter", '"\\uffff"', '"\uffff"'),
    text("the program's own marks for colours", '"\\ufdd2red\\ufdd0"', '"\ufdd2red\ufdd0"'),
    text("a byte order mark", '"\\ufeffa"', '"\ufeffa"'),
    text("an escape sequence", '"\\u001b[2J\\u0007"'),
    text("an escape of eight bits", '"\\u009b2J"'),
    text("delete", '"\\u007f"'),
    text("right to left", '"\\u202eabc\\u2066"'),
    text("a line separator", '"\\u2028"'),
    text("line ends", '"a\\r\\nb\\tc"'),
    text("quotes and backslashes", '"\\"\\\\\'`"'),
    text("SQL", '"\'); DROP TABLE templates; --"'),
    text("placeholders", '"%s %(x)s :x ? {0} {x} $1 \\\\N"'),
    text("markup", '"<script>alert(1)</script>&amp;"'),
    text("a formula", '"=HYPERLINK(1)"'),
    text("2,000 characters", json.dumps("x" * 2000)),
    text("2,000 emoji", json.dumps("😀" * 2000, ensure_ascii=False)),
    Value("text: a script as an address", "Cover", '"javascript:alert(1)"', '"javascript:alert(1)"'),
    Value("text: an address of 8,000 characters", "Cover", json.dumps("https://x/" + "a" * 7990), json.dumps("https://x/" + "a" * 7990)),
    Value("text: ratios with spaces and doubles", "SupportAspectRatio", '" 9:16 , 1:1,,9:16 "', '["9:16", "1:1"]'),
    Value("text: no ratio", "SupportAspectRatio", '" , "', "[]"),
]
IDS = [
    Value(f"id: {sent}", "TemplateId", sent, stored or sent)
    for sent, stored in (
        ('"a"', ""), ('"A"', ""), ('"a "', ""), ('" a"', ""), ('"\\u00e9"', '"é"'), ('"e\\u0301"', '"e\u0301"'), ('"ß"', ""), ('"ss"', ""),
        ('"0"', ""), ('"00"', ""), ('"-0"', ""), ('"1e3"', ""), ('"null"', ""), ('"%"', ""), ('"_"', ""), ('"../../etc/passwd"', ""),
        ('"\'; --"', ""), ('"\\u0001"', ""), ('"\\u202e"', ""), ('"__proto__"', ""), ('"😀"', ""), (json.dumps("i" * 255), ""),
    )
]
NUMBERS = [
    Value("number: a duration of 0", "Duration", "0", "0"),
    Value("number: a duration with an exponent", "Duration", "1e3", "1000"),
    Value("number: a duration with a point", "Duration", "10123.000", "10123"),
    Value("number: the longest duration", "Duration", "1000000000000", "1000000000000"),
    Value("number: minus zero", "Duration", "-0", "0"),
    Value("number: most images", "InputNum", "1000000", "1000000"),
    Value("number: the earliest time", "ReleaseOnlineTime", "0", '"1970-01-01T00:00:00Z"'),
    Value("number: the latest time", "ReleaseOnlineTime", "253402300799", '"9999-12-31T23:59:59Z"'),
    *(
        priced(sent, stored)
        for sent, stored in (
            ("0", "0"), ("-0", "0"), ("-0.0", "0"), ("0.1", "0.1"), ("1e2", "100"), ("1.10", "1.1"), ("0.30000000000000", "0.3"),
            ("999999999999999", "999999999999999"), ("123456789.012345", "123456789.012345"), ("1e-15", "1e-15"), ("0e999999999", "0"),
        )
    ),
    *(
        unknown(sent[:24], sent, stored)
        for sent, stored in (
            ("123456789012345678.5", "123456789012345680"), ("9007199254740993", ""), ("1.0", "1"), ("-0.0", "0"), ("3.0e2", "300"),
            ("1e22", "1" + "0" * 22), ("1e50", "1" + "0" * 50), ("0.1", ""), ("0.30000000000000004", ""), ("1234567890.123456789", "1234567890.1234567"),
            ("5e-324", ""), ("1e-400", "0"), ("-1e-10", ""), ("123456789012345678901234567890", ""),
        )
    ),
]
UNKNOWN = [
    unknown("null", "null"),
    unknown("true", "true"),
    unknown("an empty list", "[]"),
    unknown("an empty object", "{}"),
    unknown("20 levels", nested(20)),
    unknown("keys that differ by case", '{"a": 1, "A": 2}', '{"A": 2, "a": 1}'),
    unknown("keys in another order", '{"b": 1, "a": {"d": 1, "c": 2}}', '{"a": {"c": 2, "d": 1}, "b": 1}'),
    unknown("an empty key", '{"": 1}'),
    unknown("60 KB", json.dumps("x" * 60_000)),
    named("nothing", ""),
    named("a space", " "),
    named("a path", "$.a[0].*"),
    named("a quote", 'a"b'),
    named("an escape", "\x1b[2J", stored='{"\\u001b[2J": 1}'),
    named("another case of a known one", "templateid", '"x"'),
    named("the column of unknown fields", "extra"),
    named("emoji", "😀"),
    named("200 characters", "n" * 200),
    named("an attribute of Python", "__class__"),
    Value("name: in a price, 19 levels", "ConsumeItems", f'[{{"Resolution": "1p", "Credit": 1, "z": {nested(19)}}}]', f'{{"ConsumeItems.z": {{"1p": {nested(19)}}}}}'),
    Value("tags: doubles", "Tags", '["a", "a"]', '[{"name": "a", "name_en": "x"}]'),
    Value("tags: two cases", "Tags", '["a", "A"]', '[{"name": "a", "name_en": "x"}, {"name": "A", "name_en": "x"}]'),
    Value("tags: with and without a space", "Tags", '["b", "b "]', '[{"name": "b", "name_en": "x"}, {"name": "b ", "name_en": "x"}]'),
    Value("tags: empty", "Tags", '["", "a"]', '[{"name": "", "name_en": "x"}, {"name": "a", "name_en": "x"}]'),
]
SECRETS = [
    Value(f"secret: {how}", "Title", f'"for {sent}."', '"for [secret]."')
    for how, sent in (
        ("as it is", KEY),
        ("a letter escaped", KEY.replace("_", "\\u005f")),
        ("a letter escaped in capitals", KEY.replace("_", "\\u005F")),
        ("all escaped", ESCAPED),
        ("for a URL", quote(KEY, safe="")),
        ("all in percent", PERCENT),
        ("all in percent, in capitals", PERCENT.upper()),
        ("a letter in percent", KEY.replace("_", "%5F")),
    )
] + [
    Value("secret: as a name", "for " + KEY.replace("_", "\\u005f"), "1", '{"for [secret]": 1}'),
    Value("secret: as a key", "X", f'{{"{ESCAPED}": ["{ESCAPED}"]}}', '{"X": {"[secret]": ["[secret]"]}}'),
]

GOOD = [*TEXTS, *IDS, *NUMBERS, *UNKNOWN, *SECRETS]


NUL, HALF = "holds a NUL character", "holds bytes that are not UTF-8, or half a surrogate pair"
BAD = [
    bad("a title that is a number", "Title", "5", "Title must be a string, not a number"),
    bad("a title that is a list with the key", "Title", f'["{ESCAPED}", "{KEY}"]', "Title must be a string, not a list"),
    bad("a title of 2,001 characters", "Title", json.dumps("x" * 2001), "Title has 2001 characters, more than 2000"),
    bad("NUL in a title", "Title", '"a\\u0000"', f"Title {NUL}"),
    bad("half a pair in a title", "Title", '"\\ud800"', f"Title {HALF}"),
    bad("Latin-1 in a title", "Title", b'"\xe9"', f"Title {HALF}"),
    bad("an overlong NUL in a title", "Title", b'"\xc0\x80"', f"Title {HALF}"),
    bad("an empty id", "TemplateId", '""', "TemplateId is missing or empty"),
    bad("an id that is null", "TemplateId", "null", "TemplateId is missing or empty"),
    bad("an id that is a list", "TemplateId", '["1"]', "TemplateId must be a string, not a list"),
    bad("an id of 256 characters", "TemplateId", json.dumps("i" * 256), "TemplateId has 256 characters, more than 255"),
    bad("NUL in an id", "TemplateId", '"a\\u0000"', f"TemplateId {NUL}"),
    bad("half a pair in an id", "TemplateId", '"\\udfff"', f"TemplateId {HALF}"),
    bad("a negative duration", "Duration", "-1", "Duration must be from 0 to 1000000000000"),
    bad("half a millisecond", "Duration", "1.5", "Duration must be a whole number"),
    bad("a duration that is a string", "Duration", '"1"', "Duration must be a number, not a string"),
    bad("a duration that is true", "Duration", "true", "Duration must be a number, not a boolean"),
    bad("a duration of 10^12 + 1", "Duration", "1000000000001", "Duration must be from 0 to 1000000000000"),
    bad("a duration of 10^15", "Duration", "1e15", "Duration must be from 0 to 1000000000000"),
    bad("a duration with a huge exponent", "Duration", "1e999999999999999999999", "Duration must be a whole number"),
    bad("a duration of 5,000 digits", "Duration", "9" * 5000, "Duration must be a whole number"),
    bad("NaN as a duration", "Duration", "NaN", "Duration must be a whole number"),
    bad("a million and one images", "InputNum", "1000001", "InputNum must be from 0 to 1000000"),
    bad("a time after the year 9999", "ReleaseOnlineTime", "253402300800", "ReleaseOnlineTime must be from 0 to 253402300799"),
    bad_price("negative", "-1", "Credit is negative"),
    bad_price("NaN", "NaN", "Credit is not a finite number"),
    bad_price("infinite", "-Infinity", "Credit is not a finite number"),
    bad_price("a string", '"1"', "Credit must be a number, not a string"),
    bad_price("null", "null", "Credit must be a number, not null"),
    bad_price("true", "true", "Credit must be a number, not a boolean"),
    bad_price("16 digits", "0.1234567890123456", "Credit has more than 15 digits"),
    bad_price("16 digits, near one with 13", "1.2345678901230001", "Credit has more than 15 digits"),
    bad_price("18 digits, near one with 4", "133.200000000000017", "Credit has more than 15 digits"),
    bad_price("10^15", "1e15", "Credit has more than 15 digits"),
    bad_price("10^-16", "1e-16", "Credit has more than 15 digits"),
    bad_price("41 digits, the last not 0", f"1.{'0' * 39}1", "Credit has more than 15 digits"),
    bad_price("10^-99999999", "1e-99999999", "Credit has more than 15 digits"),
    bad_price("10^-999999", "1e-999999", "Credit has more than 15 digits"),
    bad_price("10^999999999", "1e999999999", "Credit has more than 15 digits"),
    bad("prices that are an object", "ConsumeItems", "{}", "ConsumeItems must be a list, not an object"),
    bad("a price that is null", "ConsumeItems", "[null]", "ConsumeItems must hold objects, not null"),
    bad("a price without a resolution", "ConsumeItems", '[{"Credit": 1}]', "an item of ConsumeItems has no Resolution"),
    bad("a price with an empty resolution", "ConsumeItems", '[{"Resolution": "", "Credit": 1}]', "an item of ConsumeItems has no Resolution"),
    bad("a resolution that is a number", "ConsumeItems", '[{"Resolution": 5}]', "Resolution must be a string, not a number"),
    bad("a resolution of 65 characters", "ConsumeItems", json.dumps([{"Resolution": "r" * 65}]), "Resolution has 65 characters, more than 64"),
    bad("a resolution twice", "ConsumeItems", '[{"Resolution": "a", "Credit": 1}, {"Resolution": "a", "Credit": 1}]', "ConsumeItems has the resolution 'a' twice"),
    bad("1,001 prices", "ConsumeItems", f"[{','.join(['{}'] * 1001)}]", "ConsumeItems has 1001 items, more than 1000"),
    bad("tags that are a string", "Tags", '"a"', "Tags must be a list, not a string"),
    bad("a tag that is a number", "Tags", "[1, 2]", "Tags must be a string, not a number"),
    bad("a tag of 256 characters", "Tags", json.dumps(["t" * 256, "a"]), "Tags has 256 characters, more than 255"),
    bad("tags of unequal length", "Tags", '["a"]', "Tags has 1 items, Tags_en 2"),
    bad("a null tag", "Tags", '[null, "a"]', "Tags must be a string, not null"),
    bad("ratios that are a number", "SupportAspectRatio", "1", "SupportAspectRatio must be a string, not a number"),
    bad("a ratio of 65 characters", "SupportAspectRatio", json.dumps("9" * 65), "SupportAspectRatio holds a ratio of more than 64 characters"),
    bad("21 levels", "X", nested(21), "'X' is nested deeper than 20 levels"),
    bad("30 levels", "X", nested(30), "'X' is nested deeper than 20 levels"),
    bad("29 levels in a price", "ConsumeItems", f'[{{"Resolution": "a", "Credit": 1, "z": {nested(29)}}}]', "'z' is nested deeper than 20 levels"),
    bad("20,000 levels", "X", "[" * 20_000 + "]" * 20_000, "'X' is nested deeper than 20 levels"),
    bad("a number of 10^51", "X", "1e51", "'X' holds a number that is not finite or is too large"),
    bad("an infinite number", "X", "[Infinity]", "'X' holds a number that is not finite or is too large"),
    bad("NUL in an unknown value", "X", '["\\u0000"]', f"'X' {NUL}"),
    bad("NUL in an unknown key", "X", '{"\\u0000": 1}', f"'X' {NUL}"),
    bad("half a pair in an unknown value", "X", '{"a": "\\ud800"}', f"'X' {HALF}"),
    bad("NUL in a field's name", "a\\u0000", "1", f"a field's name {NUL}"),
    bad("a field's name of 201 characters", "n" * 201, "1", "a field's name has 201 characters, more than 200"),
    bad("70 KB of an unknown value", "X", json.dumps("x" * 70_000), "its unknown fields take more than 65536 characters"),
    bad("two unknown fields of one name", "ConsumeItems", '[{"Resolution": "1p", "Credit": 1, "Unit": 1}], "ConsumeItems.Unit": 1', "two unknown fields have the same name"),
    bad("300 KB", "X", json.dumps("x" * 300_000), "it has more than 262144 bytes"),
    bad("200 more fields", "X", "1, " + ", ".join(f'"{number}": 1' for number in range(200)), "it has 218 fields, more than 200"),
    bad("980 names of 2,000 characters", "X", "1, " + ", ".join(f'"{number:03}{"n" * 1997}": 1' for number in range(980)), "it has more than 262144 bytes"),
]

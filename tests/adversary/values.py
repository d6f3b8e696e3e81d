"""Values that a record may hold, and what each engine stores of them, to the byte.

Each line is one template of one catalog: the field, its JSON exactly as sent, and the JSON that `export` gives, which is the same
on every engine.
"""
# ruff: noqa: E501 - a value is a line

from __future__ import annotations

import json
from urllib.parse import quote

from sync.sandbox.server import SANDBOX_KEY as KEY
from tests.adversary.value import Value, named, nested, priced, text, unknown

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
    text("our own marks for colours", '"\\ufdd2red\\ufdd0"', '"\ufdd2red\ufdd0"'),
    text("a byte order mark", '"\\ufeffa"', '"\ufeffa"'),
    text("a terminal's escape", '"\\u001b[2J\\u0007"'),
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
    Value("number: minus nothing", "Duration", "-0", "0"),
    Value("number: most images", "InputNum", "1000000", "1000000"),
    Value("number: the beginning of time", "ReleaseOnlineTime", "0", '"1970-01-01T00:00:00Z"'),
    Value("number: the end of time", "ReleaseOnlineTime", "253402300799", '"9999-12-31T23:59:59Z"'),
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
    named("ours", "extra"),
    named("emoji", "😀"),
    named("200 characters", "n" * 200),
    named("a class's own", "__class__"),
    Value("name: in a price, 19 levels", "ConsumeItems", f'[{{"Resolution": "1p", "Credit": 1, "z": {nested(19)}}}]', f'{{"ConsumeItems.z": {{"1p": {nested(19)}}}}}'),
    Value("tags: doubles", "Tags", '["a", "a"]', '[{"name": "a", "name_en": "x"}]'),
    Value("tags: told apart", "Tags", '["a", "A"]', '[{"name": "a", "name_en": "x"}, {"name": "A", "name_en": "x"}]'),
    Value("tags: told apart by a space", "Tags", '["b", "b "]', '[{"name": "b", "name_en": "x"}, {"name": "b ", "name_en": "x"}]'),
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

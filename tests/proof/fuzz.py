"""Each parser accepts or refuses any bytes with its own errors; both parsers of a response agree.

    python -m tests.proof.fuzz --seconds 120                    # each target, one after the other
    python -m tests.proof.fuzz --only records --seconds 600 --seed 7

Each input is a valid one with a few random mutations from a seed. A failure is printed with its seed, target and input, and
ends the command with 1.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from sync.catalog.document import canonical
from sync.catalog.json_values import decode_json
from sync.catalog.parsing import parse_record
from sync.client.response import Envelope, classify_response, read_envelope
from sync.commands.form import read_json
from sync.commands.listing import FEED_POSITION, POINT_IN_TIME
from sync.config.load_settings import load
from sync.config.settings import OPTIONS
from sync.errors import ConfigurationError, InvalidResponse, SyncError, UsageError
from sync.forms.form import Form
from sync.reader.feed import parse_position as read_position
from sync.sandbox.catalog import make_catalog
from sync.webhooks.configuration import read_endpoints
from tests.builders import SEED_PAGE, record
from tests.catalog.runs import new_parser

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync.catalog.served_records import RecordParser, ServedRecord

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TOKENS = (
    b"", b" ", b"\n", b"\r", b"\t", b",", b":", b"[", b"]", b"{", b"}", b'"', b"'", b"\\", b"=", b"#", b"%", b"-", b"+", b".",
    b"/", b"@", b"0", b"-0", b"-0.0", b"1e400", b"1E-400", b"0.1", b"1.", b"01", b"9" * 20, b"9" * 120, b"9" * 5000, b"NaN",
    b"Infinity", b"null", b"true", b'"x": 1, "x": 2, ', b'"TemplateId": "1", ', b'"templates": [], ', b'"total": 7, ',
    b'"code": 200, ', b'"data": {}, ', b"[]", b"{}", b"\x00", b"\x1b[2J", b"\x7f", b"\x85", b"\xff", b"\xe9", b"\xed\xa0\xbd",
    b"\xef\xbb\xbf", b"\xf0\x9f\x98\x80", b"\xe2\x80\xa8", b"\xd9\xa3", rb"\ud83d", rb"\ud83d\ude00", rb"\u0000", rb"\u0061",
    rb"\U0010ffff", rb"\q", b"[" * 70, b"[" * 3000, b"[" * 70 + b"]" * 70, b'{"x": ' * 70, b"0001-01-01",
    b"9999-12-31T23:59:59-23:59", b"T24:00", b"Z", b"+25:00", b"1979-05-27T07:32:00Z", b"2026-W53-7", b"[[endpoint]]",
    b"[endpoint]", b'"""', b"'''", b"inf", b"0x", b"https://", b"user:pass@", b"[::1]", b":99999", b"?a=%ff", b"file:///",
    b"1_000",
)  # fmt: skip
"""Tokens that are special for one of the parsers, and parts of their inputs."""

CURSORS = (b"0", b"17", b"0123456789ab-17-0123456789abcdef01234567")
MOMENTS = (b"17", b"2026-11-17", b"2026-11-17T10:00Z", b"2026-11-17T10:00:00.123456+05:30", b"20261117T10Z")
ENDPOINTS = b"""[[endpoint]]
name = "shop"
url = "https://example.com/hooks/templates"
secret_env = ["SHOP_HOOK_SECRET", "OLD"]
kinds = ["added", "removed", "changed"]
tags = ["Festival", "\\u70ed\\u95e8"]
fields = ["title", "consume_items.720p"]
price_change = "10%"
breaking = true
per = "change"

[[endpoint]]
name = "other"
url = "http://127.0.0.1:8080/?x=1"
secret_file = "other.secret"
enabled = false
"""
VALUES = (
    b"15m", b"10", b"10%", b"0.5", b"*/5 * * * *", b"Europe/Berlin", b"https://api.crun.ai", b"sqlite:///a.db",
    b"ak_Key0123456789", b"postgresql://u:p@h:5432,i:5433/d?sslmode=require", b"mariadb+pymysql://u@h/d",
    b"http://u:p@127.0.0.1:3128", b"json", b"127.0.0.1",
)  # fmt: skip
INPUT = b'{"template_id": "1", "img_urls": ["https://example.com/1.jpeg"], "resolution": "720p"}'


def mutated(good: bytes, rng: random.Random) -> bytes:
    """Mutate bytes a few times: move or repeat a part, insert a token, or flip a bit."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5))):
        start = rng.randrange(len(good) + 1)
        end = min(len(good), start + int(rng.expovariate(0.1)))
        middle = good[start:end]
        bit = bytes([good[start] ^ 1 << rng.randrange(8)]) + good[start + 1 : end] if start < end else b"\x00"
        other = rng.randrange(len(good) + 1)
        token, elsewhere = rng.choice(TOKENS), good[other : other + 40]
        piece = rng.choice((token, token, b"", middle * 2, middle[::-1], bit, elsewhere))
        good = good[:start] + piece + (good[end:] if rng.random() < 0.5 else good[start:])
    return good


# Targets: each gets a random generator and returns an input with a function that must not raise -------------------------


@cache
def pages() -> tuple[bytes, ...]:
    """Return valid pages: the documented response, and sample records in other notations of JSON."""
    sample = [{"code": 200, "message": "success", "data": {"total": 3, "templates": make_catalog(3, seed)}} for seed in range(3)]
    written = [json.dumps(page, ensure_ascii=bool(number % 2), indent=number or None) for number, page in enumerate(sample)]
    refusal = b'{"code": 455, "message": "no", "errors": ["a"], "data": null}'
    return SEED_PAGE.read_bytes(), *(each.encode() for each in written), refusal


@cache
def raw_records() -> tuple[bytes, ...]:
    """Return records: documented ones, and ones that only the lenient parser accepts."""
    some = [record(), record(Title='a "b" c'), record(Later={"x": [1, {"y": None}]}), record(Tags_en=...), *make_catalog(4, 1)]
    return tuple(json.dumps(each, ensure_ascii=bool(number % 2)).encode() for number, each in enumerate(some))


def judge_page(body: bytes) -> None:
    """Require an envelope or an error of this program, and records that are valid or rejected and can be stored."""
    parsers_agree(body)
    _code, judged = classify_response(200, {}, body, NOW)
    if not isinstance(judged, Envelope):
        assert isinstance(judged, SyncError)
        str(judged).encode()
        return
    parser = new_parser()
    for served in parser.parse_page(1, judged.records or [], exact=judged.exact):
        stored(parser, served)


MARK = b"\xef\xbb\xbf"
"""In front of a body it selects the other parser, which must give the same result."""


def shown(body: bytes) -> tuple[Any, ...] | str:
    """Parse a body; return its parts, each record decoded, or the code of the error."""
    try:
        answer = read_envelope(body)
    except InvalidResponse as error:
        return error.code
    records = None if answer.records is None else [repr(decode_json(raw)) for raw in answer.records]
    return (answer.code, answer.message, answer.total, records)


def parsers_agree(body: bytes) -> None:
    """Require that both parsers give the same result; msgspec does not validate the values that it skips."""
    if not body.startswith(MARK):
        assert shown(MARK + body) in (shown(body), "not-json")


def judge_record(raw: bytes) -> None:
    """Require that a JSON record is valid, or rejected with a reason."""
    parser = new_parser()
    try:
        json.loads(raw)
    except (ValueError, RecursionError):
        return  # an envelope contains only valid JSON
    (served,) = parser.parse_page(1, [raw])
    stored(parser, served)


def stored(parser: RecordParser, served: ServedRecord) -> None:
    """Require that the document or the reason of a record is UTF-8, so that it can be stored."""
    if served.reason is not None:
        assert served.reason
        served.reason.encode()
    else:
        text = canonical(parser.document(served))
        assert "\\u0000" not in text.replace("\\\\", ""), "no database stores NUL"
        text.encode()


def judge_settings(value: bytes, rng: random.Random) -> None:
    """Require that settings are loaded, or all problems are reported."""
    text = value.decode("utf-8", "surrogateescape")
    option = rng.choice(OPTIONS)
    by_flag = not option.secret and rng.random() < 0.5
    try:
        load({option.field: text} if by_flag else {}, {} if by_flag else {option.variable: text}, None)
    except ConfigurationError as error:
        str(error.problems).encode("utf-8", "backslashreplace")


def judge_cursor(value: bytes) -> None:
    """Require that a cursor is refused, or has the same text after parsing."""
    text = value.decode("utf-8", "surrogateescape")
    if not refused(FEED_POSITION, text):
        found = read_position(text)
        assert found is not None
        assert not found.epoch or str(found) == text
        assert found.seq < 2**63


def judge_moment(value: bytes) -> None:
    """Require that a point in time is a run, a time in UTC, or refused."""
    text = value.decode("utf-8", "surrogateescape")
    if not refused(POINT_IN_TIME, text):
        found = POINT_IN_TIME.convert(text, None, None)
        assert isinstance(found, int) or found.tzinfo is UTC


def refused(kind: click.ParamType[Any], text: str) -> bool:
    """Return whether the command line refuses a value."""
    try:
        kind.convert(text, None, None)
    except click.BadParameter as error:
        str(error).encode("utf-8", "backslashreplace")
        return True
    return False


def judge_endpoints(value: bytes) -> None:
    """Require that a file of endpoints is read, or all problems are reported without the text of a secret."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return  # refused by the reader of the file
    try:
        read_endpoints(text)
    except ConfigurationError as error:
        str(error.problems).encode()


def judge_input(value: bytes) -> None:
    """Require that an input is valid, or each problem is one printable line."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(value)
        file.flush()
        _judge_file(file.name)


def _judge_file(name: str) -> None:
    try:
        given = read_json(name)
    except UsageError as error:
        str(error).encode()
        return
    form = Form(parse_record(decode_json(raw_records()[0])))
    for problem in form.validate(given):
        assert str(problem).isprintable(), problem


TARGETS: dict[str, tuple[Callable[[], tuple[bytes, ...]], Callable[..., None]]] = {
    "pages": (pages, judge_page),
    "records": (raw_records, judge_record),
    "settings": (lambda: VALUES, judge_settings),
    "cursors": (lambda: CURSORS, judge_cursor),
    "moments": (lambda: MOMENTS, judge_moment),
    "endpoints": (lambda: (ENDPOINTS,), judge_endpoints),
    "inputs": (lambda: (INPUT,), judge_input),
}


class Found(Exception):
    """An input that a parser does not handle, with the seed and the target."""


def fuzz(target: str, seconds: float, seed: int) -> int:
    """Fuzz one target for some seconds; return the number of inputs.

    Raises:
        Found: a failure.
    """
    goods, judge = TARGETS[target]
    rng = random.Random(seed)  # noqa: S311 - not for secrets
    ends, count = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        given = mutated(rng.choice(goods()), rng)
        count += 1
        try:
            if judge is judge_settings:
                judge(given, rng)
            else:
                judge(given)
        except Exception as surprise:
            raise Found(f"{target}, seed {seed}, input {count}: {type(surprise).__name__}: {surprise}\n{given!r}") from surprise
    return count


def main() -> None:
    """Fuzz each target, and print how many inputs it took."""
    parser = argparse.ArgumentParser(description="Throw damaged inputs at every reader.")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each target")
    parser.add_argument("--only", choices=TARGETS, action="append")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    for target in options.only or TARGETS:
        try:
            count = fuzz(target, options.seconds, options.seed)
        except Found as found:
            sys.exit(f"{found}")
        print(f"{target:10} {count:9,} inputs in {options.seconds:.0f} s, seed {options.seed}: no failure", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()

"""Parameters that several commands take (ids, numbers, cursors, times, -n, --as-of), and the report of unknown words."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sync.catalog.fields import BOUNDS, storage_flaw
from sync.commands.base import now

if TYPE_CHECKING:
    from collections.abc import Callable

    FC = TypeVar("FC", bound="Callable[..., Any] | click.Command")

    from sqlalchemy import Engine

    from sync.catalog.selection import Selection
    from sync.commands.output import Output


T = TypeVar("T")


class Parsed(click.ParamType[T]):
    """A parameter whose text a function parses; its ValueError is the message, or part of it: `{error}`, beside `{text}`."""

    name = "text"

    def __init__(self, parse: Callable[[str], T], message: str = "{error}") -> None:
        self._parse, self._message = parse, message

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> T:
        """Parse the text."""
        try:
            return self._parse(str(value))
        except ValueError as error:
            self.fail(self._message.format(error=error, text=str(value)[:80]), param, ctx)


def whole_number(minimum: int, maximum: int = 2**31 - 1) -> Parsed[int]:
    """Make the type of a whole number within bounds; the error message names the bounds, the help does not."""

    def parse(text: str) -> int:
        # The pattern limits the digits, because parsing thousands of them is slow.
        number = int(text) if re.fullmatch(r"-?[0-9]{1,19}", text) else None
        if number is None or not minimum <= number <= maximum:
            above = re.fullmatch("[0-9]+", text) if number is None else number > maximum
            bounds = f"from {minimum} to {maximum}" if above else f"from {minimum} on"
            raise ValueError(f"a whole number {bounds}, not {text[:80]}.")
        return number

    return Parsed(parse)


NUMBER = whole_number(0, 2**63 - 1)
"""The number of a run: a 64-bit integer in every database."""


def _template_id(text: str) -> str:
    if not text or len(text) > BOUNDS["TemplateId"]:
        raise ValueError(f"an id has 1 to {BOUNDS['TemplateId']} characters, this one has {len(text)}.")
    if flaw := storage_flaw(text):
        raise ValueError(f"an id cannot hold {flaw}.")
    return text


def _feed_position(text: str) -> str:
    from sync.reader.feed import check_position

    check_position(text)
    return text


def _point_in_time(text: str) -> int | datetime:
    """Parse the number of a run, a date and time with a zone, or a date, which means 00:00 UTC of that day."""
    if text.isascii() and text.isdigit():
        return NUMBER.convert(text, None, None)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:80]!r} is neither a run nor a date such as 2026-11-17 or 2026-11-17T10:00Z.") from None
    if len(text) > len("2026-11-17"):  # ambiguous
        raise ValueError(f"{text[:80]!r} has no time zone; write 2026-11-17T10:00Z, or a date alone.")
    return moment.replace(tzinfo=UTC)


TEMPLATE_ID = Parsed(_template_id)
FEED_POSITION = Parsed(_feed_position, "{text!r} is neither a seq nor a cursor of the feed.")
POINT_IN_TIME = Parsed(_point_in_time)

AS_OF = click.option(
    "--as-of", type=POINT_IN_TIME, metavar="RUN|INSTANT",
    help="The catalog after this run, or at this time: 2026-11-17T10:00Z, or 2026-11-17 for 00:00 UTC. A run takes effect when "
    "it ends.",
)  # fmt: skip
"""The option of every command that shows the past."""


def limit(help_text: str, *more_names: str) -> Callable[[FC], FC]:
    """Make the option `-n`/`--limit` of a listing; the help names the rows that are kept and the default."""
    return click.option("-n", "--limit", *more_names, "limit", type=whole_number(0), metavar="N", help=help_text)


def find_run(engine: Engine, as_of: int | datetime | None) -> int | None:
    """Return the run after which the catalog was as `--as-of` requests; None for the present."""
    if as_of is None:
        return None
    from sync.reader.past import run_of

    return run_of(engine, as_of, now())


def report_unknown_words(out: Output, engine: Engine, wanted: Selection) -> None:
    """Print, for an empty result, each filter value that no template ever had, with similar values that exist."""
    from sync.reader.catalog import unknown_filter_values

    for name, word, near in unknown_filter_values(engine, wanted):
        others = f"`template-sync {name}s` shows all." if name in {"tag", "type"} else ""
        similar = f"; did you mean {' or '.join(map(repr, near))}?" if near else f". {others}".rstrip()
        out.message(f"No template has the {name} {word!r}{similar}")

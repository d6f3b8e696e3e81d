"""Parameters that several commands take (ids, numbers, cursors, times, -n, --as-of), and the report of unknown words."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from sync.catalog.fields import BOUNDS, storage_flaw
from sync.commands.base import now

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    FC = TypeVar("FC", bound="Callable[..., Any] | click.Command")

    from sqlalchemy import Engine

    from sync.catalog.selection import Selection
    from sync.commands.output import Output


class WholeNumber(click.ParamType[int]):
    """A whole number within bounds; the error message names the bounds, the help does not."""

    name = "n"

    def __init__(self, minimum: int, maximum: int = 2**31 - 1) -> None:
        self.minimum = minimum
        self.maximum = maximum

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse a number; the pattern limits the digits, because parsing thousands of them is slow."""
        text = str(value)
        number = int(text) if re.fullmatch(r"-?[0-9]{1,19}", text) else None
        if number is None or not self.minimum <= number <= self.maximum:
            above = number is not None and number > self.maximum
            bounds = f"from {self.minimum} to {self.maximum}" if above else f"from {self.minimum} on"
            self.fail(f"a whole number {bounds}, not {text[:80]}.", param, ctx)
        return number


NUMBER = WholeNumber(0, 2**63 - 1)
"""The number of a run: a 64-bit integer in every database."""


class TemplateId(click.ParamType[str]):
    """A template ID that the catalog may contain."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Reject an ID that no stored template can have."""
        text = str(value)
        if not text or len(text) > BOUNDS["TemplateId"]:
            self.fail(f"an id has 1 to {BOUNDS['TemplateId']} characters, this one has {len(text)}.", param, ctx)
        if flaw := storage_flaw(text):
            self.fail(f"an id cannot hold {flaw}.", param, ctx)
        return text


TEMPLATE_ID = TemplateId()


class Duration(click.ParamType[float]):
    """A duration in seconds, written as in the settings; 0s is one."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse a duration."""
        from sync.config.options import parse_duration_or_zero

        try:
            return parse_duration_or_zero(str(value))
        except ValueError as error:
            self.fail(f"expected {error}, not {str(value)[:80]}.", param, ctx)


DURATION = Duration()


class FeedPosition(click.ParamType[str]):
    """A cursor of the feed, or a `seq`."""

    name = "cursor"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Reject text that has neither form."""
        from sync.reader.feed import check_position

        text = str(value)
        try:
            check_position(text)
        except ValueError:
            self.fail(f"{text[:80]!r} is neither a seq nor a cursor of the feed.", param, ctx)
        return text


FEED_POSITION = FeedPosition()


class PointInTime(click.ParamType["int | datetime"]):
    """The number of a run, a date and time with a zone, or a date, which means 00:00 UTC of that day."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | datetime:
        """Parse a number or an ISO 8601 time; reject a time without a zone, because it is ambiguous."""
        text = str(value)
        if text.isascii() and text.isdigit():
            return NUMBER.convert(text, param, ctx)
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None and len(text) > len("2026-11-17"):
                self.fail(f"{text[:80]!r} has no time zone; write 2026-11-17T10:00Z, or a date alone.", param, ctx)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            self.fail(f"{text[:80]!r} is neither a run nor a date such as 2026-11-17 or 2026-11-17T10:00Z.", param, ctx)


POINT_IN_TIME = PointInTime()

AS_OF = click.option(
    "--as-of",
    type=POINT_IN_TIME,
    metavar="RUN|INSTANT",
    help=(
        "The state after this run, or at this instant: 2026-11-17T10:00Z, or 2026-11-17 for 00:00 UTC of that day. The "
        "changes of a run take effect at the time at which it finished, inclusive."
    ),
)
"""The option of every command that shows the past."""


def limit(help_text: str, *more_names: str) -> Callable[[FC], FC]:
    """Make the option `-n`/`--limit` of a listing; the help names the rows that are kept and the default."""
    return click.option("-n", "--limit", *more_names, "limit", type=WholeNumber(0), metavar="N", help=help_text)


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

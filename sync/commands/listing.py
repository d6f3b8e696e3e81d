"""What commands take on the line, refused there where it cannot be meant: with a usage error, not one of the database's."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from sync.catalog.bounds import storage_flaw
from sync.catalog.fields import BOUNDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    FC = TypeVar("FC", bound="Callable[..., Any] | click.Command")


class WholeNumber(click.ParamType[int]):
    """A whole number within bounds, which are told to whoever leaves them and not in the help: most are beyond all need."""

    name = "n"

    def __init__(self, least: int, most: int = 2**31 - 1) -> None:
        self.least = least
        self.most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Refuse what is none; thousands of digits are not even read."""
        text = str(value)
        number = int(text) if re.fullmatch(r"-?[0-9]{1,19}", text) else None
        if number is None or not self.least <= number <= self.most:
            above = number is not None and number > self.most
            bounds = f"from {self.least} to {self.most}" if above else f"from {self.least} on"
            self.fail(f"a whole number {bounds}, not {text[:80]}.", param, ctx)
        return number


NUMBER = WholeNumber(0, 2**63 - 1)
"""A run's number; the databases hold no larger one."""


class TemplateId(click.ParamType[str]):
    """A template's id, as the catalog could have sent it."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what no template can be called."""
        text = str(value)
        if not text or len(text) > BOUNDS["TemplateId"]:
            self.fail(f"an id has 1 to {BOUNDS['TemplateId']} characters, this one has {len(text)}.", param, ctx)
        if flaw := storage_flaw(text):
            self.fail(f"an id cannot hold {flaw}.", param, ctx)
        return text


TEMPLATE_ID = TemplateId()


class FeedPosition(click.ParamType[str]):
    """A cursor of the feed, or a bare `seq`."""

    name = "cursor"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what neither can be."""
        from sync.reader.arguments import a_position

        text = str(value)
        try:
            a_position(text)
        except ValueError:
            self.fail(f"{text[:80]!r} is neither a seq nor a cursor of the feed.", param, ctx)
        return text


FEED_POSITION = FeedPosition()


class Moment(click.ParamType["int | datetime"]):
    """A moment of the past: a run's number, a date-time with its zone, or a date, which is its first moment in UTC."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | datetime:
        """Refuse what is neither a run nor an instant, and an instant that could be meant in several zones."""
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


MOMENT = Moment()

AS_OF = click.option(
    "--as-of",
    type=MOMENT,
    metavar="RUN|INSTANT",
    help=(
        "The catalog after this run, or at this instant: 2026-11-17T10:00Z, or 2026-11-17 for 00:00 UTC of that day. The "
        "changes of a run take effect at the time at which it finished, inclusive."
    ),
)
"""The option of every command that shows the past."""


def limit(help_text: str, *more_names: str) -> Callable[[FC], FC]:
    """Make `-n`/`--limit` of a listing; its help says which ones are listed, and what it is without."""
    return click.option("-n", "--limit", *more_names, "limit", type=WholeNumber(0), metavar="N", help=help_text)

"""What commands take on the line, refused there where it cannot be meant: with a usage error, not one of the database's.

What the commands with `--as-of` share.

A filter's word that no template has: told on stderr, with the nearest that some have; what is printed stays empty.

A JSON value from a file that the user names, or from stdin; what cannot be read, or is no JSON, is one clear line.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from sync.catalog.fields import BOUNDS, storage_flaw
from sync.commands.synchronising import now
from sync.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    FC = TypeVar("FC", bound="Callable[..., Any] | click.Command")

    from sqlalchemy import Engine

    from sync.catalog.selection import Selection
    from sync.commands.output import Output


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


def run_asked_for(engine: Engine, as_of: int | datetime | None) -> int | None:
    """Find the run after which the catalog was as `--as-of` asks; None for the present."""
    if as_of is None:
        return None
    from sync.reader.past import run_of

    return run_of(engine, as_of, now())


FLAGS = {"requirement": "input", "search": "text"}
"""Flags that are not called as the reader's argument is."""


def tell_unknown_words(out: Output, engine: Engine, wanted: Selection) -> None:
    """Tell which words of what was asked for no template ever had, and which were perhaps meant."""
    from sync.reader.facets import unknown_words

    for name, near in unknown_words(engine, wanted).items():
        others = f"`template-sync {name}s` shows all." if name in {"tag", "type"} else ""
        meant = f"; did you mean {' or '.join(map(repr, near))}?" if near else f". {others}".rstrip()
        out.message(f"No template has the {FLAGS.get(name, name)} {getattr(wanted, name)!r}{meant}")


MOST_BYTES = 16 * 1024 * 1024


def read_json(file: str) -> Any:
    """Read one JSON value from a file, or from stdin where it is called `-`.

    Raises:
        UsageError: it cannot be read, is too large, or is not plain JSON.
    """
    name = "stdin" if file == "-" else file
    try:
        with open(0 if file == "-" else file, "rb", closefd=file != "-") as source:
            content = source.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        raise UsageError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if len(content) > MOST_BYTES:
        raise UsageError(f"{name} has more than {MOST_BYTES} bytes.")
    try:
        return json.loads(content, object_pairs_hook=_each_key_once, parse_constant=_no_constant)
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    except ValueError as error:
        reason = str(error)
    except RecursionError:
        reason = "it is nested too deeply"
    raise UsageError(f"{name} is not JSON: {reason}.")


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that says a key twice: one of the two would be checked, and the other, perhaps, be meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:60]!r} is repeated in an object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")

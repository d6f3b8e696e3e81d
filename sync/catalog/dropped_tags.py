"""PURE. Where the whole catalog stopped sending `Tags`, `Tags_en` alone is no fault of a record.

Whether that is so is known only when the walk is over. So a record without `Tags` is read both ways when it arrives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sync.catalog.set_aside import REASON_SHOWN, Unreadable, cut
from sync.catalog.validation import read_record

if TYPE_CHECKING:
    from sync.catalog.template import Template


class BothWays(NamedTuple):
    """A template, unless it can be read neither way; why not, if no record has `Tags`; and why not, if some record has."""

    template: Template | None
    reason: str | None = None
    reason_if_tags: str | None = None


def read_both_ways(record: Any, *, looked_up: bool) -> BothWays:
    """Read a record for a catalog without and with `Tags`; one that was looked up by its id has only the second way."""
    template, reason = _read(record, tags_dropped=False)
    if reason is None or looked_up or not isinstance(record, dict) or "Tags" in record:
        return BothWays(template, reason, reason)
    without, reason_without = _read(record, tags_dropped=True)
    return BothWays(without, reason_without, reason)


def _read(record: Any, *, tags_dropped: bool) -> tuple[Template | None, str | None]:
    try:
        return read_record(record, tags_dropped=tags_dropped), None
    except Unreadable as why:
        return None, cut(str(why), REASON_SHOWN)

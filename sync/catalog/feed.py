"""PURE. The change feed: changed fields and prices of a template, the reasons why a change breaks callers, and cursors.

A change is breaking if a request that was valid before it may be refused after it, or may have another effect. A reason is a
word, followed by a colon and a value if it concerns one of several: `resolution-gone:720p`, `ratio-gone:9:16`. Compare the part
before the first colon. Reasons are stored in the feed, so an existing one must not change.

A cursor has the feed's epoch, a sequence number, and a hash chain over all changes up to it. It is valid in a database only if
its history up to there is identical. A sequence number alone is not enough, because a restored database assigns the same numbers
to other changes.
"""

from __future__ import annotations

import hashlib
import re
from decimal import Decimal
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from sync.catalog.document import canonical
from sync.catalog.fields import SCALARS
from sync.catalog.url_query import URL_FIELDS, address, without_query

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sync.catalog.document import Document


FieldChange = dict[str, Any]
"""`{"field", "old", "new"}`; for `tags` also `"gained"` and `"lost"`."""
PRICE = "consume_items."  # the prefix of a price field in the feed. The resolution follows, which may contain dots


_NAMES = itemgetter("name", "name_en")


def changed_fields(before: Document, after: Document) -> list[FieldChange]:
    """Compare two documents of one template; return the changed fields in the order of the declaration.

    An unknown field is compared if both documents have it; its appearance or disappearance is not a change.
    """
    changes: list[FieldChange] = []
    for name in SCALARS.values():
        old, new = before[name], after[name]
        if old != new and (name not in URL_FIELDS or address(old) != address(new)):
            changes.append({"field": name, "old": old, "new": new})
    had, has = {*map(_NAMES, before["tags"])}, {*map(_NAMES, after["tags"])}
    if had != has:
        gained = [tag for tag in after["tags"] if _NAMES(tag) not in had]
        lost = [tag for tag in before["tags"] if _NAMES(tag) not in has]
        changes.append({"field": "tags", "old": before["tags"], "new": after["tags"], "gained": gained, "lost": lost})
    was, now = ({price["resolution"]: price["credit"] for price in each["consume_items"]} for each in (before, after))
    changes += [
        {"field": f"{PRICE}{resolution}", "old": was.get(resolution), "new": now.get(resolution)}
        for resolution in {**was, **now}
        if was.get(resolution) != now.get(resolution)
    ]
    if sorted(before["aspect_ratios"]) != sorted(after["aspect_ratios"]):
        changes.append({"field": "aspect_ratios", "old": before["aspect_ratios"], "new": after["aspect_ratios"]})
    old_extra, new_extra = before["extra"], after["extra"]
    changes += [
        {"field": f"extra.{name}", "old": old_extra[name], "new": new_extra[name]}
        for name in sorted(old_extra.keys() & new_extra)
        if _is_replaced(name, old_extra[name], new_extra[name])
    ]
    return changes


def _is_replaced(name: str, old: Any, new: Any) -> bool:
    """Return whether the value of an unknown field was replaced; that of a price is compared by resolution."""
    if name.startswith("ConsumeItems.") and isinstance(old, dict) and isinstance(new, dict):
        both = old.keys() & new
        old, new = ({resolution: each[resolution] for resolution in both} for each in (old, new))
    return canonical(without_query(old)) != canonical(without_query(new))


def apply_fields(document: Document, fields: Iterable[Mapping[str, Any]]) -> Document:
    """Apply the changed fields to a document, as a consumer of the feed does; return a new document."""
    after = {**document, "extra": dict(document["extra"])}
    for field in fields:
        name, new = field["field"], field["new"]
        if name.startswith("extra."):
            after["extra"][name.removeprefix("extra.")] = new
        elif name.startswith(PRICE):
            after["consume_items"] = _with_price(after["consume_items"], name.removeprefix(PRICE), new)
        else:
            after[name] = new
    return after


def _with_price(prices: list[dict[str, Any]], resolution: str, credit: float | None) -> list[dict[str, Any]]:
    after = {**{price["resolution"]: price["credit"] for price in prices}, resolution: credit}
    return [{"resolution": name, "credit": each} for name, each in after.items() if each is not None]


class PriceMove(NamedTuple):
    """The change of one price in Crun credits; `old` or `new` is None if there was or is no price."""

    resolution: str
    old: Decimal | None
    new: Decimal | None


def price_moves(fields: Iterable[Mapping[str, Any]] | None) -> list[PriceMove]:
    """Return the changed prices among the fields of a feed row, in their order."""
    moves = []
    for change in fields or ():
        if change["field"].startswith(PRICE):
            # The shortest form of a double preserves 15 digits, the most that a credit has.
            old, new = (None if number is None else Decimal(str(number)) for number in (change["old"], change["new"]))
            moves.append(PriceMove(change["field"].removeprefix(PRICE), old, new))
    return moves


REASONS: Mapping[str, str] = {
    "removed": "the template is gone",
    "more-images": "it takes more images than before",
    "fewer-images": "it takes fewer images than before",
    "images-stated": "it takes a certain number of images; before, the number was not stated",
    "resolution-gone": "a resolution, named after the colon, has no price any more",
    "ratio-gone": "an aspect ratio, named after the colon, is no longer supported",
    "type": "the template type changed, so the same images give another kind of video",
    "requirement": "the input requirement changed: the images must have other contents",
}
"""Reason -> its meaning."""


def breaking(kind: str, fields: Iterable[Mapping[str, Any]] | None) -> list[str]:
    """Return the reasons for which an added, removed or changed template breaks callers, in the order of its fields."""
    if kind == "removed":
        return ["removed"]
    return [reason for change in fields or () for reason in _reasons(change)] if kind == "changed" else []


def _reasons(change: Mapping[str, Any]) -> list[str]:
    name, old, new = change["field"], change["old"], change["new"]
    if name in {"template_type", "input_requirement"}:
        return [name.partition("_")[2]]
    if name == "input_num" and new is not None:  # an unstated number restricts nothing
        return ["images-stated" if old is None else "more-images" if new > old else "fewer-images"]
    if name == "aspect_ratios":
        return [f"ratio-gone:{ratio}" for ratio in old if ratio not in new]
    if name.startswith(PRICE) and new is None:
        return [f"resolution-gone:{name.removeprefix(PRICE)}"]
    return []


CHAINED = ("seq", "run_id", "at", "template_id", "kind", "fields", "evidence", "document_hash")
"""What the hash of a change covers, in the order of the feed's columns. All else that is shown follows from these."""
_HASH_DIGITS = 24
"""96 bits protect against accidents. The hash is not a signature: a writer of the feed can also write the hashes."""
LARGEST_NUMBER = 2**63 - 1  # the largest `seq` or run ID that the databases can store
_WRITTEN = re.compile(rf"([0-9a-f]{{12}})-(0|[1-9][0-9]{{0,18}})-([0-9a-f]{{{_HASH_DIGITS}}})")


class Cursor(NamedTuple):
    """A position in the feed.

    Attributes:
        epoch: ID of the feed, 12 random hexadecimal digits, which differs between databases.
        seq: sequence number of the last change before the position; 0 at the beginning.
        chain: hash over all changes up to that one.
    """

    epoch: str
    seq: int
    chain: str

    @classmethod
    def start(cls, epoch: str, seq: int = 0) -> Self:
        """Start a chain, after `seq` if the earlier changes are unknown."""
        return cls(epoch, seq, _hash(epoch, ""))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse a cursor; return None if the text is not a cursor."""
        found = _WRITTEN.fullmatch(text)
        return cls(found[1], int(found[2]), found[3]) if found and int(found[2]) <= LARGEST_NUMBER else None

    def after(self, row: Mapping[str, Any]) -> Self:
        """Return the position after the next change, a row with the columns of CHAINED, `at` as text."""
        return self._replace(seq=row["seq"], chain=_hash(self.chain, canonical([_plain(row[name]) for name in CHAINED])))

    def __str__(self) -> str:
        """Write at most 57 characters, without a full stop, so that a message ID can contain it."""
        return f"{self.epoch}-{self.seq}-{self.chain}"


def _hash(before: str, row: str) -> str:
    return hashlib.sha256((before + row).encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]


def _plain(value: Any) -> Any:
    """Normalise numbers: PostgreSQL returns 1e16 as an integer, and engines do not distinguish 2.0 and 2."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value

"""PURE. Rules that select changes: all given rules must match; within one rule, any value.

Rules apply to a change as `changes --json` prints it; tags and types are compared case-insensitively, as in `list`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sync.catalog.field_changes import price_moves
from sync.catalog.fields import LISTS, SCALARS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from decimal import Decimal

KINDS = ("added", "removed", "changed")
FIELDS = frozenset({*SCALARS.values(), *LISTS, "extra"})
"""Names of changed fields: one of these, or a part of one of `_IN_PARTS`."""
_IN_PARTS = ("consume_items", "extra")


@dataclass(frozen=True, slots=True)
class PriceRule:
    """A price change of at least a percentage of the old price.

    Attributes:
        percent: not negative; 0 is any change.
        direction: `+` for increases only, `-` for decreases only, empty for both.
    """

    percent: Decimal
    direction: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules; empty, None and False mean no rule."""

    kinds: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    price_change: PriceRule | None = None
    breaking: bool = False

    def matches(self, change: Mapping[str, Any]) -> bool:
        """Return whether a change matches.

        A template that loses a tag or changes its type also matches rules for the old one, so that the receiver learns of it.
        """
        return (
            (not self.kinds or change["kind"] in self.kinds)
            and (not self.ids or change["template_id"] in self.ids)
            and (not self.breaking or bool(change["breaking"]))
            and (not self.fields or any(self._is_wanted(field["field"]) for field in change["fields"]))
            and (not self.tags or not _folded(self.tags).isdisjoint(_folded(_tags(change))))
            and (not self.types or not _folded(self.types).isdisjoint(_folded(_types(change))))
            and (self.price_change is None or _moved(self.price_change, change))
        )

    def _is_wanted(self, field: str) -> bool:
        return field in self.fields or any(field.startswith(f"{whole}.") for whole in _IN_PARTS if whole in self.fields)


def is_field(name: str) -> bool:
    """Return whether a change can have a field of this name."""
    whole, dot, part = name.partition(".")
    return name in FIELDS or (whole in _IN_PARTS and bool(dot and part))


def price_rule(text: str) -> PriceRule:
    """Parse `10%`, `+10%` or `-10%`.

    Raises:
        ValueError: with what was expected.
    """
    import re
    from decimal import Decimal

    found = re.fullmatch(r"([+-]?)([0-9]{1,6}(?:\.[0-9]{1,6})?)%", text)
    if found is None:
        raise ValueError("a share such as 10%, or +10% for up only, -10% for down only")
    rule = PriceRule(Decimal(found[2]), found[1])
    if rule.direction == "-" and rule.percent > 100:  # noqa: PLR2004 - a price cannot become negative
        raise ValueError("a fall of at most 100%")
    return rule


def contradiction(rules: Rules) -> str | None:
    """Return why rules can never match; None if they can."""
    kinds = rules.kinds or frozenset(KINDS)
    about_fields = "fields" if rules.fields else "price_change" if rules.price_change else None
    names = " and ".join(sorted(kinds))
    if about_fields and "changed" not in kinds:
        return f"{names} can never match: {about_fields} selects changed templates only"
    if rules.breaking and kinds == {"added"}:
        return f"{names} can never match: an added template is not a breaking change"
    return None


def _tags(change: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tags that a template has or loses, in both languages."""
    lost = [tag for field in change["fields"] for tag in field.get("lost", ())]
    for tag in (*(_template(change).get("tags") or ()), *lost):
        yield from (name for name in (tag["name"], tag["name_en"]) if name)


def _types(change: Mapping[str, Any]) -> Iterator[str]:
    old = [field["old"] for field in change["fields"] if field["field"] == "template_type"]
    yield from (kind for kind in (_template(change).get("template_type"), *old) if kind)


def _template(change: Mapping[str, Any]) -> Mapping[str, Any]:
    return change.get("document") or change.get("before") or {}


def _folded(names: Iterable[str]) -> set[str]:
    return {name.casefold() for name in names}


def _moved(rule: PriceRule, change: Mapping[str, Any]) -> bool:
    """Return whether any price changed by the percentage; a new or removed price does not count."""
    for _resolution, old, new in price_moves(change["fields"]):
        if old is None or new is None:
            continue
        up = new > old
        if rule.direction != ("-" if up else "+") and abs(new - old) * 100 >= rule.percent * old:
            return True
    return False

"""PURE. The prices that a change moved, as numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PRICE = "consume_items."
"""What a price's field begins with in the feed; the resolution follows, and may hold dots of its own."""


class PriceMove(NamedTuple):
    """One resolution's price in Crun credits: `old` is None where there was none, `new` where there is none any more."""

    resolution: str
    old: Decimal | None
    new: Decimal | None


def price_moves(fields: Iterable[Mapping[str, Any]] | None) -> list[PriceMove]:
    """Read the prices that moved from a feed row's fields, in their order; only a `changed` row has any.

    Args:
        fields: `{"field", "old", "new"}` each; numbers as JSON gives them. None and empty are alike.
    """
    return [
        PriceMove(told["field"].removeprefix(PRICE), _credit(told["old"]), _credit(told["new"]))
        for told in fields or ()
        if told["field"].startswith(PRICE)
    ]


def _credit(number: float | Decimal | None) -> Decimal | None:
    """Convert a number exactly: the shortest form of a double gives back the 15 digits that a credit has at most."""
    return None if number is None else Decimal(str(number))

"""Every event that can happen to a catalog, and every fault that can affect a response."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.visit import ERRORS, FALSE_RESPONSES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAGE = 2
_WHOLE = (*ERRORS, "garbage", "deadline", "stop", "empty", "count-up", "count-down", "no-count")
"""Faults that affect a whole response."""


def events(present: int, gone: int) -> Iterator[tuple[str, int, int]]:
    """Yield the possible events of a catalog: kind, template, and position or value; 0 is the beginning."""
    yield from (("sign", 0, 0), *(("add", 0, place) for place in range(present + 1)))
    yield from (("return", which, place) for which in range(gone) for place in range(present + 1))
    for which in range(present):
        yield from ((kind, which, 0) for kind in ("delete", "reprice", "retag"))
        # A catalog of n templates has n positions after one is removed.
        yield from ((kind, which, place) for kind in ("replace", "move") for place in range(present))


def losses(lost: Sequence[bool], field: int) -> Iterator[tuple[str, int, int]]:
    """Yield the possible events of one field: kind, template, field.

    Args:
        lost: whether each template has lost the field.
        field: its index in `LOSABLE`.
    """
    for which, is_lost in enumerate(lost):
        yield from ((kind, which, field) for kind in (("regain", "regain-new") if is_lost else ("lose",)))
    if lost.count(False) > 1:  # with a single one, "lose-all" equals "lose"
        yield "lose-all", 0, field
    if lost.count(True) > 1:
        yield from ((kind, 0, field) for kind in ("regain-all", "regain-all-new"))


def faults(present: int) -> Iterator[tuple[str, int, int]]:
    """Yield the faults of a response: kind, record of the page, variant."""
    yield from ((kind, 0, 0) for kind in _WHOLE)
    for kind in FALSE_RESPONSES:
        if kind not in _WHOLE:
            picks = range(present + 1) if kind == "partial" else range(PAGE)
            yield from ((kind, pick, variant) for pick in picks for variant in range(2 if kind == "twin" else 1))

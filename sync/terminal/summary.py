"""One run in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.text import count_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync.run_record import Run

    Paint = Callable[[str, str], str]


SIGNS = {"added": "+", "changed": "~", "removed": "-"}


def summary(run: Run) -> str:
    """Say in one line what a run did."""
    counts = [f"{SIGNS[kind]}{getattr(run, kind)} {kind}" for kind in ("added", "changed", "removed") if getattr(run, kind)]
    if run.unchanged:
        counts.append(f"{run.unchanged} unchanged")
    if run.rejected:
        counts.append(f"{run.rejected} rejected")
    if run.held:
        counts.append(f"{count_of(run.held, 'removal')} held")
    if run.unconfirmed:
        counts.append(f"{count_of(run.unconfirmed, 'missing template')} unconfirmed")
    quiet = not (run.changes or run.rejected or run.held or run.unconfirmed)
    text = f"no changes ({count_of(run.seen, 'template')} checked)" if quiet else "  ".join(counts)
    where = "dry run, nothing written" if run.run_id is None else f"run {run.run_id}"
    return f"{text}  ({where}, {count_of(run.pages, 'page')}, {run.seconds or 0:.2f} s)"

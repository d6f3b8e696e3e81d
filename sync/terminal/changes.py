"""PURE. Changes, prices, titles and the summary of a run as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync.terminal.tables import pad, plain, wide
from sync.text import count_of, escape_control_characters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sync.catalog.document import Document
    from sync.catalog.field_changes import FieldChange
    from sync.catalog.run_record import Run

    Paint = Callable[[str, str], str]


SIGNS = {"added": "+", "changed": "~", "removed": "-"}


def summary(run: Run) -> str:
    """Return the result of a run in one line."""
    counts = [f"{SIGNS[kind]}{getattr(run, kind)} {kind}" for kind in ("added", "changed", "removed") if getattr(run, kind)]
    if run.unchanged:
        counts.append(f"{run.unchanged} unchanged")
    if run.rejected:
        counts.append(f"{run.rejected} rejected")
    if run.held:
        counts.append(f"{count_of(run.held, 'removal')} held")
    if run.unconfirmed:
        counts.append(f"{count_of(run.unconfirmed, 'missing template')} unconfirmed")
    nothing = not (run.changes or run.rejected or run.held or run.unconfirmed)
    text = f"no changes ({count_of(run.seen, 'template')} checked)" if nothing else "  ".join(counts)
    where = "dry run, nothing written" if run.run_id is None else f"run {run.run_id}"
    return f"{text}  ({where}, {count_of(run.pages, 'page')}, {run.seconds or 0:.2f} s)"


COLORS = {"added": "green", "changed": "yellow", "removed": "red"}


def change_lines(change: Mapping[str, Any], paint: Paint = plain) -> list[str]:
    """Format one change: a line for the template, and for `changed` one more line per field, old → new.

    Args:
        change: a row of the feed: `kind`, `template_id`, `fields`, `evidence`; the title and
            prices are from `document`, or for a removal from `before`.
        paint: adds colour marks.
    """
    kind, document = change["kind"], change.get("document") or change.get("before") or {}
    head = f"{SIGNS[kind]} {escape_control_characters(change['template_id'])}  {title(document)}".rstrip()
    if kind == "added":
        head += f"  {prices(document)}"
    if kind == "removed" and change.get("evidence"):
        head += f"  ({_EVIDENCE.get(change['evidence'], change['evidence'])})"
    fields = change.get("fields") or ()
    width = max((wide(escape_control_characters(each["field"])) for each in fields), default=0)
    return [
        paint(head.rstrip(), COLORS[kind]),
        *(f"    {pad(escape_control_characters(each['field']), width)}  {field_change(each)}" for each in fields),
    ]


_EVIDENCE = {
    "lookup": "no longer listed, and not found by its id",
    "walks": "missing from two complete listings",
    "accepted": "no longer listed, and accepted by an operator",
}


def field_change(change: FieldChange) -> str:
    """Format the change of one field: old → new, or for tags those gained and lost."""
    if change["field"] == "tags":
        gained = [f"+{tag_text(tag)}" for tag in change.get("gained", ())]
        return "  ".join(gained + [f"-{tag_text(tag)}" for tag in change.get("lost", ())])
    old, new = (value_text(change[side]) if change.get("absent") != side else "(absent)" for side in ("old", "new"))
    return f"{old} → {new}"


def value_text(value: Any) -> str:
    """Format a JSON value on one line."""
    if value is None:
        return "(none)"
    if isinstance(value, str):
        return escape_control_characters(value) or '""'
    if isinstance(value, list):
        return ", ".join(map(value_text, value)) or "(none)"
    return escape_control_characters(str(value))


def tag_text(tag: Mapping[str, Any]) -> str:
    """Format a tag in both languages."""
    return escape_control_characters(f"{tag['name_en']} ({tag['name']})" if tag["name_en"] else tag["name"])


def title(document: Document) -> str:
    """Format the title of a template, English first."""
    both = [escape_control_characters(text) for text in (document.get("title_en"), document.get("title")) if text]
    return " · ".join(both)


def prices(document: Document) -> str:
    """Format the prices of a template."""
    return "  ".join(
        f"{escape_control_characters(item['resolution'])} {item['credit']}" for item in document.get("consume_items", ())
    )

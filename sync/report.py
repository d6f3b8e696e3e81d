"""PURE. Runs, changes and templates as text for people.

Machines get JSON and CSV, which `export` and the commands write; nothing here is parsed by anybody. All text that comes from
upstream passes `visible`, so that nothing in it can act on a terminal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wcwidth import wcswidth, wcwidth

from sync.decode import visible
from sync.runs import Run, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from sync.diff import FieldChange
    from sync.snapshot import Document

    Paint = Callable[[str, str], str]

SIGNS = {"added": "+", "changed": "~", "removed": "-"}
COLORS = {"added": "green", "changed": "yellow", "removed": "red"}
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def plain(text: str, _color: str) -> str:
    """Paint nothing."""
    return text


def summary(run: Run) -> str:
    """Say in one line what a run did."""
    counts = [f"{SIGNS[kind]}{getattr(run, kind)} {kind}" for kind in ("added", "changed", "removed") if getattr(run, kind)]
    if run.unchanged:
        counts.append(f"{run.unchanged} unchanged")
    if run.rejected:
        counts.append(f"{run.rejected} rejected")
    if run.held:
        counts.append(f"{run.held} removals held")
    text = (
        "  ".join(counts)
        if run.changes or run.rejected or run.held
        else f"no changes ({run.seen} template{'s' if run.seen != 1 else ''} checked)"
    )
    where = "dry run, nothing written" if run.run_id is None else f"run {run.run_id}"
    return f"{text}  ({where}, {run.pages} pages, {run.seconds or 0:.2f} s)"


def change_lines(change: Mapping[str, Any], paint: Paint = plain) -> list[str]:
    """Show one change: a line for the template, and under `changed` one more for each field, old → new.

    Args:
        change: a row of the feed: `kind`, `template_id`, `fields`, `evidence`; `document`, or for a removal `before`, gives
            the title and prices.
        paint: colours a text.
    """
    kind, document = change["kind"], change.get("document") or change.get("before") or {}
    head = f"{SIGNS[kind]} {visible(change['template_id'])}  {title(document)}".rstrip()
    if kind == "added":
        head += f"  {prices(document)}"
    if kind == "removed" and change.get("evidence"):
        head += f"  (seen gone by: {_EVIDENCE.get(change['evidence'], change['evidence'])})"
    fields = change.get("fields") or ()
    width = max((wide(visible(told["field"])) for told in fields), default=0)
    return [
        paint(head.rstrip(), COLORS[kind]),
        *(f"    {pad(visible(told['field']), width)}  {field_change(told)}" for told in fields),
    ]


_EVIDENCE = {"lookup": "walk and look-up", "walks": "two walks", "accepted": "walk, accepted by a person"}


def field_change(told: FieldChange) -> str:
    """Show one field's change: old → new, or for tags what was gained and lost."""
    if told["field"] == "tags":
        gained = [f"+{tag_text(tag)}" for tag in told.get("gained", ())]
        return "  ".join(gained + [f"-{tag_text(tag)}" for tag in told.get("lost", ())])
    old, new = (value_text(told[side]) if told.get("absent") != side else "(absent)" for side in ("old", "new"))
    return f"{old} → {new}"


def value_text(value: Any) -> str:
    """Show a JSON value on one line."""
    if value is None:
        return "(none)"
    if isinstance(value, str):
        return visible(value) or '""'
    if isinstance(value, list):
        return ", ".join(map(value_text, value)) or "(none)"
    return visible(str(value))


def tag_text(tag: Mapping[str, Any]) -> str:
    """Show a tag in both languages."""
    return visible(f"{tag['name_en']} ({tag['name']})" if tag["name_en"] else tag["name"])


def title(document: Document) -> str:
    """Show a template's title, English first."""
    both = [visible(text) for text in (document.get("title_en"), document.get("title")) if text]
    return " · ".join(both)


def prices(document: Document) -> str:
    """Show a template's prices."""
    return "  ".join(f"{visible(item['resolution'])} {item['credit']}" for item in document.get("consume_items", ()))


def template_rows(documents: Iterable[Document], longest: int | None = None) -> list[list[str]]:
    """Give the catalog as rows of a table, titles cut to `longest` columns if that is given."""
    rows = [["ID", "TITLE", "EN", "PRICES", "INPUT", "TYPE", "TAGS"]]
    for each in documents:
        needs = f"{each['input_num'] if each['input_num'] is not None else '?'} × {visible(each['input_requirement'] or '?')}"
        tags = ", ".join(visible(tag["name_en"] or tag["name"]) for tag in each["tags"])
        titles = [visible(each[name] or "") for name in ("title", "title_en")]
        titles = [cut(text, longest) if longest else text for text in titles]
        rows.append([visible(each["template_id"]), *titles, prices(each), needs, visible(each["template_type"] or ""), tags])
    return rows


def run_rows(runs: Iterable[Run]) -> list[list[str]]:
    """Give runs as rows of a table; why one failed stands last, where a narrow terminal still shows its beginning."""
    rows = [["RUN", "STARTED (UTC)", "STATUS", "+", "~", "-", "HELD", "BAD", "SEC", "ERROR"]]
    for run in runs:
        counts = [str(number) for number in (run.added, run.changed, run.removed, run.held, run.rejected)]
        error = f"{run.error_code}: {visible(run.error or '')}" if run.error_code else ""
        seconds = "" if run.seconds is None else f"{run.seconds:.1f}"
        rows.append([str(run.run_id), f"{run.started_at:%Y-%m-%d %H:%M:%S}", str(run.status), *counts, seconds, error])
    return rows


def rejected_rows(records: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Give rejected records as rows of a table."""
    rows = [["PAGE", "POSITION", "ID", "REASON", "PAYLOAD"]]
    for bad in records:
        shown = [visible(bad["template_id"] or "-"), visible(bad["reason"]), visible(bad["payload"])]
        rows.append([str(bad["page"]), str(bad["position"]), *shown])
    return rows


def table(rows: Sequence[Sequence[str]], width: int | None = None, paint: Paint = plain) -> list[str]:
    """Line rows up by the columns that a terminal shows, in which a Chinese character takes two.

    Args:
        rows: the first one is the heading.
        width: cut lines to so many columns; None leaves them whole.
        paint: colours the heading.
    """
    widths = [max(wide(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(pad(cell, size) for cell, size in zip(row, widths, strict=True)).rstrip() for row in rows]
    if width is not None:
        lines = [cut(line, width) for line in lines]
    return [paint(lines[0], "bold"), *lines[1:]]


def wide(text: str) -> int:
    """Count the columns that a text takes on a terminal."""
    return max(0, wcswidth(text))


def pad(text: str, width: int) -> str:
    """Fill a text with spaces to a width in columns."""
    return text + " " * (width - wide(text))


def cut(text: str, width: int) -> str:
    """Cut a text to a width in columns, with an ellipsis."""
    if wide(text) <= width:
        return text
    taken, used = [], 0
    for char in text:
        used += max(0, wcwidth(char))
        if used > width - 1:
            break
        taken.append(char)
    return "".join(taken) + "…"


def age(seconds: float) -> str:
    """Say how long ago: 40 s, 12 min, 3 h 05 min, 2 d 4 h."""
    whole = max(0, round(seconds))
    if whole < 2 * _MINUTE:
        return f"{whole} s"
    if whole < 2 * _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < 2 * _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def since(moment: datetime | None, now: datetime) -> str:
    """Say when, and how long ago that is."""
    if moment is None:
        return "never"
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC ({age((now - moment).total_seconds())} ago)"


FAULT = {
    Status.DEFERRED: "the server's, and announced",
    Status.SKIPPED: "nobody's: two runs met",
    Status.INTERRUPTED: "nobody's: it was stopped",
    Status.HELD: "nobody's yet: a person decides",
    Status.INCOMPLETE: "the server's: its count is wrong, or it moved too fast",
}
"""Whose fault a run's end is, for those whose status alone tells."""


def whose_fault(run: Run) -> str:
    """Say whose fault it is that a run was no success: the first question at 3 a.m."""
    if run.status in FAULT:
        return FAULT[run.status]
    code = run.error_code or ""
    if code in {"401", "402", "403", "505"}:
        return "the account's: a person must act"
    if code in {"database", "schema"}:
        return "ours: the database"
    if code in {"unreachable", "gzip"} or (code.isdecimal() and int(code) >= 500):  # noqa: PLR2004 - server errors
        return "the server's or the network's"
    if code == "deadline":
        return "the server's if it is slow, ours if SYNC_DEADLINE is short"
    return "ours" if code in {"lease-lost", "unexpected"} else "the server's, or its interface changed"

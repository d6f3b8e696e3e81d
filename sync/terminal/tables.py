"""PURE. Tables aligned by terminal columns; templates, tags, runs, rejected records and webhook endpoints as their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync.terminal.lines import cut, mark, pad, prices, title, value_text, wide
from sync.text import age, ago, escape_control_characters
from sync.webhooks.endpoints import FAILING_AFTER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sync.catalog.document import Document
    from sync.catalog.run_record import Run
    from sync.webhooks.endpoints import Endpoint, Position

GAP = "  "
MIN_WIDTH = 12  # columns; a cell that is truncated further is not readable

READABLE = 24
"""Columns; most titles are distinguishable at this width."""


def table(
    rows: Sequence[Sequence[str]], width: int | None = None, *, whole: Sequence[str] = (), omit: Sequence[str] = ()
) -> list[str]:
    """Format rows as lines with aligned columns.

    Args:
        rows: the first one is the heading.
        width: maximum width of a line in columns; None: no limit.
        whole: headings of columns that are never made narrower.
        omit: headings of columns that are omitted, the first one first, while another column is narrower than `READABLE`
            and than its text.
    """
    sizes = [[*map(wide, row)] for row in rows]  # once for each cell: a long list has a hundred thousand
    full = [*map(max, zip(*sizes, strict=True))]
    widths = full
    if width is not None:
        for omitted in range(len(omit) + 1):
            kept = [place for place, name in enumerate(rows[0]) if name not in omit[:omitted]]
            available = width - len(GAP) * (len(kept) - 1)
            widths = fit([full[place] for place in kept], available, [rows[0][place] in whole for place in kept])
            if all(fitted >= min(full[place], READABLE) for fitted, place in zip(widths, kept, strict=True)):
                break
        rows = [[row[place] for place in kept] for row in rows]
        sizes = [[row[place] for place in kept] for row in sizes]
    lines = [GAP.join(map(_filled, row, takes, widths)).rstrip() for row, takes in zip(rows, sizes, strict=True)]
    if width is not None:
        lines = [cut(line, width) for line in lines]
    return [mark(lines[0], "bold"), *lines[1:]]


def _filled(cell: str, takes: int, width: int) -> str:
    """Pad or truncate a cell of `takes` columns to a width."""
    return cell + " " * (width - takes) if takes <= width else pad(cut(cell, width), width)


def fit(widths: Sequence[int], available: int, whole: Sequence[bool]) -> list[int]:
    """Reduce the widest columns to one common width, at least `MIN_WIDTH`, until all fit into `available` columns.

    Columns that do not fit even then stay too wide; the caller truncates the lines.
    """
    flexible = sorted(size for size, fixed in zip(widths, whole, strict=True) if not fixed)
    left = available - sum(widths) + sum(flexible)
    for place, size in enumerate(flexible):
        share = left // (len(flexible) - place)
        if size > share:
            most = max(share, MIN_WIDTH)
            return [size if fixed else min(size, most) for size, fixed in zip(widths, whole, strict=True)]
        left -= size
    return list(widths)


def template_rows(documents: Iterable[Document]) -> list[list[str]]:
    """Return templates as rows of a table."""
    rows = [["ID", "TITLE", "PRICES", "INPUT", "TYPE", "TAGS"]]
    for each in documents:
        number = "?" if each["input_num"] is None else each["input_num"]
        needs = f"{number} × {_text(each['input_requirement'] or '?')}"
        tags = ", ".join(_text(tag["name_en"] or tag["name"]) for tag in each["tags"])
        rows.append([_text(each["template_id"]), title(each), prices(each), needs, _text(each["template_type"]), tags])
    return rows


def _text(value: str | None) -> str:
    return escape_control_characters(value or "")


def tag_rows(counts: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Return tags and their number of templates as rows of a table."""
    rows = ([_text(each["name"]), _text(each["name_en"]), str(each["templates"])] for each in counts)
    return [["TAG", "EN", "TEMPLATES"], *rows]


def type_rows(counts: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Return types and their number of templates as rows of a table."""
    return [["TYPE", "TEMPLATES"], *([value_text(each["type"]), str(each["templates"])] for each in counts)]


def run_rows(runs: Iterable[Run]) -> list[list[str]]:
    """Return runs as rows of a table; the error is last, so that a narrow terminal truncates only its end."""
    rows = [["RUN", "STARTED (UTC)", "STATUS", "+", "~", "-", "HELD", "REJECTED", "SEC", "ERROR"]]
    for run in runs:
        counts = [str(number) for number in (run.added, run.changed, run.removed, run.held, run.rejected)]
        error = f"{run.error_code}: {_text(run.error)}" if run.error_code else ""
        seconds = "" if run.seconds is None else f"{run.seconds:.1f}"
        rows.append([str(run.run_id), f"{run.started_at:%Y-%m-%d %H:%M:%S}", str(run.status), *counts, seconds, error])
    return rows


def rejected_rows(records: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Return rejected records as rows of a table."""
    rows = [["PAGE", "POSITION", "ID", "REASON", "PAYLOAD"]]
    for bad in records:
        texts = (bad["template_id"] or "-", bad["reason"], bad["payload"])
        rows.append([str(bad["page"]), str(bad["position"]), *map(_text, texts)])
    return rows


def webhook_rows(endpoints: Iterable[tuple[Endpoint, Position | None]], now: datetime) -> list[list[str]]:
    """Return webhook endpoints as rows of a table."""
    rows = [["NAME", "ORIGIN", "SEQ", "BEHIND", "STATE", "LAST RESPONSE"]]
    for endpoint, position in endpoints:
        progress = ["", ""] if position is None else [str(position.seq), str(position.behind)]
        state = "no position yet" if position is None else state_of(position, now)
        answer = "" if position is None else last_response(position, now)
        rows.append([endpoint.name, endpoint.origin, *progress, state if endpoint.enabled else "not enabled", answer])
    return rows


def state_of(position: Position, now: datetime) -> str:
    """Return the state of an endpoint in a few words."""
    if position.paused:
        return f"paused ({position.paused})"
    if position.failing_since is None:
        return "caught up" if position.at_end else "pending"
    tries = f"failing for {age((now - position.failing_since).total_seconds())}, {position.attempts} attempts"
    left = (position.next_attempt_at - now).total_seconds() if position.next_attempt_at else 0
    return f"{tries}, next {'is due' if left <= 0 else f'in {age(left)}'}"


def last_response(position: Position, now: datetime) -> str:
    """Return the last response of an endpoint and its age."""
    if position.last_attempt_at is None:
        return ""
    text = f": {_text(position.last_answer)}" if position.last_answer else ""
    return f"{position.last_status or 'none'}, {ago((now - position.last_attempt_at).total_seconds())}{text}"


def describe_problem(position: Position, now: datetime) -> str | None:
    """Return why an endpoint needs attention; None if it does not."""
    if position.paused:
        return f"{position.name}: paused ({position.paused}), {position.behind} changes pending"
    if position.failing_since is not None and now - position.failing_since >= FAILING_AFTER:
        return f"{position.name}: {state_of(position, now)}; last response {last_response(position, now)}"
    return None

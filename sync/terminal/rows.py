"""PURE. Templates, runs and set-aside records as rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync.terminal.changes import prices, value_text
from sync.text import escape_control_characters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sync.catalog.template import Document
    from sync.run_record import Run


def template_rows(documents: Iterable[Document]) -> list[list[str]]:
    """Lay the catalog out as rows of a table."""
    rows = [["ID", "TITLE", "EN", "PRICES", "INPUT", "TYPE", "TAGS"]]
    for each in documents:
        number = "?" if each["input_num"] is None else each["input_num"]
        needs = f"{number} × {escape_control_characters(each['input_requirement'] or '?')}"
        tags = ", ".join(escape_control_characters(tag["name_en"] or tag["name"]) for tag in each["tags"])
        titles = [escape_control_characters(each[name] or "") for name in ("title", "title_en")]
        rows.append(
            [
                escape_control_characters(each["template_id"]),
                *titles,
                prices(each),
                needs,
                escape_control_characters(each["template_type"] or ""),
                tags,
            ]
        )
    return rows


def tag_rows(counts: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Lay tags and how many templates have each out as rows of a table."""
    rows = [["TAG", "EN", "TEMPLATES"]]
    for each in counts:
        names = [escape_control_characters(each[name] or "") for name in ("name", "name_en")]
        rows.append([*names, str(each["templates"])])
    return rows


def type_rows(counts: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Lay types and how many templates are of each out as rows of a table."""
    return [["TYPE", "TEMPLATES"], *([value_text(each["type"]), str(each["templates"])] for each in counts)]


def run_rows(runs: Iterable[Run]) -> list[list[str]]:
    """Lay runs out as rows of a table; why one failed stands last, where a narrow terminal still shows its beginning."""
    rows = [["RUN", "STARTED (UTC)", "STATUS", "+", "~", "-", "HELD", "BAD", "SEC", "ERROR"]]
    for run in runs:
        counts = [str(number) for number in (run.added, run.changed, run.removed, run.held, run.rejected)]
        error = f"{run.error_code}: {escape_control_characters(run.error or '')}" if run.error_code else ""
        seconds = "" if run.seconds is None else f"{run.seconds:.1f}"
        rows.append([str(run.run_id), f"{run.started_at:%Y-%m-%d %H:%M:%S}", str(run.status), *counts, seconds, error])
    return rows


def rejected_rows(records: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Lay set-aside records out as rows of a table."""
    rows = [["PAGE", "POSITION", "ID", "REASON", "PAYLOAD"]]
    for bad in records:
        shown = [
            escape_control_characters(bad["template_id"] or "-"),
            escape_control_characters(bad["reason"]),
            escape_control_characters(bad["payload"]),
        ]
        rows.append([str(bad["page"]), str(bad["position"]), *shown])
    return rows

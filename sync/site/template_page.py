"""The context of one template's page. It does not depend on other templates or on the time of the build."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from sync.forms.form import Form, job_request
from sync.site import words
from sync.site.data import minute
from sync.site.pages import event_row
from sync.site.plots import step_plot
from sync.text import escape_bidi, json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sync.catalog.document import Document
    from sync.reader.catalog_dump import Event, Period
    from sync.reader.stored_templates import Stored
    from sync.site.plots import Plot

MAX_EVENTS = 200
MAX_IMAGES = 50
"""Images up to which the request is shown: a catalog may require a million, and each page would have 50 MB."""
_EVIDENCE = {
    "lookup": ("no longer listed, and not found by its id", "目录不再列出，按编号也查不到"),
    "walks": ("missing from two complete listings", "两次完整列表中均缺失"),
    "accepted": ("no longer listed, and accepted by an operator", "目录不再列出，已由人工确认"),
}


def template(
    stored: Stored,
    card: dict[str, Any],
    periods: Sequence[Period],
    events: Sequence[Event],
    *,
    held_since: int | None,
    api_url: str,
) -> dict[str, Any]:
    """Return the context of a template's page.

    Args:
        stored: the template.
        card: the values of its card.
        periods: its prices, oldest first.
        events: its changes, oldest first.
        held_since: the run that first held its removal, if it is held.
        api_url: origin of the API.
    """
    document, gone = stored.document, stored.removed_at is not None
    template_id = document["template_id"]
    beside = {name: f"../{url}" for name in ("cover", "preview") if (url := card[name]) and not url.startswith("https:")}
    form = Form(document)
    return {
        "c": {**card, **beside},
        "gone": gone,
        "held_since": held_since,
        "tag_links": [urlencode({"tag": tag["name_en"] or tag["name"]}) for tag in document["tags"]],
        "prices": [(escape_bidi(item["resolution"]), item["credit"]) for item in document["consume_items"]],
        "moments": _moments(stored),
        "facts": _facts(document),
        "form": _form(document),
        "request": None if (document["input_num"] or 0) > MAX_IMAGES else _shown_json(job_request(form, api_url)["body"]),
        "sql": _sql("templates" if gone else "current_templates", template_id),
        "cli": f"template-sync form{' --removed' if gone else ''} --request {_shell(template_id)}",
        "history": [
            {"resolution": escape_bidi(p.resolution), "credit": f"{p.credit.normalize():f}", "since": minute(p.since),
             "until": p.until and minute(p.until), "cut": p.cut} for p in periods
        ],
        "price_plot": price_plot(stored, periods),
        "events": [_event(event) for event in reversed(events[-MAX_EVENTS:])],
        "cut": len(events) > MAX_EVENTS,
    }  # fmt: skip


def price_plot(stored: Stored, periods: Sequence[Period]) -> Plot | None:
    """Draw the history of the prices; None if they never changed."""
    ended = [period.until for period in periods if period.until not in {None, stored.removed_at}]
    if not ended and len({period.since for period in periods}) < 2:  # noqa: PLR2004 - a second start is a price change
        return None
    lines: dict[str, list[tuple[datetime, float | None]]] = {}
    cut = set()
    for period in periods:
        name = escape_bidi(period.resolution)
        if period.cut and name not in lines:
            cut.add(name)
        points = lines.setdefault(name, [])
        if points and points[-1] == (period.since, None):
            points.pop()
        points.append((period.since, float(period.credit)))
        if period.until is not None:
            points.append((period.until, None))
    return step_plot(lines, max([stored.changed_at, *(period.until or period.since for period in periods)]), cut)


def _event(event: Event) -> dict[str, Any]:
    why = _EVIDENCE.get(event.evidence or "")
    return {**event_row(event, {}), "id": "", "at": minute(event.at), "run_id": event.run_id, "why": why}


def _moments(stored: Stored) -> list[tuple[str, str, str, int | None]]:
    found = [
        ("First seen", "首次见到", stored.first_seen_at, stored.first_seen_run_id),
        ("Last changed", "最近变更", stored.changed_at, stored.changed_run_id),
        ("Removed", "移除", stored.removed_at, stored.removed_run_id),
    ]
    return [(en, zh, minute(at), run_id) for en, zh, at, run_id in found if at is not None]


def _facts(document: Document) -> list[tuple[words.Both, words.Both, str]]:
    """Return the fields as name, value, and the stored value if it is a word of an enumeration."""
    found: list[tuple[words.Both, words.Both, str]] = []
    for name in _SHOWN:
        value = document[name]
        if value in (None, "", []):
            continue
        if name in {"template_type", "input_requirement"}:
            found.append((words.field(name), words.word(value), escape_bidi(value)))
            continue
        text = _FORMATS.get(name, str)(value)
        found.append((words.field(name), (escape_bidi(text), escape_bidi(text)), ""))
    for name, value in document["extra"].items():
        found.append((words.field(f"extra.{name}"), (escape_bidi(json_text(value)),) * 2, ""))
    return found


_SHOWN = (
    "template_id", "template_type", "input_requirement", "input_num", "duration_ms", "cover_aspect_ratio", "aspect_ratios",
    "released_at", "media_id", "service_id", "cover_url", "preview_video_url",
)  # fmt: skip
_FORMATS: Mapping[str, Callable[[Any], str]] = {
    "duration_ms": lambda value: f"{value / 1000:.1f} s",
    "aspect_ratios": ", ".join,
    "released_at": lambda value: value[:16].replace("T", " "),
}


def _form(document: Document) -> list[tuple[str, words.Both]]:
    number, requirement = document["input_num"], document["input_requirement"]
    images = "image URLs, in order" if number is None else f"{number} image URL{'' if number == 1 else 's, in order'}"
    images_zh = "图片地址，按顺序" if number is None else f"{number} 个图片地址{'' if number == 1 else '，按顺序'}"
    if requirement:
        en, zh = words.word(requirement)
        images, images_zh = f"{images}: {en[:1].lower()}{en[1:]}", f"{images_zh}：{zh}"
    offered = ", ".join(escape_bidi(item["resolution"]) for item in document["consume_items"])
    template_id = escape_bidi(document["template_id"])
    return [
        ("template_id", (template_id, template_id)),
        ("img_urls", (images, images_zh)),
        ("resolution", (f"one of {offered}", f"其一：{offered}") if offered else ("not stated", "未说明")),
    ]


def _shown_json(value: Any) -> str:
    return "\n".join(map(escape_bidi, json.dumps(value, ensure_ascii=False, indent=2).split("\n")))


def _sql(table: str, template_id: str) -> str:
    quoted = escape_bidi(template_id).replace("'", "''")
    return f"SELECT * FROM {table} WHERE template_id = '{quoted}';"  # noqa: S608 - shown, never executed


def _shell(template_id: str) -> str:
    """Quote an ID for a shell; without `--`, one that begins with a dash would be an option."""
    quoted = shlex.quote(escape_bidi(template_id))
    return f"-- {quoted}" if template_id.startswith("-") else quoted

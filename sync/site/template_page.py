"""The context of one template's page. It does not depend on other templates or on the time of the build."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from sync.forms.form import Form, job_request
from sync.site.data import minute
from sync.site.pages import event_row
from sync.site.plots import step_plot
from sync.text import escape_bidi, json_text

if TYPE_CHECKING:
    from collections.abc import Sequence
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
        "cli": f"template-sync form {_shell(template_id)}{' --removed' if gone else ''} --request",
        "history": [
            {"resolution": escape_bidi(p.resolution), "credit": f"{p.credit.normalize():f}", "since": minute(p.since),
             "until": p.until and minute(p.until)} for p in periods
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
    for period in periods:
        points = lines.setdefault(escape_bidi(period.resolution), [])
        if points and points[-1] == (period.since, None):
            points.pop()
        points.append((period.since, float(period.credit)))
        if period.until is not None:
            points.append((period.until, None))
    return step_plot(lines, max([stored.changed_at, *(period.until or period.since for period in periods)]))


def _event(event: Event) -> dict[str, Any]:
    row = event_row(event, {})
    return {**row, "id": "", "at": minute(event.at), "run_id": event.run_id, "why": _EVIDENCE.get(event.evidence or "")}


def _moments(stored: Stored) -> list[tuple[str, str, str, int | None]]:
    found = [
        ("First seen", "首次见到", stored.first_seen_at, stored.first_seen_run_id),
        ("Last changed", "最近变更", stored.changed_at, stored.changed_run_id),
        ("Removed", "移除", stored.removed_at, stored.removed_run_id),
    ]
    return [(en, zh, minute(at), run_id) for en, zh, at, run_id in found if at is not None]


def _facts(document: Document) -> list[tuple[str, str, str]]:
    duration, released = document["duration_ms"], document["released_at"]
    found = [
        ("Template ID", "模板编号", document["template_id"]),
        ("Type", "类型", document["template_type"]),
        ("Input", "图片要求", document["input_requirement"]),
        ("Images", "图片数", document["input_num"]),
        ("Length", "时长", None if duration is None else f"{duration / 1000:.1f} s"),
        ("Cover ratio", "封面画幅", document["cover_aspect_ratio"]),
        ("Supported ratios", "支持画幅", ", ".join(document["aspect_ratios"])),
        ("Released", "发布时间", released and released[:16].replace("T", " ")),
        ("Media ID", "媒体编号", document["media_id"]),
        ("Service ID", "服务编号", document["service_id"]),
        ("Cover", "封面地址", document["cover_url"]),
        ("Preview", "预览地址", document["preview_video_url"]),
        *(
            (f"extra.{escape_bidi(name)}", f"extra.{escape_bidi(name)}", json_text(value))
            for name, value in document["extra"].items()
        ),
    ]
    return [(en, zh, escape_bidi(str(value))) for en, zh, value in found if value not in {None, ""}]


def _form(document: Document) -> list[tuple[str, str, str]]:
    number = document["input_num"]
    images = "image URLs, in order" if number is None else f"{number} image URL{'' if number == 1 else 's, in order'}"
    images_zh = "图片地址，按顺序" if number is None else f"{number} 个图片地址{'' if number == 1 else '，按顺序'}"
    requirement = escape_bidi(document["input_requirement"] or "")
    offered = ", ".join(escape_bidi(item["resolution"]) for item in document["consume_items"])
    return [
        ("template_id", escape_bidi(document["template_id"]), escape_bidi(document["template_id"])),
        (
            "img_urls",
            f"{images}; {requirement}" if requirement else images,
            f"{images_zh}；{requirement}" if requirement else images_zh,
        ),
        ("resolution", f"one of {offered}" if offered else "not stated", f"其一：{offered}" if offered else "未说明"),
    ]


def _shown_json(value: Any) -> str:
    return "\n".join(map(escape_bidi, json.dumps(value, ensure_ascii=False, indent=2).split("\n")))


def _sql(table: str, template_id: str) -> str:
    quoted = escape_bidi(template_id).replace("'", "''")
    return f"SELECT * FROM {table} WHERE template_id = '{quoted}';"  # noqa: S608 - shown, never executed


def _shell(text: str) -> str:
    return shlex.quote(escape_bidi(text))

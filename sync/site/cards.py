"""The values that pages show of one template, with checked URLs; the page templates escape them."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from math import inf
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sync.catalog.feed import price_moves
from sync.catalog.url_query import address
from sync.text import escape_bidi, iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sync.reader.catalog_dump import CatalogDump, Event
    from sync.reader.stored_templates import Stored

MARK_PERIOD = timedelta(days=14)
"""Age, relative to the newest change, up to which a change is marked. The script of the gallery also compares with now."""
RATIOS = ("9:21", "9:16", "2:3", "3:4", "4:5", "1:1", "5:4", "4:3", "3:2", "16:9", "21:9")
"""The ratios with a class in the style sheet; any other is shown as the nearest of them."""
_RATIOS = [int(across) / int(down) for across, down in (ratio.split(":") for ratio in RATIOS)]
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")
_TONES = 8


def marks_of(dump: CatalogDump) -> tuple[dict[str, str], dict[str, int]]:
    """Return, by template, when it was added, if that is news, and its last price change in percent.

    Both only within `MARK_PERIOD`; the additions of the first fill are not news.
    """
    new: dict[str, str] = {}
    moved: dict[str, int] = {}
    for event in reversed(dump.events):
        if event.at < dump.events[-1].at - MARK_PERIOD:
            break
        if event.kind == "added" and event.run_id > dump.filled_run_id:
            new.setdefault(event.template_id, iso(event.at.replace(microsecond=0)))
        elif (percent := _moved(event)) is not None:
            moved.setdefault(event.template_id, percent)
    return new, moved


def _moved(event: Event) -> int | None:
    for _, old, new in price_moves(event.fields):
        if old and new is not None:
            return round((new - old) / old * 100) or (1 if new > old else -1)  # a change below 0.5 % is shown as 1 %
    return None


def page_name(template_id: str) -> str:
    """Return the file name of a template's page: its ID if that is a plain name, else a hash, as an ID may hold any character."""
    if _PLAIN_NAME.fullmatch(template_id):
        return f"{template_id}.html"
    return f"~{hashlib.sha256(template_id.encode()).hexdigest()[:32]}.html"


def safe_url(url: str | None) -> str | None:
    """Return a URL if a page may request it: https, with a host, without characters that are invalid in a URL; else None."""
    if not url or re.search(r"[\s\x00-\x20\x7f\"'<>\\^`{|}]", url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return url if parts.scheme == "https" and parts.hostname and "@" not in parts.netloc else None


def ratio_class(ratio: str | None) -> int:
    """Return the index of the nearest of `RATIOS`; a value that is no ratio counts as 9:16."""
    try:
        across, down = (float(part) for part in (ratio or "").split(":"))
        wanted = across / down
    except (ValueError, ZeroDivisionError):
        return RATIOS.index("9:16")
    return min(range(len(RATIOS)), key=lambda at: abs(_RATIOS[at] - wanted)) if 0 < wanted < inf else 1


def card(stored: Stored, copies: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of a template's card, without its marks; its page shows the same values.

    The URL of a cover or preview is that of its copy in the site, found by the URL without its query, else the vendor's.
    """
    document = stored.document
    template_id = document["template_id"]
    title, title_en = (escape_bidi(document[name] or "") for name in ("title", "title_en"))
    title_en = title_en or ("" if title else escape_bidi(template_id))
    return {
        "id": template_id,
        "page": page_name(template_id),
        "title": title,
        "title_en": title_en,
        "glyph": ((title_en or title)[:1], (title or title_en)[:1]),
        "cover": _media_url(document["cover_url"], copies),
        "preview": _media_url(document["preview_video_url"], copies),
        "ratio": ratio_class(document["cover_aspect_ratio"]),
        "tone": int(hashlib.sha256(template_id.encode()).hexdigest()[:4], 16) % _TONES,
        "price": price_range(item["credit"] for item in document["consume_items"]),
        "tags": [(escape_bidi(tag["name"]), escape_bidi(tag["name_en"] or tag["name"])) for tag in document["tags"]],
    }


def _media_url(url: str | None, copies: Mapping[str, str]) -> str | None:
    return copies.get(address(url) or "") or safe_url(url)


def price_range(credits_: Iterable[float]) -> str | None:
    """Return the lowest and the highest price as text; None if there is none."""
    ordered = sorted(credits_)
    if not ordered:
        return None
    return f"{ordered[0]}" if ordered[0] == ordered[-1] else f"{ordered[0]} – {ordered[-1]}"

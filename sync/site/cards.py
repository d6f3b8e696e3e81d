"""What a page says of one template, in plain words and checked addresses; escaping is the page's own business."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sync.catalog.field_changes import price_moves
from sync.catalog.url_query import address
from sync.text import escape_bidi

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sync.catalog.document import Document
    from sync.reader.catalog_dump import CatalogDump, Event
    from sync.reader.stored_templates import Stored

NEWS = timedelta(days=7)
"""How long before the newest change of all a change is still news. Not "before now": a page must not change by itself."""
RATIOS = ("9:21", "9:16", "2:3", "3:4", "4:5", "1:1", "5:4", "4:3", "3:2", "16:9", "21:9")
"""Those that the style sheet has a class for; another one is shown in the nearest."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}")
_TONES = 8


@dataclass(frozen=True, slots=True)
class News:
    """What marks a card: that it is new, and by how many hundredths a price of it moved last, if one did."""

    new: bool = False
    moved: int | None = None


def news_of(whole: CatalogDump) -> Mapping[str, News]:
    """Find what is news, by template: what was added after the first run, and whose price moved, in the newest week."""
    if not whole.events:
        return {}
    since = whole.events[-1].at - NEWS
    found: dict[str, News] = {}
    for event in reversed(whole.events):
        if event.at < since:
            break
        later = found.get(event.template_id, News())
        if event.kind == "added" and event.run_id != whole.first_run_id:
            found[event.template_id] = replace(later, new=True)
        elif later.moved is None and (moved := _moved(event)) is not None:
            found[event.template_id] = replace(later, moved=moved)
    return found


def _moved(event: Event) -> int | None:
    for _, old, new in price_moves(event.fields):
        if old and new is not None:
            return round((new - old) / old * 100) or (1 if new > old else -1)  # a mark of nothing would be none
    return None


def page_name(template_id: str) -> str:
    """Name a template's page: by its id where that is a plain name, else by a hash of it (an id is a stranger's word)."""
    if _PLAIN_NAME.fullmatch(template_id):
        return f"{template_id}.html"
    return f"~{hashlib.sha256(template_id.encode()).hexdigest()[:32]}.html"


def safe_url(url: str | None) -> str | None:
    """Give an address only if a page may ask for it: https, with a host, and nothing in it that is no address."""
    if not url or re.search(r"[\s\x00-\x20\x7f\"'<>\\^`{|}]", url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return url if parts.scheme == "https" and parts.hostname and "@" not in parts.netloc else None


def ratio_class(ratio: str | None) -> int:
    """Choose the nearest of `RATIOS` for a ratio such as 9:16; what is no such ratio counts as that one."""
    try:
        across, down = (float(part) for part in (ratio or "").split(":"))
        wanted = across / down
    except (ValueError, ZeroDivisionError):
        return RATIOS.index("9:16")
    return min(range(len(RATIOS)), key=lambda at: abs(_value(RATIOS[at]) - wanted)) if 0 < wanted < 10**6 else 1


def _value(ratio: str) -> float:
    across, _, down = ratio.partition(":")
    return int(across) / int(down)


@dataclass(frozen=True, slots=True)
class Media:
    """Where pages find pictures and videos: a copy beside the site, by the address without its query, else the vendor's own."""

    copies: Mapping[str, str]

    def url(self, wanted: str | None) -> str | None:
        """Give what a page at the site's root refers to."""
        return self.copies.get(address(wanted) or "") or safe_url(wanted)


def card(stored: Stored, media: Media) -> dict[str, Any]:
    """Collect what a template's card shows, but for what is news; its own page shows the same."""
    document = stored.document
    template_id = document["template_id"]
    return {
        "id": template_id,
        "page": page_name(template_id),
        "title": escape_bidi(document["title"] or ""),
        "title_en": escape_bidi(document["title_en"] or ("" if document["title"] else template_id)),
        "cover": media.url(document["cover_url"]),
        "preview": media.url(document["preview_video_url"]),
        "ratio": ratio_class(document["cover_aspect_ratio"]),
        "tone": int(hashlib.sha256(template_id.encode()).hexdigest()[:4], 16) % _TONES,
        "price": price_range(item["credit"] for item in document["consume_items"]),
        "tags": [(escape_bidi(tag["name"]), escape_bidi(tag["name_en"] or tag["name"])) for tag in document["tags"]],
    }


def price_range(credits_: Iterable[float]) -> str | None:
    """Write the lowest and the highest price, such as 166.5 and 355.2; None if there is none."""
    ordered = sorted(credits_)
    if not ordered:
        return None
    return f"{ordered[0]}" if ordered[0] == ordered[-1] else f"{ordered[0]} – {ordered[-1]}"


def names_of(document: Document) -> tuple[str, str]:
    """Give what a template is called in Chinese and in English: the other language, or the id, where one is missing."""
    zh, en = (escape_bidi(document[name] or "") for name in ("title", "title_en"))
    fallback = escape_bidi(document["template_id"])
    return zh or en or fallback, en or zh or fallback

"""The pages and what they show. Only this module uses Jinja2, which escapes the catalog's text; URLs are checked before.

The page of a template does not depend on other templates or on the time of the build.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from functools import lru_cache
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from sync.errors import MissingExtra
from sync.forms.form import Form
from sync.site import words
from sync.site.data import MAX_CHANGES, breaking, minute, newest
from sync.site.plots import catalog_plots, price_plot
from sync.text import escape_bidi, json_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sync.catalog.document import Document
    from sync.reader.catalog_dump import CatalogDump, Event
    from sync.reader.stored_templates import Stored

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https:; media-src 'self' https:; base-uri 'none'; "
    "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""The content security policy; it also applies to pages opened from the disk."""
FIRST_CARDS = 60
"""Cards in the page itself; a script creates the others from the data as the reader scrolls."""
FIRST_CHANGES = 100
MAX_EVENTS = 200
MAX_IMAGES = 50
"""Images up to which the request is shown: a catalog may require a million, and each page would have 50 MB."""
_EVIDENCE = {
    "lookup": ("no longer listed, and not found by its id", "目录不再列出，按编号也查不到"),
    "walks": ("missing from two complete listings", "两次完整列表中均缺失"),
    "accepted": ("no longer listed, and accepted by an operator", "目录不再列出，已由人工确认"),
}
_BLANK_CARD = {
    "id": "", "page": "", "title": "-", "title_en": "_", "glyph": ("_", "-"), "cover": "#", "preview": "#", "ratio": 1, "tone": 0,
    "price": "0", "tags": [("-", "_")], "new": "-", "moved": 0,
}  # fmt: skip
_BLANK_EVENT = {"kind": "added", "id": "", "c": _BLANK_CARD, "breaking": ("_", "-"), "fields": (), "why": None}


class Pages:
    """Renders pages. `assets` maps the path in the site of each asset to its content."""

    def __init__(self, site_url: str | None) -> None:
        """Load the page templates; `site_url` is the public URL of the site, with a slash at the end, if it is known.

        Raises:
            MissingExtra: Jinja2 is not installed.
        """
        try:
            from jinja2 import Environment, PackageLoader, StrictUndefined
        except ModuleNotFoundError:
            raise MissingExtra("The gallery", "Jinja2", "site") from None
        self._loader = PackageLoader("sync.site")
        self._environment = Environment(
            loader=self._loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._environment.filters["say"] = lru_cache(4096)(_say)
        self._site_url = site_url
        self.assets: dict[str, bytes] = {}
        self._asset_paths = {}
        for file in sorted((files("sync.site") / "assets").iterdir(), key=lambda file: file.name):
            content, (stem, _, kind) = file.read_bytes(), file.name.rpartition(".")
            path = f"assets/{stem}-{hashlib.sha256(content).hexdigest()[:12]}.{kind}"
            self.assets[path], self._asset_paths[file.name] = content, path

    def render(self, name: str, path: str, context: Mapping[str, Any]) -> str:
        """Render one page for a path within the site."""
        canonical = None if self._site_url is None else self._site_url + quote(path)
        up = "../" * path.count("/")
        text: str = self._environment.get_template(name).render(
            context, up=up, here=path.removesuffix(".html"), canonical=canonical, assets=self._asset_paths, policy=POLICY
        )
        return text

    @property
    def sources(self) -> str:
        """The text of all page templates and the paths of the assets, to detect that pages must be rendered again."""
        names = self._loader.list_templates()
        return "".join([*self.assets, *(self._loader.get_source(self._environment, name)[0] for name in names)])


def _say(en: str, zh: str) -> Any:
    """Return a text in both languages; the style sheet shows the language of <html lang>. Equal texts are returned once."""
    from markupsafe import Markup, escape

    if en == zh:
        return escape(en)
    return Markup('<span class="say" lang="en">{}</span><span class="say" lang="zh-CN">{}</span>').format(en, zh)


def gallery(cards: Sequence[dict[str, Any]], data: str) -> dict[str, Any]:
    """Return the context of the gallery: the first cards; the data file has all."""
    return {"cards": cards[:FIRST_CARDS], "total": len(cards), "data": data, "blank": _BLANK_CARD}


def changes(dump: CatalogDump, cards: Mapping[str, dict[str, Any]], data: str) -> dict[str, Any]:
    """Return the context of the page of changes: held removals, rejected records, plots, the first changes by day and run."""
    first = newest(dump.events, FIRST_CHANGES)[:FIRST_CHANGES]
    days = [
        {
            "date": day,
            "runs": [
                {"run_id": run_id, "time": minute(same[0].at)[11:], "events": [event_row(event, cards) for event in same]}
                for run_id, same in ((run_id, list(each)) for run_id, each in groupby(on_day, key=lambda event: event.run_id))
            ],
        }
        for day, on_day in groupby(first, key=lambda event: minute(event.at)[:10])
    ]
    return {
        "days": days, "total": len(dump.events), "data": data,
        "older_since": dump.overview.oldest_seq - 1 if len(dump.events) > MAX_CHANGES else None,
        "plots": catalog_plots(dump), "blank": _BLANK_EVENT,
        "held": [(run_id, cards.get(template_id), escape_bidi(template_id)) for template_id, run_id in dump.held.items()],
        "pruned": dump.overview.oldest_seq > 1,
        "rejected": [(escape_bidi(template_id or ""), escape_bidi(reason)) for template_id, reason in dump.rejected.first],
        "more_rejected": dump.rejected.count - len(dump.rejected.first),
    }  # fmt: skip


def event_row(event: Event, cards: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the context of one change; without a card it is shown by its ID, without a link."""
    return {
        "kind": event.kind,
        "id": escape_bidi(event.template_id),
        "c": cards.get(event.template_id),
        "breaking": breaking(event),
        "fields": [(words.field(each["field"]), words.change(each)) for each in event.fields],
        "why": None,
    }


def template(
    stored: Stored, card: dict[str, Any], dump: CatalogDump, events: Sequence[Event], api_url: str
) -> dict[str, Any]:  # fmt: skip
    """Return the context of a template's page: its card, its changes (oldest first), and a request to the API at `api_url`."""
    document, gone = stored.document, stored.removed_at is not None
    template_id = document["template_id"]
    periods = dump.periods.get(template_id, ())
    beside = {name: f"../{url}" for name in ("cover", "preview") if (url := card[name]) and url.startswith("media/")}
    form, quoted = Form(document), escape_bidi(template_id).replace("'", "''")
    return {
        "c": {**card, **beside},
        "gone": gone,
        "held_since": dump.held.get(template_id),
        "tag_links": [urlencode({"tag": name_en}) for _, name_en in card["tags"]],  # as in the data of the gallery
        "prices": [(escape_bidi(item["resolution"]), item["credit"]) for item in document["consume_items"]],
        "moments": [
            (en, zh, minute(at), run_id) for en, zh, at, run_id in (
                ("First seen", "首次见到", stored.first_seen_at, stored.first_seen_run_id),
                ("Last changed", "最近变更", stored.changed_at, stored.changed_run_id),
                ("Removed", "移除", stored.removed_at, stored.removed_run_id),
            ) if at is not None
        ],
        "facts": _facts(document),
        "form": _form(document),
        "request": None if (document["input_num"] or 0) > MAX_IMAGES else _request_body(form, api_url),
        "sql": f"SELECT * FROM {'templates' if gone else 'current_templates'} WHERE template_id = '{quoted}';",  # noqa: S608 - shown
        "cli": f"template-sync form{' --removed' if gone else ''} --request {_shell(template_id)}",
        "history": [
            {"resolution": escape_bidi(p.resolution), "credit": f"{p.credit.normalize():f}", "since": minute(p.since),
             "until": p.until and minute(p.until), "cut": p.cut} for p in periods
        ],
        "price_plot": price_plot(stored, periods),
        "events": [_event(event) for event in reversed(events[-MAX_EVENTS:])],
        "cut": len(events) > MAX_EVENTS,
    }  # fmt: skip


def _event(event: Event) -> dict[str, Any]:
    why = _EVIDENCE.get(event.evidence or "")
    return {**event_row(event, {}), "id": "", "at": minute(event.at), "run_id": event.run_id, "why": why}


def _facts(document: Document) -> list[tuple[words.Both, words.Both, str]]:
    """Return the fields as name, value, and the stored value if it is a word of an enumeration."""
    found: list[tuple[words.Both, words.Both, str]] = []
    for name in _SHOWN:
        value = document[name]
        if value in (None, "", []):
            continue
        stored = escape_bidi(value) if name in words.ENUMERATED else ""
        if name == "released_at":
            value = value[:16].replace("T", " ")
        found.append((words.field(name), words.value(name, value), stored))
    for name, value in document["extra"].items():
        found.append((words.field(f"extra.{name}"), (escape_bidi(json_text(value)),) * 2, ""))
    return found


_SHOWN = (
    "template_id", "template_type", "input_requirement", "input_num", "duration_ms", "cover_aspect_ratio", "aspect_ratios",
    "released_at", "media_id", "service_id", "cover_url", "preview_video_url",
)  # fmt: skip


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


def _request_body(form: Form, api_url: str) -> str:
    body = form.request(form.example(), base_url=api_url)["body"]
    return "\n".join(map(escape_bidi, json.dumps(body, ensure_ascii=False, indent=2).split("\n")))


def _shell(template_id: str) -> str:
    """Quote an ID for a shell; without `--`, one that begins with a dash would be an option."""
    quoted = shlex.quote(escape_bidi(template_id))
    return f"-- {quoted}" if template_id.startswith("-") else quoted

"""Render the pages; the only user of Jinja2, which escapes the catalog's text. URLs are checked before."""

from __future__ import annotations

from functools import cached_property, lru_cache
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sync.errors import MissingExtra
from sync.site import words
from sync.site.data import breaking, minute, newest
from sync.site.plots import catalog_plots
from sync.text import escape_bidi

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sync.reader.catalog_dump import CatalogDump, Event

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https:; media-src 'self' https:; base-uri 'none'; "
    "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
"""The content security policy; it also applies to pages opened from the disk."""
FIRST_CARDS = 60
"""Cards in the page itself; a script creates the others from the data as the reader scrolls."""
FIRST_CHANGES = 100
_BLANK_CARD = {
    "id": "", "page": "", "title": "-", "title_en": "_", "glyph": ("_", "-"), "cover": "#", "preview": "#", "ratio": 1, "tone": 0,
    "price": "0", "tags": [("-", "_")], "new": "-", "moved": 0,
}  # fmt: skip
_BLANK_EVENT = {"kind": "added", "id": "", "c": _BLANK_CARD, "breaking": ("_", "-"), "fields": (), "why": None}


class Pages:
    """Renders pages.

    Args:
        assets: path of each asset in this site.
        site_url: public URL of the site, with a slash at the end, if it is known.

    Raises:
        MissingExtra: Jinja2 is not installed.
    """

    def __init__(self, assets: Mapping[str, str], site_url: str | None) -> None:
        try:
            from jinja2 import Environment, FunctionLoader, StrictUndefined
        except ModuleNotFoundError:
            raise MissingExtra("The gallery", "Jinja2", "site") from None
        folder = files("sync.site") / "templates"
        self._environment = Environment(
            loader=FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters["say"] = lru_cache(4096)(_say)
        self._shared = {"assets": assets, "policy": POLICY}
        self._site_url = site_url

    def render(self, name: str, path: str, context: Mapping[str, Any]) -> str:
        """Render one page for a path within the site."""
        canonical = None if self._site_url is None else self._site_url + quote(path)
        up = "../" * path.count("/")
        here = path.removesuffix(".html")
        template = self._environment.get_template(name)
        text: str = template.render(context, up=up, here=here, canonical=canonical, **self._shared)
        return text

    @cached_property
    def sources(self) -> str:
        """The text of all page templates, to detect that pages must be rendered again."""
        found = sorted((files("sync.site") / "templates").iterdir(), key=lambda file: file.name)
        return "".join(file.read_text(encoding="utf-8") for file in found)


def _say(en: str, zh: str) -> Any:
    """Return a text in both languages; the style sheet shows the language of <html lang>. Equal texts are returned once."""
    from markupsafe import Markup, escape

    if en == zh:
        return escape(en)
    return Markup('<span class="say" lang="en">{}</span><span class="say" lang="zh-CN">{}</span>').format(en, zh)


def gallery(cards: Sequence[dict[str, Any]], data: str) -> dict[str, Any]:
    """Return the context of the gallery: the first cards; the data file has all."""
    return {"cards": cards[:FIRST_CARDS], "total": len(cards), "data": data, "blank": _BLANK_CARD}


def changes(dump: CatalogDump, cards: Mapping[str, dict[str, Any]], data: str, *, cut: bool) -> dict[str, Any]:
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
        "days": days, "total": len(dump.events), "cut": cut, "data": data, "plots": catalog_plots(dump), "blank": _BLANK_EVENT,
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

"""What the pages' scripts work on: one assignment a file, because a page opened from the disk can fetch nothing.

Ten thousand templates are sent as arrays by position, with words and the beginnings of addresses in dictionaries: a third of the
bytes, and half the time to read them. `gallery.js` and `changes.js` name the positions.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sync.site.cards import names_of, page_name
from sync.terminal.changes import field_change
from sync.text import escape_bidi, iso, json_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sync.reader.catalog_dump import CatalogDump, Event
    from sync.reader.status import Overview
    from sync.reader.stored_templates import Stored

MOST_CHANGES = 5000
"""Changes that the page of changes holds, the newest."""
_KINDS = ("added", "changed", "removed")


class _Words:
    """Numbers values in the order in which they come."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}

    def number(self, value: Any) -> int:
        return self.numbers.setdefault(value, len(self.numbers))


def script(name: str, value: Any) -> str:
    """Write one assignment. Nothing in it can end a script or begin markup, wherever somebody pastes it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return f"window.{name} = {escape_bidi(text)};\n"


def catalog_data(rows: Sequence[tuple[dict[str, Any], Stored]]) -> str:
    """Write the gallery's data: the cards, as `sync.site.cards.card` makes them, newest first, with what is filtered by."""
    heads, types, needs, resolutions, ratios, tags = (_Words() for _ in range(6))

    def packed(url: str | None) -> list[Any] | None:
        if url is None:
            return None
        head, slash, rest = url.rpartition("/")
        return [heads.number(head + slash), rest]

    data = []
    for card, stored in rows:
        document = stored.document
        prices: list[Any] = []
        for item in document["consume_items"]:
            prices += [resolutions.number(escape_bidi(item["resolution"])), item["credit"]]
        row = [
            card["id"], card["title"], card["title_en"], packed(card["cover"]), packed(card["preview"]),
            card["ratio"], card["tone"],
            _word(types, document["template_type"]), _word(needs, document["input_requirement"]), document["input_num"],
            [tags.number(tag) for tag in card["tags"]], prices,
            [ratios.number(escape_bidi(ratio)) for ratio in document["aspect_ratios"]], int(card["new"]), card["moved"],
        ]  # fmt: skip
        data.append(row if card["page"] == f"{card['id']}.html" else [*row, card["page"]])
    named = {
        "heads": heads, "types": types, "needs": needs, "resolutions": resolutions, "ratios": ratios, "tags": tags,
    }  # fmt: skip
    return script("catalogData", {"words": {name: list(words.numbers) for name, words in named.items()}, "rows": data})


def _word(words: _Words, word: str | None) -> int | None:
    return None if word is None else words.number(escape_bidi(word))


def changes_data(whole: CatalogDump, known: Mapping[str, Stored]) -> str:
    """Write the newest changes, newest first, with what their fields say as text."""
    fields, templates = _Words(), _Words()
    rows = []
    for event in newest(whole.events, MOST_CHANGES):
        told = [[fields.number(field), text] for field, text in fields_of(event)]
        rows.append(
            [event.run_id, minute(event.at), templates.number(event.template_id), _KINDS.index(event.kind), told,
             ", ".join(map(escape_bidi, event.breaking)) if event.kind == "changed" else ""]
        )  # fmt: skip
    called = [[template_id, *called_as(template_id, known)] for template_id in templates.numbers]
    return script("changesData", {"fields": list(fields.numbers), "templates": called, "rows": rows})


def called_as(template_id: str, known: Mapping[str, Stored]) -> tuple[str, str, str | None]:
    """Give a template's two names and its page; no page where what it was is no longer kept."""
    if template_id not in known:
        return "", "", None
    return (*names_of(known[template_id].document), f"templates/{page_name(template_id)}")


def newest(events: Sequence[Event], most: int) -> list[Event]:
    """Give the newest, newest first; of one run, in the feed's order."""
    return sorted(events[-most:], key=lambda event: (-event.run_id, event.seq))


def fields_of(event: Event) -> list[tuple[str, str]]:
    """Write what changed in each field, old → new."""
    return [(escape_bidi(told["field"]), field_change(told)) for told in event.fields]


def minute(moment: datetime) -> str:
    """Write a moment for people, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M}"


def freshness(now: Overview, rejected: int, stale_after: float) -> str:
    """Write what tells every page how old it is: the one file that a run rewrites that found nothing new.

    Args:
        now: how things stand.
        rejected: records that were set aside.
        stale_after: seconds after which a page says that it may be out of date.
    """
    ended = now.last_success.finished_at if now.last_success else None
    return script(
        "freshness",
        {
            "last_success_at": None if ended is None else iso(ended),
            "stale_after_seconds": stale_after,
            "present": now.present,
            "held": now.held,
            "rejected": rejected,
            "cursor": now.cursor,
        },
    )


def array(values: Sequence[Any]) -> str:
    """Write a JSON array, a value a line."""
    return "[\n" + ",\n".join(map(json_text, values)) + "\n]\n" if values else "[]\n"

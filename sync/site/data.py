"""The data of the pages' scripts: each file is one assignment, because a page opened from the disk cannot fetch files.

Templates are arrays, and repeated words and URL prefixes are numbers, which makes the files three times smaller. `gallery.js` and
`changes.js` name the positions.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sync.site import words
from sync.text import escape_bidi, iso, json_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sync.reader.catalog_dump import CatalogDump, Event
    from sync.reader.status import Overview
    from sync.reader.stored_templates import Stored

MAX_CHANGES = 5000
"""Number of newest changes in the page of changes."""
_KINDS = ("added", "changed", "removed")


class _Numbers:
    """Assigns numbers to values in the order of their first occurrence."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}

    def number(self, value: Any) -> int:
        return self.numbers.setdefault(value, len(self.numbers))

    def url(self, url: str | None) -> list[Any] | None:
        """Split a URL into the number of its beginning, and the rest."""
        if url is None:
            return None
        head, slash, rest = url.rpartition("/")
        return [self.number(head + slash), rest]


def script(name: str, value: Any) -> str:
    """Return one assignment; `<`, `>` and `&` are escaped, so that the text cannot end a script or begin markup."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return f"window.{name} = {escape_bidi(text)};\n"


def catalog_data(cards: Sequence[dict[str, Any]], newest_first: Sequence[Stored]) -> str:
    """Return the data of the gallery: the cards and marks of these templates, with the values of the filters."""
    heads, types, needs, resolutions, ratios, tags = (_Numbers() for _ in range(6))
    data = []
    for card, stored in zip(cards, newest_first, strict=True):
        document = stored.document
        prices: list[Any] = []
        for item in document["consume_items"]:
            prices += [resolutions.number(escape_bidi(item["resolution"])), item["credit"]]
        row = [
            card["id"], card["title"], card["title_en"], heads.url(card["cover"]), heads.url(card["preview"]),
            card["ratio"], card["tone"],
            _word(types, document["template_type"]), _word(needs, document["input_requirement"]), document["input_num"],
            [tags.number(tag) for tag in card["tags"]], prices,
            [ratios.number(escape_bidi(ratio)) for ratio in document["aspect_ratios"]], card["new"], card["moved"],
        ]  # fmt: skip
        data.append(row if card["page"] == f"{card['id']}.html" else [*row, card["page"]])
    named = {
        "heads": heads, "types": types, "needs": needs, "resolutions": resolutions, "ratios": ratios, "tags": tags,
    }  # fmt: skip
    return script("catalogData", {"words": {name: list(found.numbers) for name, found in named.items()}, "rows": data})


def _word(found: _Numbers, word: str | None) -> int | None:
    return None if word is None else found.number((escape_bidi(word), *words.word(word)))


def changes_data(dump: CatalogDump, cards: Mapping[str, dict[str, Any]]) -> str:
    """Return the newest changes, newest first, with their field changes as text."""
    fields, templates, heads = _Numbers(), _Numbers(), _Numbers()
    rows = []
    for event in newest(dump.events, MAX_CHANGES):
        texts = []
        for change in event.fields:
            number = fields.number((escape_bidi(change["field"]), *words.field(change["field"])))
            en, zh = words.change(change)
            texts.append([number, en] if en == zh else [number, en, zh])
        rows.append([event.run_id, minute(event.at), templates.number(event.template_id), _KINDS.index(event.kind), texts,
                     breaking(event)])  # fmt: skip
    named = [
        [card["id"], card["title"], card["title_en"], f"templates/{card['page']}", heads.url(card["cover"]), card["tone"]]
        if (card := cards.get(template_id)) else [escape_bidi(template_id)]
        for template_id in templates.numbers
    ]  # fmt: skip
    values = {"fields": list(fields.numbers), "templates": named, "heads": list(heads.numbers), "rows": rows}
    return script("changesData", values)


def newest(events: Sequence[Event], most: int) -> list[Event]:
    """Return the newest `most` changes, newest run first; within a run in the order of the feed."""
    return sorted(events[-most:], key=lambda event: (-event.run_id, event.seq))


def breaking(event: Event) -> words.Both | None:
    """Return why a change breaks callers, if it does; that of a removal is evident."""
    return words.reasons(event.breaking) if event.breaking and event.kind == "changed" else None


def minute(moment: datetime) -> str:
    """Format a time for people, in UTC."""
    return moment.isoformat(" ", "minutes")[:16]  # four times faster than strftime, for ten times per page


def freshness(now: Overview, rejected: int, stale_after: float) -> str:
    """Return the data from which every page computes its age; a run without changes rewrites only this file.

    A page reports that it may be out of date from an age of `stale_after` seconds. `rejected` is a number of records.
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


def array(values: Iterable[Any]) -> bytes:
    """Return a JSON array with one value per line, in UTF-8: as text it would take four times the memory, because of an emoji."""
    lines = b",\n".join(json_text(value).encode("utf-8", "backslashreplace") for value in values)
    return b"[\n" + lines + b"\n]\n" if lines else b"[]\n"

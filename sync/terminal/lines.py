"""PURE. Lines of text: colours and widths; changes, prices, titles and the summary of a run; changes as an Atom feed (RFC 4287).

Coloured text contains marks instead of escape sequences; only `render` inserts those, so the catalog's text cannot. The marks are
Unicode noncharacters, which `escape_control_characters` escapes in any other text.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from sync.text import count_of, escape_control_characters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from xml.etree import ElementTree as ET

    from sync.catalog.document import Document
    from sync.catalog.feed import FieldChange
    from sync.catalog.run_record import Run


_END = "\ufdd0"
_BEGIN = {"bold": "\ufdd1", "red": "\ufdd2", "green": "\ufdd3", "yellow": "\ufdd4"}
_SEQUENCES = {_END: "\x1b[0m", "\ufdd1": "\x1b[1m", "\ufdd2": "\x1b[31m", "\ufdd3": "\x1b[32m", "\ufdd4": "\x1b[33m"}
_MARKS = re.compile(f"([{''.join(_SEQUENCES)}])")


def mark(text: str, color: str) -> str:
    """Mark a text as bold, red, green or yellow."""
    return f"{_BEGIN[color]}{text}{_END}"


def render(line: str, *, colored: bool) -> str:
    """Replace marks by colours, or remove them; escape control characters."""
    parts = _MARKS.split(line)
    for place, part in enumerate(parts):
        if part in _SEQUENCES:
            parts[place] = _SEQUENCES[part] if colored else ""
        else:
            parts[place] = escape_control_characters(part)
    return "".join(parts)


def wide(text: str) -> int:
    """Return the number of terminal columns of a text."""
    import wcwidth  # imported here, because only listings need it

    return max(0, wcwidth.wcswidth(text))


def pad(text: str, width: int) -> str:
    """Pad a text with spaces to a width in columns."""
    return text + " " * (width - wide(text))


def cut(text: str, width: int) -> str:
    """Truncate a text to a width in columns, with an ellipsis."""
    import wcwidth

    if wide(text) <= width:
        return text
    taken, used = [], 0
    for char in text:
        used += max(0, wcwidth.wcwidth(char))
        if used > width - 1:
            break
        taken.append(char)
    return "".join(taken) + "…"


SIGNS = {"added": "+", "changed": "~", "removed": "-"}


def summary(run: Run) -> str:
    """Return the result of a run in one line."""
    counts = [f"{SIGNS[kind]}{getattr(run, kind)} {kind}" for kind in ("added", "changed", "removed") if getattr(run, kind)]
    if run.unchanged:
        counts.append(f"{run.unchanged} unchanged")
    if run.rejected:
        counts.append(f"{run.rejected} rejected")
    if run.held:
        counts.append(f"{count_of(run.held, 'removal')} held")
    if run.unconfirmed:
        counts.append(f"{count_of(run.unconfirmed, 'missing template')} unconfirmed")
    nothing = not (run.changes or run.rejected or run.held or run.unconfirmed)
    text = f"no changes ({count_of(run.seen, 'template')} checked)" if nothing else "  ".join(counts)
    where = "dry run, nothing written" if run.run_id is None else f"run {run.run_id}"
    return f"{text}  ({where}, {count_of(run.pages, 'page')}, {run.seconds or 0:.2f} s)"


COLORS = {"added": "green", "changed": "yellow", "removed": "red"}


def change_lines(change: Mapping[str, Any]) -> list[str]:
    """Format a row of the feed: a marked line for the template, and for `changed` one more line per field, old → new.

    Title and prices are those in `document`, for a removal in `before`.
    """
    kind, document = change["kind"], change.get("document") or change.get("before") or {}
    head = f"{SIGNS[kind]} {escape_control_characters(change['template_id'])}  {title(document)}".rstrip()
    if kind == "added":
        head += f"  {prices(document)}"
    if kind == "removed" and change.get("evidence"):
        head += f"  ({_EVIDENCE.get(change['evidence'], change['evidence'])})"
    fields = change.get("fields") or ()
    width = max((wide(escape_control_characters(each["field"])) for each in fields), default=0)
    return [
        mark(head.rstrip(), COLORS[kind]),
        *(f"    {pad(escape_control_characters(each['field']), width)}  {field_change(each)}" for each in fields),
    ]


_EVIDENCE = {
    "lookup": "no longer listed, and not found by its id",
    "walks": "missing from two complete listings",
    "accepted": "no longer listed, and accepted by an operator",
}


def field_change(change: FieldChange) -> str:
    """Format the change of one field: old → new, or for tags those gained and lost."""
    if change["field"] == "tags":
        gained = [f"+{tag_text(tag)}" for tag in change.get("gained", ())]
        return "  ".join(gained + [f"-{tag_text(tag)}" for tag in change.get("lost", ())])
    old, new = (value_text(change[side]) if change.get("absent") != side else "(absent)" for side in ("old", "new"))
    return f"{old} → {new}"


def value_text(value: Any) -> str:
    """Format a JSON value on one line."""
    if value is None:
        return "(none)"
    if isinstance(value, str):
        return escape_control_characters(value) or '""'
    if isinstance(value, list):
        return ", ".join(map(value_text, value)) or "(none)"
    # keys are sorted, because PostgreSQL returns them in another order than the API
    text = json.dumps(value, ensure_ascii=False, sort_keys=True) if isinstance(value, dict | bool) else str(value)
    return escape_control_characters(text)


def tag_text(tag: Mapping[str, Any]) -> str:
    """Format a tag in both languages."""
    return escape_control_characters(f"{tag['name_en']} ({tag['name']})" if tag["name_en"] else tag["name"])


def title(document: Document) -> str:
    """Format the title of a template, English first."""
    both = [escape_control_characters(text) for text in (document.get("title_en"), document.get("title")) if text]
    return " · ".join(both)


def prices(document: Document) -> str:
    """Format the prices of a template."""
    return "  ".join(
        f"{escape_control_characters(item['resolution'])} {item['credit']}" for item in document.get("consume_items", ())
    )


# Atom -----------------------------------------------------------------------------------------------------------------


ATOM = "http://www.w3.org/2005/Atom"
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_AUTHORITY = "tag:crun-template-sync,2026:"
_NEVER = "1970-01-01T00:00:00Z"
_VERBS = {"added": "New", "changed": "Changed", "removed": "Removed"}


def as_atom(changes: Sequence[Mapping[str, Any]], epoch: str, *, self_url: str | None = None) -> str:
    """Return changes as a feed, the newest first.

    Args:
        changes: as `changes --json` prints them, oldest first.
        epoch: the epoch of the change feed, for the ID of this feed.
        self_url: public URL of this feed, if it is known.
    """
    from xml.etree import ElementTree as ET  # imported here, because only `export --format atom` and the gallery need it

    feed = ET.Element("feed", {"xmlns": ATOM})
    _put(feed, "id", f"{_AUTHORITY}feed:{epoch}")
    _put(feed, "title", "ByteDance video-effect templates on Crun", type="text")
    _put(feed, "updated", changes[-1]["at"] if changes else _NEVER)
    _put(_put(feed, "author"), "name", "crun-template-sync")
    if self_url is not None:
        _put(feed, "link", rel="self", href=self_url)
    for change in reversed(changes):
        entry = _put(feed, "entry")
        name = title(change["document"] or change["before"] or {}) or change["template_id"]
        _put(entry, "id", f"{_AUTHORITY}change:{change['cursor']}")
        _put(entry, "title", f"{_VERBS[change['kind']]}: {name}", type="text")
        _put(entry, "updated", change["at"])
        _put(entry, "category", term=change["kind"])
        _put(entry, "content", "\n".join(render(line, colored=False) for line in change_lines(change)), type="text")
    ET.indent(feed)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(feed, encoding="unicode") + "\n"


def _put(parent: ET.Element, name: str, text: str = "", **attributes: str) -> ET.Element:
    from xml.etree import ElementTree as ET

    safe = {key: _FORBIDDEN.sub("\ufffd", value) for key, value in attributes.items()}
    element = ET.SubElement(parent, name, safe)
    element.text = _FORBIDDEN.sub("\ufffd", text) or None
    return element

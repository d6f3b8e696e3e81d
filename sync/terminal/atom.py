"""PURE. The newest changes as an Atom feed (RFC 4287): one entry per change, text without markup.

Characters that XML forbids are replaced, because ElementTree writes them unchanged and the document would be unreadable.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from sync.terminal.changes import change_lines, title

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
        _put(entry, "content", "\n".join(change_lines(change)), type="text")
    ET.indent(feed)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(feed, encoding="unicode") + "\n"


def _put(parent: ET.Element, name: str, text: str = "", **attributes: str) -> ET.Element:
    safe = {key: _FORBIDDEN.sub("\ufffd", value) for key, value in attributes.items()}
    element = ET.SubElement(parent, name, safe)
    element.text = _FORBIDDEN.sub("\ufffd", text) or None
    return element

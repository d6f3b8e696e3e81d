"""A change as `changes --json` prints it, cut down to what rules and messages look at."""

from __future__ import annotations

from typing import Any

from sync.catalog.feed import breaking
from sync.catalog.parsing import parse_record
from sync.reader.stored_templates import printed

CURSOR = "0123456789ab-7-00112233445566778899aabb"


def change(kind: str = "changed", *fields: dict[str, Any], template_id: str = "1", **document: Any) -> dict[str, Any]:
    """Make one; `document` replaces what the template is after it, or for a removal was before."""
    whole = {
        **printed(parse_record({"TemplateId": "1"}) | {"template_id": template_id}),
        "template_type": "BEGIN_END_FRAME",
        "tags": [{"name": "热门", "name_en": "Trending"}],
        **document,
    }
    return {
        "seq": 7,
        "run_id": 3,
        "at": "2026-01-01T00:00:00Z",
        "template_id": template_id,
        "kind": kind,
        "fields": list(fields),
        "evidence": "lookup" if kind == "removed" else None,
        "prices": [],
        "breaking": breaking(kind, fields),
        "cursor": CURSOR,
        "document": None if kind == "removed" else whole,
        "before": whole if kind == "removed" else None,
    }


def field(name: str, old: Any, new: Any, **more: Any) -> dict[str, Any]:
    """Make one changed field."""
    return {"field": name, "old": old, "new": new, **more}

"""How a site stands, told by the one file in it that every run rewrites."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def cursor_of(folder: Path) -> str | None:
    """Tell where the feed ended when a site was last brought up to date; None: there is no such site, or it cannot be read."""
    try:
        text = (folder / "freshness.js").read_text(encoding="utf-8")
        known: dict[str, Any] = json.loads(text.partition("=")[2].strip().removesuffix(";"))
        cursor = known["cursor"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return cursor if isinstance(cursor, str) else None

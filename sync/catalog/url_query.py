"""PURE. The query string of a URL is ignored: signatures in it differ between two requests for the same file."""

from __future__ import annotations

import re
from typing import Any

URL_FIELDS = frozenset({"cover_url", "preview_video_url"})
"""Columns whose query string is ignored, because signatures in it differ between requests."""
_URL = re.compile(r"(?:https?:)?//", re.IGNORECASE)


def address(url: str | None) -> str | None:
    """Remove the query string of a URL, absolute or relative; the fragment stays, because it is part of the address."""
    if not url:
        return url
    before, mark, fragment = url.partition("#")
    return before.partition("?")[0] + mark + fragment


def without_query(value: Any) -> Any:
    """Remove the query string of every absolute URL in a JSON value."""
    if isinstance(value, str):
        return address(value) if "?" in value and _URL.match(value) else value
    if isinstance(value, dict):
        return {name: without_query(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_query(inner) for inner in value]
    return value

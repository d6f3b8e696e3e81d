"""PURE. The query string of a URL is ignored: signatures in it differ between two requests for the same file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

URL_FIELDS = frozenset({"cover_url", "preview_video_url"})
"""Columns whose query string is ignored, because signatures in it differ between requests."""
_URL = re.compile(r"(?:https?:)?//", re.IGNORECASE)


def address(url: str | None) -> str | None:
    """Remove the query string of a URL, absolute or relative; the fragment stays, because it is part of the address."""
    if not url:
        return url
    before, mark, fragment = url.partition("#")
    return before.partition("?")[0] + mark + fragment


def before_query(url: str | None) -> str | None:
    """Cut a URL at its query string, with the fragment after it, as releases before 1.0.0 did for their hashes."""
    return url and url.partition("?")[0]


def without_query(value: Any, cut: Callable[[str], str | None] = address) -> Any:
    """Remove the query string of every absolute URL in a JSON value."""
    if isinstance(value, str):
        return cut(value) if "?" in value and _URL.match(value) else value
    if isinstance(value, dict):
        return {name: without_query(inner, cut) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_query(inner, cut) for inner in value]
    return value

"""A hook of MkDocs: replace links to files outside docs/ by their names, because the site does not contain those files."""

from __future__ import annotations

import re
from typing import Any

_OUTSIDE = re.compile(r"\[(?P<text>[^\]]*)\]\(\.\./(?P<path>[^)]*)\)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace `[text](../path)` by the text and the path from the root of the repository."""
    return _OUTSIDE.sub(_as_text, markdown)


def _as_text(link: re.Match[str]) -> str:
    text, path = link["text"], link["path"]
    return f"`{path}`" if text.rstrip("/") in path else f"{text} (`{path}`)"

"""The covers and previews of the sample catalog: drawn when asked for, under the paths that its records name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STORAGE_PATH = "/api/storage/"
"""What the path of every cover and preview of the sample catalog begins with."""
_PREVIEW_PIXELS = 224


def draw_media(catalog: Iterable[Mapping[str, Any]], path: str) -> tuple[str, bytes] | None:
    """Draw what stands under a path; give its media type and its bytes.

    Args:
        catalog: records as the endpoint serves them.
        path: of a cover's or a preview's URL.

    Returns:
        None if no record has such a cover or preview.
    """
    from sync.sandbox.scenery import draw
    from sync.sandbox.video import preview

    for record in catalog:
        if _path(record.get("Cover")) == path:
            return "image/png", draw(record).png()
        if _path(record.get("PreviewVideo")) == path:
            return "video/mp4", preview(draw(record, _PREVIEW_PIXELS, multiple=16))
    return None


def _path(url: object) -> str | None:
    return urlsplit(url).path if isinstance(url, str) else None

"""The covers and the preview of the sample catalog: files of the package, and the URLs under which the sandbox serves them."""

from __future__ import annotations

import zlib
from importlib.resources import files

MEDIA_PATH = "/media/"
MEDIA_PORT = 8456
"""Every sandbox serves the files here, whatever the port of its API: a catalog's URLs are then the same in every run."""
MEDIA_URL = f"http://127.0.0.1:{MEDIA_PORT}{MEDIA_PATH}"
_COVERS = {"9:16": 12, "1:1": 4, "16:9": 3, "4:3": 2, "3:4": 3}
"""Number of pictures for each aspect ratio."""
_TYPES = {"webp": "image/webp", "mp4": "video/mp4"}
_NAMES = {f"{ratio.replace(':', 'x')}-{number}.webp" for ratio, count in _COVERS.items() for number in range(1, count + 1)}


def cover_url(template_id: str, ratio: str) -> str:
    """Return the URL of a template's cover: one of the pictures of that aspect ratio, chosen by a hash of the id."""
    number = zlib.crc32(template_id.encode()) % _COVERS[ratio] + 1
    return f"{MEDIA_URL}{ratio.replace(':', 'x')}-{number}.webp"


def preview_url() -> str:
    """Return the URL of the preview, which all templates share."""
    return f"{MEDIA_URL}preview.mp4"


def read_media(path: str) -> tuple[str, bytes] | None:
    """Return the media type and the content of the file with this URL path; None if there is no such file."""
    name = path.removeprefix(MEDIA_PATH)
    if not path.startswith(MEDIA_PATH) or name not in {*_NAMES, "preview.mp4"}:
        return None
    content = files("sync.sandbox").joinpath("media", name).read_bytes()
    return _TYPES[name.rpartition(".")[2]], content

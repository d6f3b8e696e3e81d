"""The covers and previews of the sample catalog: a few files of this package, which templates share."""

from __future__ import annotations

import re
import zlib
from http import HTTPStatus
from importlib.resources import files

MEDIA_PATH = "/media/"
PREVIEW_PATH = f"{MEDIA_PATH}preview.mp4"
MEDIA_PORT = 8456
"""Every sandbox serves the files on this port, so that the URLs in a catalog are the same in every run."""
MEDIA_URL = f"http://127.0.0.1:{MEDIA_PORT}{MEDIA_PATH}"
PREVIEW_URL = f"{MEDIA_URL}preview.mp4"
"""The preview, which all templates share."""
_COVERS = {"9:16": 12, "1:1": 4, "16:9": 3, "4:3": 2, "3:4": 3}
"""Number of pictures for each aspect ratio."""
_TYPES = {"webp": "image/webp", "mp4": "video/mp4"}


def cover_url(template_id: str, ratio: str) -> str:
    """Return the URL of a template's cover: one of the pictures of that aspect ratio, chosen by a hash of the id."""
    number = zlib.crc32(template_id.encode()) % _COVERS[ratio] + 1
    return f"{MEDIA_URL}{ratio.replace(':', 'x')}-{number}.webp"


def read_media(path: str) -> tuple[str, bytes] | None:
    """Return the media type and the content of the file with this URL path; None if there is no such file."""
    for file in (files("sync.sandbox") / "media").iterdir():
        if path == MEDIA_PATH + file.name:
            return _TYPES[file.name.rpartition(".")[2]], file.read_bytes()
    return None


def media_response(path: str, byte_range: str) -> tuple[HTTPStatus, dict[str, str], bytes] | None:
    """Return status, headers and body of the response to a request for a file; None if there is no such file.

    One range of bytes is supported, because Safari plays no video without it.
    """
    if (found := read_media(path)) is None:
        return None
    media_type, content = found
    headers = {"Content-Type": media_type, "Accept-Ranges": "bytes"}
    span = re.fullmatch(r"bytes=([0-9]{1,9})-([0-9]{0,9})", byte_range)
    if span and (part := content[int(span[1]) : int(span[2]) + 1 if span[2] else None]):
        headers["Content-Range"] = f"bytes {int(span[1])}-{int(span[1]) + len(part) - 1}/{len(content)}"
        return HTTPStatus.PARTIAL_CONTENT, headers, part
    return HTTPStatus.OK, headers, content

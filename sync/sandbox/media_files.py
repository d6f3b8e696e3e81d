"""The covers and the preview of the sample catalog: their URLs, and the responses to requests for them."""

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
_NAMES = {f"{ratio.replace(':', 'x')}-{number}.webp" for ratio, count in _COVERS.items() for number in range(1, count + 1)}


def cover_url(template_id: str, ratio: str) -> str:
    """Return the URL of a template's cover: one of the pictures of that aspect ratio, chosen by a hash of the id."""
    number = zlib.crc32(template_id.encode()) % _COVERS[ratio] + 1
    return f"{MEDIA_URL}{ratio.replace(':', 'x')}-{number}.webp"


def read_media(path: str) -> tuple[str, bytes] | None:
    """Return the media type and the content of the file with this URL path; None if there is no such file."""
    name = path.removeprefix(MEDIA_PATH)
    if not path.startswith(MEDIA_PATH) or name not in {*_NAMES, "preview.mp4"}:
        return None
    content = files("sync.sandbox").joinpath("media", name).read_bytes()
    return _TYPES[name.rpartition(".")[2]], content


def media_response(path: str, wanted: str) -> tuple[HTTPStatus, dict[str, str], bytes] | None:
    """Return status, headers and body of the response to a request for a file; None if there is no such file.

    Args:
        path: the URL path.
        wanted: the header Range, or an empty text. One range of bytes is supported, because Safari plays no video without it.
    """
    found = read_media(path)
    if found is None:
        return None
    media_type, content = found
    headers = {"Content-Type": media_type, "Accept-Ranges": "bytes"}
    span = re.fullmatch(r"bytes=([0-9]{1,9})-([0-9]{0,9})", wanted)
    part = content[int(span[1]) : int(span[2]) + 1 if span[2] else None] if span else b""
    if span is None or not part:
        return HTTPStatus.OK, headers, content
    headers["Content-Range"] = f"bytes {int(span[1])}-{int(span[1]) + len(part) - 1}/{len(content)}"
    return HTTPStatus.PARTIAL_CONTENT, headers, part

"""Copy covers to the site. Each is fetched once per URL without its query, because signatures in the query change.

The URLs come from the catalog, so only public addresses are connected to, and the key is never sent.
"""

from __future__ import annotations

import hashlib
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sync.catalog.url_query import address
from sync.client.http import OK, send
from sync.client.network import AddressRefused, TransportFailure
from sync.config.addresses import is_public
from sync.errors import SyncError
from sync.site.cards import safe_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sync.client.network import Network
    from sync.reader.stored_templates import Stored
    from sync.site.folder import Folder

LIMIT = 20.0
"""Timeout of one cover in seconds, in total."""
SLOW = 5.0
"""Seconds after which a failed download is slow. A host that hangs lets downloads time out, or a proxy reports its failure."""
MAX_BYTES = 8 * 1024 * 1024
"""Maximum bytes of one cover or preview."""
PARALLEL = 8
_KINDS: tuple[tuple[str, bytes, int], ...] = (
    ("png", b"\x89PNG\r\n\x1a\n", 0), ("jpg", b"\xff\xd8\xff", 0), ("gif", b"GIF8", 0), ("webp", b"WEBP", 8),
    ("avif", b"ftypavif", 4),
)  # fmt: skip


class CoverUnavailable(SyncError):
    """A cover cannot be fetched, or is no picture."""


@dataclass(frozen=True)
class Fetch:
    """Downloads the content of a URL.

    The name is resolved once, so the address that `allowed` checks is the one that is connected to. With a proxy no check is
    possible, because the proxy resolves the name.
    """

    network: Network
    allowed: Callable[[str], bool] = is_public

    def __call__(self, url: str) -> bytes:
        """Send one request, without redirects.

        Raises:
            CoverUnavailable: the cover cannot be fetched; the message is the reason.
        """
        if safe_url(url) is None:
            raise CoverUnavailable("not a plain https address")
        return self.ask(url)

    def ask(self, url: str) -> bytes:
        """Request a URL that is already checked."""
        try:
            answer = send(
                "GET", url, {"accept": "image/*"}, network=self.network, limit=LIMIT,
                most=lambda status: MAX_BYTES + 1 if status in OK else 0, is_permitted=self.allowed,
            )  # fmt: skip
        except AddressRefused:
            raise CoverUnavailable("its address is not a public one") from None
        except TransportFailure as failure:
            raise CoverUnavailable(str(failure)) from None
        if answer.status not in OK:
            raise CoverUnavailable(f"the answer was {answer.status}")
        if answer.failure is not None:
            raise CoverUnavailable(str(answer.failure))
        return answer.body


def kind_of(content: bytes) -> str:
    """Return the type of a picture from its first bytes, independent of its URL and its declared type. SVG is refused.

    Raises:
        CoverUnavailable: the type is not supported, or the file is too large.
    """
    if len(content) > MAX_BYTES:
        raise CoverUnavailable(f"more than {MAX_BYTES} bytes")
    for kind, begins, at in _KINDS:
        if content[at : at + len(begins)] == begins:
            return kind
    raise CoverUnavailable("no PNG, JPEG, GIF, WebP or AVIF")


@dataclass(frozen=True)
class MediaCopier:
    """Copies media to the folder of a site.

    Attributes:
        get: returns the content of a URL, or raises CoverUnavailable.
        progress: called with the number of finished downloads, and of all.
        sample: for the sample catalog, also copy previews, and the media of removed templates that have no copy.
    """

    get: Callable[[str], bytes]
    progress: Callable[[int, int], object] | None = None
    sample: bool = False

    def __call__(self, folder: Folder, stored: Iterable[Stored]) -> tuple[dict[str, str], int]:
        """Update the copies; return URL without query → path, and the number of missing covers."""
        fields = ("cover_url", "preview_video_url") if self.sample else ("cover_url",)
        wanted: dict[str, str] = {}
        for one in stored:
            for url in filter(None, (one.document[name] for name in fields)):
                key = address(url) or ""
                if one.removed_at is None or self.sample or key in folder.old.copies:
                    wanted.setdefault(key, url)
        old = folder.old
        copies = {key: path for key, path in old.copies.items() if key in wanted and folder.fresh(path, old.files.get(path, ""))}
        lacking = [key for key in wanted if key not in copies]
        last_responses: dict[str, float] = {}
        with ThreadPoolExecutor(PARALLEL) as pool:
            contents = pool.map(lambda key: self._try(wanted[key], last_responses), lacking)
            for done, (key, content) in enumerate(zip(lacking, contents, strict=True), 1):
                if self.progress:
                    self.progress(done, len(lacking))
                if content is not None:
                    name = hashlib.sha256(key.encode("utf-8", "backslashreplace")).hexdigest()[:24]
                    copies[key] = f"media/{name}.{urlsplit(key).path.rpartition('.')[2] if self.sample else kind_of(content)}"
                    folder.put_if_new(copies[key], content)
        return copies, len(wanted) - len(copies)

    def _try(self, url: str, last_responses: dict[str, float]) -> bytes | None:
        """Download a cover; request no more from a host that hangs, as each of its covers could take LIMIT seconds.

        A host hangs if a download from it was slow and failed, and no other one ended meanwhile with a copy or a fast failure.
        `last_responses` has the time of the last such end for each host; infinity: the host hangs.
        """
        host, began = url.partition("://")[2].partition("/")[0], time.monotonic()
        if last_responses.get(host) == math.inf:
            return None
        content: bytes | None
        try:
            content = self.get(url)
            if not self.sample:
                kind_of(content)
        except CoverUnavailable:
            content = None
            if time.monotonic() - began >= SLOW:
                if last_responses.get(host, 0.0) < began:
                    last_responses[host] = math.inf
                return None
        last_responses[host] = time.monotonic()
        return content

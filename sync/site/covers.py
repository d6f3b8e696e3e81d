"""Fetch one cover. Its address comes from the catalog, so only public addresses are connected to, and the key is never sent.

Copies of covers beside the site: fetched once each, known by their address without its query, which may be signed anew.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import TYPE_CHECKING

from sync.catalog.url_query import address
from sync.client.http import OK, send
from sync.client.network import AddressRefused, TransportFailure
from sync.errors import SyncError
from sync.site.cards import safe_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sync.catalog.document import Document
    from sync.client.network import Network
    from sync.reader.stored_templates import Stored
    from sync.site.folder import Folder

    Get = Callable[[str, Document], bytes]


LIMIT = 20.0
"""Seconds for one cover, all of it."""


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public internet's: no own network, no loopback, no cloud's metadata service."""
    found = ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    return found.is_global and not found.is_multicast and (mapped is None or mapped.is_global)


class Fetch:
    """Gives the bytes behind an address.

    The addresses that are checked are the ones that are connected to: the name is resolved once. Behind a proxy nothing can be
    checked, as the proxy resolves the name.

    Args:
        network: the proxy and the certificate authorities.
        allowed: which addresses may be asked; other ones are for tests.
    """

    def __init__(self, network: Network, allowed: Callable[[str], bool] = is_public) -> None:
        self._network = network
        self._allowed = allowed

    def __call__(self, url: str, _document: Document) -> bytes:
        """Ask once; nothing is followed.

        Raises:
            NoCover: with the reason.
        """
        if safe_url(url) is None:
            raise NoCover("not a plain https address")
        return self.ask(url)

    def ask(self, url: str) -> bytes:
        """Ask an address that was found to be plain."""
        try:
            answer = send(
                "GET", url, {"accept": "image/*"}, network=self._network, limit=LIMIT, most=_most, is_permitted=self._allowed
            )
        except AddressRefused:
            raise NoCover("its address is not a public one") from None
        except TransportFailure as failure:
            raise NoCover(str(failure)) from None
        if answer.status not in OK:
            raise NoCover(f"the answer was {answer.status}")
        if answer.failure is not None:
            raise NoCover(str(answer.failure))
        return answer.body


def _most(status: int) -> int:
    return LARGEST + 1 if status in OK else 0


AT_ONCE = 8
LARGEST = 8 * 1024 * 1024
"""Bytes of one cover or preview."""
_KINDS: tuple[tuple[str, bytes, int], ...] = (
    ("png", b"\x89PNG\r\n\x1a\n", 0), ("jpg", b"\xff\xd8\xff", 0), ("gif", b"GIF8", 0), ("webp", b"WEBP", 8),
    ("avif", b"ftypavif", 4), ("mp4", b"ftypisom", 4),
)  # fmt: skip


class NoCover(SyncError):
    """A cover could not be had, or is none."""


def kind_of(content: bytes) -> str:
    """Tell a picture's kind by its first bytes, whatever its address or its server calls it. SVG is none: it can hold scripts.

    Raises:
        NoCover: it is nothing that is shown, or too large.
    """
    if len(content) > LARGEST:
        raise NoCover(f"more than {LARGEST} bytes")
    for kind, begins, at in _KINDS:
        if content[at : at + len(begins)] == begins:
            return kind
    raise NoCover("no PNG, JPEG, GIF, WebP or AVIF")


class Keeper:
    """Keeps copies of media in a site's folder.

    Args:
        get: gives the bytes behind an address, which is of this template; raises NoCover.
        fields: of a document: which addresses.
        told: is told of each that could not be had, and why.
        removed: ask for those of removed templates, too; else only copies that are there are kept.
    """

    def __init__(
        self,
        get: Get,
        fields: Sequence[str] = ("cover_url",),
        told: Callable[[str, str], object] = lambda _url, _why: None,
        *,
        removed: bool = False,
    ) -> None:
        self._get = get
        self._fields = fields
        self._told = told
        self._removed = removed

    def __call__(self, folder: Folder, stored: Iterable[Stored]) -> tuple[dict[str, str], int]:
        """Bring the copies up to date; give address → path of those that are there, and how many are not."""
        wanted: dict[str, tuple[str, Document]] = {}
        for one in stored:
            for name in self._fields:
                url = one.document[name]
                if url and (one.removed_at is None or self._removed or (address(url) or "") in folder.old.copies):
                    wanted.setdefault(address(url) or "", (url, one.document))
        copies: dict[str, str] = {}
        for key in wanted:
            path = folder.old.copies.get(key)
            if path is not None and folder.fresh(path, folder.old.files.get(path, "")):
                copies[key] = path
        lacking = [key for key in wanted if key not in copies]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for key, content in zip(lacking, pool.map(lambda key: self._try(*wanted[key]), lacking), strict=True):
                if content is not None:
                    name = hashlib.sha256(key.encode("utf-8", "backslashreplace")).hexdigest()[:24]
                    path = f"media/{name}.{kind_of(content)}"
                    folder.put_if_new(path, content)
                    copies[key] = path
        return copies, len(wanted) - len(copies)

    def _try(self, url: str, document: Document) -> bytes | None:
        try:
            content = self._get(url, document)
            kind_of(content)
        except NoCover as reason:
            self._told(url, str(reason))
            return None
        return content

"""One cover, from wherever its address says: a stranger's word, so only public addresses are asked, and never with the key."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from sync.endpoint.post import OK, get
from sync.site.cards import safe_url
from sync.site.covers import LARGEST, NoCover

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from sync.catalog.template import Document

LIMIT = 20.0
"""Seconds for one cover, all of it."""


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public internet's: no own network, no loopback, no cloud's metadata service."""
    found = ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    return found.is_global and not found.is_multicast and (mapped is None or mapped.is_global)


class Fetch:
    """Gives the bytes behind an address.

    The check is of the address that the connection led to, before anything is sent: a name that resolves to another one the
    second time it is asked gains nothing.

    Args:
        trust: the certificate authorities.
        allowed: which addresses may be asked; other ones are for tests.
    """

    def __init__(self, trust: ssl.SSLContext | None, allowed: Callable[[str], bool] = is_public) -> None:
        self._trust = trust
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
            answer = get(url, {"Accept": "image/*"}, limit=LIMIT, trust=self._trust, allowed=self._allowed, read=LARGEST + 1)
        except TimeoutError:
            raise NoCover(f"it took more than {LIMIT:.0f} s") from None
        except PermissionError:
            raise NoCover("its address is not a public one") from None
        except Exception as failure:
            raise NoCover(f"the connection failed ({type(failure).__name__})") from failure
        if answer.status not in OK:
            raise NoCover(f"the answer was {answer.status}")
        length = answer.headers.get("content-length")
        if length is not None and length.isascii() and length.isdigit() and len(answer.body) < min(int(length), LARGEST + 1):
            raise NoCover("it broke off")
        return answer.body

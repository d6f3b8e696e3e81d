"""Fetch one cover. Its address comes from the catalog, so only public addresses are connected to, and the key is never sent."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from sync.client.http import OK, send
from sync.client.network import AddressRefused, TransportFailure
from sync.site.cards import safe_url
from sync.site.covers import LARGEST, NoCover

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync.catalog.template import Document
    from sync.client.network import Network

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

"""PURE. Addresses: URLs in the settings, a Host header, and which networks an IP address reaches.

A web page can resolve its own name to 127.0.0.1 and read responses of a local server through a browser (DNS rebinding); it cannot
choose the Host header that the browser sends.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import unquote, urlsplit

from sync.errors import OtherOrigin

LOOPBACK_ORIGIN = "loopback"
"""Stands for every loopback address: a sandbox gets another port at each start."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_LOOPBACK_NETWORK = re.compile(r"127(\.[0-9]{1,3}){3}")
_USUAL_PORTS = {"http": 80, "https": 443}


def http_url(value: str, example: str = "https://api.crun.ai") -> str:
    """Validate a URL. A ValueError says what is expected, and does not repeat the URL, because it may contain a secret."""
    try:
        parts = urlsplit(value.strip())
        _ = parts.port
        host = (parts.hostname or "").encode("idna")
        if host.decode("idna").encode("idna") != host or not (parts.hostname or "").isascii():
            raise ValueError
    except ValueError:  # of names outside ASCII only the xn-- form is the same for every resolver and client
        raise ValueError(f"a URL such as {example}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not re.fullmatch(r"[^\s\x00-\x1f\x7f]+", value.strip()):
        raise ValueError(f"a URL such as {example}")
    if parts.username or parts.password:
        raise ValueError("a URL without a user name or password in it")
    return value.strip()


def origin_of(url: str) -> str:
    """Return scheme, host and port of an address, written in one way; LOOPBACK_ORIGIN for every loopback address and port."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if host in LOOPBACK or _LOOPBACK_NETWORK.fullmatch(host):
        return LOOPBACK_ORIGIN
    port = "" if parts.port in {None, _USUAL_PORTS.get(parts.scheme)} else f":{parts.port}"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def require_same_origin(recorded: str | None, configured: str) -> None:
    """Raise OtherOrigin if the tables are a copy of another catalog than the configured one."""
    if recorded not in {None, configured}:
        raise OtherOrigin(_shown(recorded), _shown(configured))


def _shown(origin: str | None) -> str:
    return "a loopback address (a sandbox)" if origin == LOOPBACK_ORIGIN else str(origin)


_NAME = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?", re.IGNORECASE)


def is_loopback_name(host: str) -> bool:
    """Return whether a Host header names loopback, with or without a port."""
    return _NAME.fullmatch(host) is not None


_METADATA = frozenset(
    map(ip_address, ("169.254.169.254", "192.0.0.192", "168.63.129.16", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254"))
)
"""Metadata services of clouds, which give credentials to any process that requests them: AWS, GCP, Oracle, Azure, Alibaba."""
_TRANSLATED = tuple(map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")))
"""Networks whose addresses hold an IPv4 address in their last 32 bits: NAT64, and IPv4-compatible addresses."""
_NOT_PUBLIC = (ip_network("192.0.0.0/24"), ip_network("fec0::/10"), ip_network("64:ff9b:1::/48"))
"""What Python's `is_global` takes for public, in part or in some versions: IETF assignments, site-local, local translation."""


def reached_addresses(text: str) -> tuple[IPv4Address | IPv6Address, ...]:
    """Return an address and the IPv4 address that a translator, tunnel or the system reaches behind it.

    This and the functions below raise ValueError if the text is no IP address.
    """
    found = ip_address(text.partition("%")[0])
    if isinstance(found, IPv4Address):
        return (found,)
    behind = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
    if behind is None and any(found in network for network in _TRANSLATED):
        behind = IPv4Address(int(found) & 0xFFFF_FFFF)
    return (found,) if behind is None else (found, behind)


def is_metadata_service(text: str) -> bool:
    """Return whether an IP address is one of those at which clouds serve credentials, link-local ones included."""
    return any(address.is_link_local or address in _METADATA for address in reached_addresses(text))


_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")))
"""RFC 1918; RFC 6598, the shared address space that clusters use; RFC 4193."""


def is_private(text: str) -> bool:
    """Return whether an IP address reaches a private network or this machine."""
    addresses = reached_addresses(text)
    return any(address.is_loopback for address in addresses) or any(addresses[-1] in network for network in _PRIVATE)


def is_public(text: str) -> bool:
    """Return whether an IP address is public: no private network, no loopback, no metadata service of a cloud."""
    return all(
        address.is_global and not address.is_multicast and address not in _METADATA
        and not any(address in network for network in _NOT_PUBLIC)
        for address in reached_addresses(text)
    )  # fmt: skip


def sqlite_path(name: str) -> str:
    """Return the path of a SQLite database; SQLite decodes a name that begins with `file:`."""
    return unquote(name.removeprefix("file:")) if name.startswith("file:") else name

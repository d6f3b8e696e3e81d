"""Proxy, trusted certificate authorities, timeouts and failures of every outbound request."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Self

from sync.config.resource_limits import resource_error
from sync.errors import ConfigurationError

if TYPE_CHECKING:
    from sync.config.options import Settings
    from sync.errors import ResourcesExhausted


@dataclass(frozen=True, slots=True)
class Network:
    """The settings of every outbound request.

    Attributes:
        ca_bundle: file of certificate authorities that replaces the built-in ones.
        proxy: URL of a proxy; requests to loopback do not use it.
    """

    ca_bundle: str | None = None
    proxy: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Select them from all settings."""
        return cls(settings.ca_bundle, settings.proxy)

    def proxy_for(self, host: str) -> str | None:
        """Return the proxy for requests to a host; None for loopback."""
        try:
            loopback = ip_address(host).is_loopback
        except ValueError:
            loopback = host.lower() == "localhost"
        return None if loopback else self.proxy


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for the whole of a request, for each attempt to connect, and for each read."""

    request: float = 60.0
    connect: float = 10.0
    read: float = 20.0

    def within(self, limit: float) -> Timeouts:
        """Return these timeouts, each limited to `limit`."""
        return Timeouts(*(min(each, limit) for each in (self.request, self.connect, self.read)))


class TransportFailure(Exception):
    """There is no complete response. The text is one phrase, without anything that was sent or received.

    Attributes:
        timed_out: whether a timeout or the deadline caused it.
        limit: the error to report if a limit of this process caused it; None for any other cause.
    """

    def __init__(self, why: str, *, timed_out: bool = False, limit: ResourcesExhausted | None = None) -> None:
        super().__init__(why)
        self.timed_out = timed_out
        self.limit = limit


def limit_failure(error: BaseException | None) -> TransportFailure | None:
    """Return the failure to report if a limit of this process is the cause; None for any other cause."""
    limit = resource_error(error) if error is not None else None
    if limit is None:
        return None
    text = str(limit).rstrip(".")
    return TransportFailure(text[0].lower() + text[1:], limit=limit)


class AddressRefused(TransportFailure):
    """The name resolves to no permitted address; nothing was sent."""


@lru_cache(maxsize=1)
def authorities(ca_bundle: str | None) -> ssl.SSLContext:
    """Load the trusted authorities, once per process, because it takes 30 ms and fragments memory."""
    import certifi

    try:
        context = ssl.create_default_context(cafile=ca_bundle or certifi.where())
    except (OSError, ssl.SSLError) as error:
        if lack := resource_error(error):
            raise lack from error
        raise ConfigurationError([f"SYNC_CA_BUNDLE: {ca_bundle} has no usable certificates."]) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context

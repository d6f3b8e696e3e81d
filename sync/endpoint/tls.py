"""Which certificate authorities are trusted."""

from __future__ import annotations

import ssl
from functools import lru_cache

from sync.errors import ConfigurationError


def trust(base_url: str, proxy: str | None, ca_bundle: str | None) -> ssl.SSLContext:
    """Choose the authorities to trust; none are loaded for plain http to loopback, where that would cost 30 ms for nothing."""
    if base_url.startswith("http://") and not proxy:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return authorities(ca_bundle)


@lru_cache(maxsize=1)
def authorities(ca_bundle: str | None) -> ssl.SSLContext:
    """Load the authorities to trust, once per process: it takes 30 ms, and doing it for every run fragments the memory."""
    import certifi

    try:
        context = ssl.create_default_context(cafile=ca_bundle or certifi.where())
    except (OSError, ssl.SSLError):
        raise ConfigurationError([f"SYNC_CA_BUNDLE: {ca_bundle} holds no certificates that can be used."]) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context

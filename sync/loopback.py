"""PURE. Whether a request to a server on loopback means it.

A web page can point a name of its own at 127.0.0.1 and have a browser read what answers there (DNS rebinding); it cannot
choose the Host header that the browser sends.
"""

from __future__ import annotations

import re

_NAME = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?", re.IGNORECASE)


def is_loopback_name(host: str) -> bool:
    """Whether a Host header names this machine to itself, with any port or none."""
    return _NAME.fullmatch(host) is not None

"""PURE. An endpoint: its address, its secrets, the rules that select its changes, and its position in the feed.

Rules apply to a change as `changes --json` prints it: all given rules must match, within one rule any value. Tags and types are
compared case-insensitively, as in `list`. Operators configure the addresses, so private networks are allowed.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_plus, urlsplit

from sync.catalog.feed import price_moves
from sync.catalog.fields import LISTS, SCALARS
from sync.config.addresses import LOOPBACK, http_url, is_metadata_service, is_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PREFIX = "whsec_"
_MIN_BYTES, _MAX_BYTES = 24, 64

KINDS = ("added", "removed", "changed")
_FIELDS = frozenset({*SCALARS.values(), *LISTS, "extra"})
_IN_PARTS = ("consume_items", "extra")


@dataclass(frozen=True, slots=True)
class PriceRule:
    """A price change of at least a percentage of the old price; `direction`: `+` or `-` for one direction only, else empty."""

    percent: Decimal
    direction: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules; empty, None and False mean no rule."""

    kinds: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    price_change: PriceRule | None = None
    breaking: bool = False

    def matches(self, change: Mapping[str, Any]) -> bool:
        """Return whether a change matches.

        A template that loses a tag or changes its type also matches rules for the old one, so that the receiver learns of it.
        """
        return (
            (not self.kinds or change["kind"] in self.kinds)
            and (not self.ids or change["template_id"] in self.ids)
            and (not self.breaking or bool(change["breaking"]))
            and (not self.fields or any(self._is_wanted(each["field"]) for each in change["fields"]))
            and (not self.tags or _any_equal(self.tags, _tags(change)))
            and (not self.types or _any_equal(self.types, _types(change)))
            and (self.price_change is None or _moved(self.price_change, change))
        )

    def _is_wanted(self, name: str) -> bool:
        whole = name.partition(".")[0]
        return name in self.fields or (whole in _IN_PARTS and whole in self.fields)


def is_field(name: str) -> bool:
    """Return whether a change can have a field of this name."""
    whole, dot, part = name.partition(".")
    return name in _FIELDS or (whole in _IN_PARTS and bool(dot and part))


def price_rule(text: str) -> PriceRule:
    """Parse `10%`, `+10%` or `-10%`. As of every check here, a ValueError says what was expected."""
    found = re.fullmatch(r"([+-]?)([0-9]{1,6}(?:\.[0-9]{1,6})?)%", text)
    if found is None:
        raise ValueError("a share such as 10%, or +10% for up only, -10% for down only")
    rule = PriceRule(Decimal(found[2]), found[1])
    if rule.direction == "-" and rule.percent > 100:  # noqa: PLR2004 - a price cannot become negative
        raise ValueError("a fall of at most 100%")
    return rule


def contradiction(rules: Rules) -> str | None:
    """Return why rules can never match; None if they can."""
    kinds = rules.kinds or frozenset(KINDS)
    about_fields = "fields" if rules.fields else "price_change" if rules.price_change else None
    names = " and ".join(sorted(kinds))
    if about_fields and "changed" not in kinds:
        return f"{names} can never match: {about_fields} selects changed templates only"
    if rules.breaking and kinds == {"added"}:
        return f"{names} can never match: an added template is not a breaking change"
    return None


def _any_equal(wanted: Iterable[str], names: Iterable[str]) -> bool:
    return not {name.casefold() for name in wanted}.isdisjoint(name.casefold() for name in names)


def _tags(change: Mapping[str, Any]) -> Iterator[str]:
    """Yield the tags that a template has or loses, in both languages."""
    lost = [tag for each in change["fields"] for tag in each.get("lost", ())]
    for tag in (*(_template(change).get("tags") or ()), *lost):
        yield from (name for name in (tag["name"], tag["name_en"]) if name)


def _types(change: Mapping[str, Any]) -> Iterator[str]:
    old = [each["old"] for each in change["fields"] if each["field"] == "template_type"]
    yield from (kind for kind in (_template(change).get("template_type"), *old) if kind)


def _template(change: Mapping[str, Any]) -> Mapping[str, Any]:
    return change.get("document") or change.get("before") or {}


def _moved(rule: PriceRule, change: Mapping[str, Any]) -> bool:
    """Return whether any price changed by the percentage; a new or removed price does not count."""
    moves = [(old, new) for _resolution, old, new in price_moves(change["fields"]) if old is not None and new is not None]
    return any(rule.direction != ("-" if new > old else "+") and abs(new - old) * 100 >= rule.percent * old for old, new in moves)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint of the file.

    Attributes:
        secrets: the source of its secret, or of two during a rotation: `secret_env` or `secret_file`, and a name.
        rules: which changes it gets.
        per: one message per `change` or per `run`.
        start: its first position: the `end` or the `start` of the feed.
        enabled: whether it gets messages; its position is kept.
        allow_http: whether the URL may be http to an address of a private network.
    """

    name: str
    url: str
    secrets: tuple[tuple[str, str], ...]
    rules: Rules = field(default_factory=Rules)
    per: str = "change"
    start: str = "end"
    enabled: bool = True
    allow_http: bool = False

    @property
    def origin(self) -> str:
        """Scheme and host of the URL, without path and query, which may be secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def is_permitted(self, address: str) -> bool:
        """Return whether messages may be sent to an IP address; plain http reaches private networks and loopback only."""
        return not is_metadata_service(address) and (not self.url.lower().startswith("http:") or is_private(address))

    @property
    def secret_parts(self) -> list[str]:
        """What follows the host of the URL, its path and its query, without empty ones."""
        rest = self.url[len(self.origin) :]  # not removeprefix, because the URL may have its scheme in capitals
        path, _, query = rest.partition("?")
        return [part for part in dict.fromkeys((rest, path, query)) if part]

    @property
    def quotable_parts(self) -> list[str]:
        """Every part of the URL after its host that a receiver may quote, such as the value of `?token=`: written and decoded."""
        pieces = [piece for part in self.secret_parts for piece in (part, *re.split(r"[/?&=;:,@]", part))]
        return list(dict.fromkeys(form for each in pieces for form in (each, unquote(each), unquote_plus(each)) if form))


def check_url(text: str, *, allow_http: bool = False) -> str:
    """Return a URL that messages may be sent to; errors never contain it, because its path can be a secret.

    `allow_http` permits http to a private network; a host name is checked when it is resolved.
    """
    url = http_url(text, "https://example.com/hooks/templates")
    parts = urlsplit(url)
    if parts.fragment:
        raise ValueError("a URL without a fragment, which is never sent")
    try:
        private, metadata = is_private(str(parts.hostname)), is_metadata_service(str(parts.hostname))
    except ValueError:  # a host name, whose addresses are not known yet
        private, metadata = True, False
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        if not allow_http:
            raise ValueError("an https:// URL; allow_http = true permits plain http to an address of a private network")
        if not private:
            raise ValueError("an https:// URL: with allow_http, plain http is for private networks only")
    if metadata:
        raise ValueError("a URL to another host: this address is link-local or of a cloud's metadata service")
    return url


def check_secret(text: str) -> str:
    """Return a valid secret of Standard Webhooks; errors never contain it. The library would accept any text."""
    written = text.removeprefix(PREFIX)
    try:
        key = b64decode(written)
    except ValueError:
        key = b""
    exact = text.startswith(PREFIX) and b64encode(key).decode() == written  # the decoder accepts some malformed input
    if not exact or not _MIN_BYTES <= len(key) <= _MAX_BYTES:
        raise ValueError(f"{PREFIX} and then {_MIN_BYTES} to {_MAX_BYTES} random bytes in base64, with its = at the end")
    return text


def secret_forms(secret: str) -> list[str]:
    """Return the forms of a secret in which a receiver may quote it: complete, without prefix, and its bytes."""
    written = secret.removeprefix(PREFIX)
    key = b64decode(written)
    text = key.decode("utf-8", "replace")
    return [secret, written, key.hex(), key.hex().upper(), *([text] if text.encode() == key else [])]


GONE = "gone"
"""Paused because the endpoint answered 410."""
LOST = "lost"
"""Paused because undelivered changes are no longer in the feed; followed by a colon and the reason of CursorLost."""
FAILING_AFTER = timedelta(hours=1)
"""Failures for longer than this are reported."""


@dataclass(frozen=True, slots=True)
class Position:
    """The position of one endpoint, and its last attempt.

    Attributes:
        cursor: all matching changes up to it were delivered; `seq` is that of the last one.
        behind: number of changes after it, matching or not.
        at_end: whether no changes are pending; a cursor of a lost history can be at no distance and not at the end.
        attempts: failed attempts of the next message, the first at `failing_since`.
        next_attempt_at: when the next one is due; None: at once.
        last_status: status of the last response, None without one; `last_answer` is the response, or why there was none.
        paused: `gone`, or `lost:` and a reason; None if not paused.
    """

    name: str
    cursor: str
    seq: int
    behind: int
    at_end: bool
    attempts: int
    failing_since: datetime | None
    next_attempt_at: datetime | None
    last_attempt_at: datetime | None
    last_status: int | None
    last_answer: str | None
    paused: str | None

"""The requests of one run to a moving catalog: changes between them, and scripted faults of the responses."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sync.errors import DeadlineExceeded, Interrupted
from tests.moving_catalog import LOSSES, MUTATIONS, Catalog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ERRORS = {"maintenance": 455, "rate-limit": 429, "server-error": 503, "refused": 401, "not-found": 404}
FALSE_RESPONSES = (
    "empty", "short", "repeat", "count-up", "count-down", "no-count", "bad-record", "no-id", "numeric-id", "echo", "twin",
    "partial",
)  # fmt: skip
FAULTS = (*ERRORS, "garbage", "deadline", "stop", *FALSE_RESPONSES)
RIVALS = ("rival", "takeover")


@dataclass(frozen=True, slots=True)
class Event:
    """A change just before the response to request `at`, or a fault of this response; `pick` and `other` choose the details."""

    at: int
    kind: str
    pick: int = 0
    other: int = 0


@dataclass(slots=True)
class Visit:
    """The requests of one run: makes the events of the script, and the responses.

    Attributes:
        on_rival: called for the events `rival` and `takeover`.
        fired: number of events so far, by kind.
        denied: live templates whose look-up returned other templates, so that an operator may accept their removal.
    """

    catalog: Catalog
    script: Sequence[Event] = ()
    on_rival: Callable[[str], None] = lambda _kind: None
    requests: int = 0
    walks: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    toggled: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    partial: int | None = None
    served: list[list[dict[str, Any]]] = field(default_factory=list)

    def answer(self, params: Mapping[str, str | int]) -> tuple[int, bytes]:
        """Return the HTTP status and the body; some events raise instead."""
        faults: list[Event] = []
        for event in [event for event in self.script if event.at == self.requests]:
            self.fired[event.kind] += 1
            if event.kind in MUTATIONS or event.kind in LOSSES:
                hidden = self.catalog.hidden
                self.catalog.mutate(event.kind, event.pick, event.other)
                self.toggled |= hidden ^ self.catalog.hidden
            elif event.kind in RIVALS:
                self.on_rival(event.kind)
            else:
                faults.append(event)
        self.requests += 1
        faults.sort(key=lambda event: event.kind == "twin")  # a false record alone cannot be detected
        for event in faults:
            if event.kind == "deadline":
                raise DeadlineExceeded("The run took longer than it may.")
            if event.kind == "stop":
                raise Interrupted("Interrupted.")
            if event.kind == "garbage":
                return 200, b'{"code": 200, "data": {"templates": ['
            # A look-up that denies a live template is a second fault: only `Catalog.denied` makes it.
            if event.kind in ERRORS and not (event.kind == "not-found" and "template_id" in params):
                return _error(ERRORS[event.kind])
        return self._look_up(str(params["template_id"]), faults) if "template_id" in params else self._page(params, faults)

    def _look_up(self, template_id: str, faults: Sequence[Event]) -> tuple[int, bytes]:
        catalog = self.catalog
        found = [catalog.wire(template_id)] if template_id in catalog.live and template_id not in catalog.denied else []
        for event in faults:
            if event.kind in {"empty", "short", "repeat", "partial"}:
                found = [catalog.wire(other) for other in catalog.live if other != template_id] or [{"TemplateId": "another"}]
                self.denied.add(template_id)
            else:
                _spoil(found, event)
        if not found and catalog.not_found == "404":
            return _error(404)
        return _success(found, len(found), catalog.spelling)

    def _page(self, params: Mapping[str, str | int], faults: Sequence[Event]) -> tuple[int, bytes]:
        catalog, page = self.catalog, int(params["page"])
        self.walks += page == 1
        if page == 1:
            self.partial = None
        for event in faults:
            if event.kind == "partial" and page == 1:  # a lagging replica serves only these in this walk
                self.partial = event.pick % (len(catalog.live) + 1)
        ids = [*catalog.live][: self.partial]
        size = min(int(params["page_size"]), catalog.cap)
        last = max(1, -(-len(ids) // size))
        if page > last and catalog.past_end in {"404", "422"}:
            return _error(int(catalog.past_end))
        if page > last:
            page = {"last": last, "first": 1}.get(catalog.past_end, page)
        records = [catalog.wire(template_id) for template_id in ids[(page - 1) * size : page * size]]
        self.served.append(list(records))
        total = None if catalog.miscount is None else len(ids) + catalog.miscount
        for event in faults:
            records, total = self._falsify(event, records, total)
        return _success(records, total, catalog.spelling)

    def _falsify(self, event: Event, records: list[dict[str, Any]], total: int | None) -> tuple[list[dict[str, Any]], int | None]:
        if event.kind == "empty":
            records = []
        elif event.kind == "short" and records:
            del records[event.pick % len(records)]
        elif event.kind == "repeat" and self.served:
            records = list(self.served[event.pick % len(self.served)])
        elif event.kind in {"count-up", "count-down"} and total is not None:
            total += 1 if event.kind == "count-up" else -1
        elif event.kind == "no-count":
            total = None
        else:
            _spoil(records, event)
        return records, total


def _spoil(records: list[dict[str, Any]], event: Event) -> None:
    """Change one record, or add another one next to it."""
    if not records:
        return
    place = event.pick % len(records)
    whole = records[place]
    spoiled: dict[str, list[dict[str, Any]]] = {
        "bad-record": [{**whole, **_nonsense(event.other)}],
        "no-id": [{**whole, "TemplateId": None}],
        "numeric-id": [{**whole, "TemplateId": int(whole["TemplateId"])} if str(whole["TemplateId"]).isdecimal() else whole],
        "echo": [whole, whole],
        "twin": [{**whole, "Title": "Another"}, whole] if event.other % 2 else [whole, {**whole, "Title": "Another"}],
    }
    records[place : place + 1] = spoiled.get(event.kind, [whole])


def _nonsense(choice: int) -> dict[str, Any]:
    kinds: tuple[dict[str, Any], ...] = (
        {"Title": 5},
        {"ConsumeItems": [{"Resolution": "480p", "Credit": -1}]},
        {"ConsumeItems": [{"Resolution": "480p", "Credit": float("nan")}]},
        {"Title": "\x00"},
        {"Title": "\ud800"},
        {"Tags": ["one"], "Tags_en": ["one", "two"]},
        {"Duration": 10**30},
    )
    return kinds[choice % len(kinds)]


def _success(records: Sequence[dict[str, Any]], total: int | None, spelling: int) -> tuple[int, bytes]:
    how: dict[str, Any] = ({}, {"indent": 1, "ensure_ascii": False}, {"sort_keys": True})[spelling % 3]
    answer = {"code": 200, "message": "success", "data": {"total": total, "templates": records}}
    return 200, json.dumps(answer, **how).encode(errors="surrogatepass")


def _error(code: int) -> tuple[int, bytes]:
    status = 200 if code == ERRORS["maintenance"] else code  # the one code that the vendor sends under HTTP 200
    return status, json.dumps({"code": code, "message": "no"}).encode()

"""A catalog that changes between the requests of a walk and sends scripted faults; it records its true values over time.

A template has a *meaning*, its values, and a *form*, their notation at the moment: the signatures of its URLs, the order of its
lists, `1.0` for `1`. Tests compare meanings by the rules here, not by those of `sync`.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sync.errors import DeadlineExceeded, Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

S = TypeVar("S", str, tuple[str, int])
Truth = dict[str, Any]
"""The true values of a template, one comparable value per key, without fields that no template has at the moment."""

TOGGLED = {
    "MediaId": "media_id", "Mood": "mood", "Tags_en": "tags_en", "ConsumeItems": "consume_items",
    "SupportAspectRatio": "aspect_ratios",
}  # fmt: skip
"""The fields that may disappear from the whole catalog and return, with their keys in a Truth."""

MUTATIONS = (
    "add", "delete", "replace", "return", "move", "reprice", "rename", "retag", "reratio", "recover", "remood", "wipe", "sign",
    "toggle", "respell",
)  # fmt: skip
LOSABLE = ("ConsumeItems", "MediaId", "SupportAspectRatio", "Tags", "Tags_en")
"""The documented fields that one template, or all, may lose and regain. `Tags` includes `Tags_en`."""

LOSSES = ("lose", "lose-all", "regain", "regain-all", "regain-new", "regain-all-new")
"""Events of one such field: `other` is its index in `LOSABLE`; `-new` returns it with another value."""
ERRORS = {"maintenance": 455, "rate-limit": 429, "server-error": 503, "refused": 401, "not-found": 404}
FALSE_RESPONSES = (
    "empty", "short", "repeat", "count-up", "count-down", "no-count", "bad-record", "no-id", "numeric-id", "echo", "twin",
    "partial",
)  # fmt: skip
FAULTS = (*ERRORS, "garbage", "deadline", "stop", *FALSE_RESPONSES)
RIVALS = ("rival", "takeover")
RESOLUTIONS = ("480p", "720p", "1080p")
WORDS = ("hot", "new", "duo", "pet", "fun")
RATIOS = ("9:16", "1:1", "16:9")


@dataclass(frozen=True, slots=True)
class Event:
    """A change just before the response to request `at`, or a fault of this response; `pick` and `other` choose the details."""

    at: int
    kind: str
    pick: int = 0
    other: int = 0


@dataclass(frozen=True, slots=True)
class Meaning:
    """The values of a template. Prices are in half credits: whole here, and not always whole in the record.

    Attributes:
        lost: the fields of `LOSABLE` that its record lacks.
    """

    title: str = "Battle Game"
    cover: int = 1
    media: str = "m"
    mood: str = "calm"
    prices: tuple[tuple[str, int], ...] = (("480p", 333), ("720p", 710))
    tags: frozenset[str] = frozenset({"hot", "new"})
    ratios: frozenset[str] = frozenset({"9:16", "1:1"})
    english: str = "en"
    lost: frozenset[str] = frozenset()

    def truth(self, hidden: Iterable[str] = ()) -> Truth:
        """Return comparable values, without hidden fields."""
        whole: Truth = {
            "title": self.title,
            "cover": f"https://media.example/{self.cover}.jpeg",
            "media_id": self.media,
            "mood": self.mood,
            "consume_items": frozenset((resolution, halves / 2) for resolution, halves in self.prices),
            "tags": self.tags,
            "tags_en": frozenset((tag, f"{tag} ({self.english})") for tag in self.tags),
            "aspect_ratios": self.ratios,
        }
        for name in self.lost:
            whole |= self._empty(name)
        return {key: value for key, value in whole.items() if key not in {TOGGLED[name] for name in hidden}}

    def stated(self, hidden: Iterable[str] = ()) -> Truth:
        """Return the values of its record. Those of a lost field are left out: they may be empty or kept."""
        lost_keys = {key for name in self.lost for key in self._empty(name)}
        return {key: value for key, value in self.truth(hidden).items() if key not in lost_keys}

    def kept(self, before: Truth) -> Truth:
        """Return the truth with the values of `before` for lost fields."""
        whole = self.truth()
        for name in self.lost:
            if name == "Tags_en":
                english: dict[str, str | None] = dict(before["tags_en"])
                whole["tags_en"] = frozenset((tag, english.get(tag)) for tag in self.tags)
            else:
                whole |= {key: before[key] for key in self._empty(name)}
        return whole

    def _empty(self, name: str) -> Truth:
        """Return the comparable values of one lost field."""
        empty: dict[str, Truth] = {
            "MediaId": {"media_id": None},
            "Tags": {"tags": frozenset(), "tags_en": frozenset()},
            "Tags_en": {"tags_en": frozenset((tag, None) for tag in self.tags)},
        }
        return empty[name] if name in empty else {TOGGLED[name]: frozenset()}

    def with_another(self, name: str) -> Meaning:
        """Change the value of a field."""
        if name == "MediaId":
            return replace(self, media="n" if self.media == "m" else "m")
        if name == "ConsumeItems":
            return replace(self, prices=(("480p", 333 if ("480p", 333) not in self.prices else 444),))
        if name == "SupportAspectRatio":
            return replace(self, ratios=self.ratios ^ {"16:9"})
        if name == "Tags":
            return replace(self, tags=self.tags ^ {"duo"})
        return replace(self, english="us" if self.english == "en" else "en")

    def wire(self, template_id: str, form: int, hidden: Iterable[str] = ()) -> dict[str, Any]:
        """Write the record as the API does, in one of its forms."""
        tags, ratios, prices = _turned(self.tags, form), _turned(self.ratios, form), _turned(self.prices, form)
        whole: dict[str, Any] = {
            "TemplateId": template_id,
            "MediaId": self.media,
            "Title": self.title,
            "Cover": f"https://media.example/{self.cover}.jpeg?x-signature={form}",
            "Duration": 10123.0 if form % 2 else 10123,
            "Tags": tags,
            "Tags_en": [f"{tag} ({self.english})" for tag in tags],
            "ConsumeItems": [
                {"Resolution": resolution, "Credit": halves // 2 if form % 2 and not halves % 2 else halves / 2}
                for resolution, halves in prices
            ],
            "SupportAspectRatio": ",".join(ratios),
            "Mood": self.mood,
        }
        lost = self.lost | ({"Tags_en"} if "Tags" in self.lost else set())
        if form % 2:  # a field that has no value is null, or missing
            whole |= dict.fromkeys(lost)
            lost = frozenset()
        return {name: value for name, value in whole.items() if name not in {*hidden, *lost}}


def truth_of(document: Mapping[str, Any]) -> Truth:
    """Read a stored document by the rules of this file: without the order of lists and query strings."""
    return {
        "title": document["title"],
        "cover": str(document["cover_url"]).partition("?")[0],
        "media_id": document["media_id"],
        "mood": document["extra"].get("Mood"),
        "consume_items": frozenset((price["resolution"], price["credit"]) for price in document["consume_items"]),
        "tags": frozenset(tag["name"] for tag in document["tags"]),
        "tags_en": frozenset((tag["name"], tag["name_en"]) for tag in document["tags"]),
        "aspect_ratios": frozenset(document["aspect_ratios"]),
    }


def _turned(items: Iterable[S], by: int) -> list[S]:
    turned = sorted(items)
    for _ in range(by % max(1, len(turned))):
        turned.append(turned.pop(0))
    return turned


@dataclass(slots=True)
class Catalog:
    """The true catalog, and the behaviour of its server.

    Attributes:
        live: id -> meaning, in the order served.
        now: number of mutations so far.
        history: id -> pairs of the mutation and the truth after it; None if the template was not in the catalog.
        meanings: id -> every meaning so far, with hidden fields.
        spelling: notation of JSON: the same values in other bytes.
        losing: fields that a template has lost, until the catalog is calm.
        cap: maximum page size of the server, which it does not report.
        past_end: the response to a page after the last: `empty`, `404`, `422`, `last` or `first`.
        miscount: difference between the reported and the true count; None if no count is reported.
        not_found: the response to a look-up of a missing id: `404`, or `empty` for an empty list.
        denied: live ids whose look-ups are denied: a second fault, for the tests of single guards.
    """

    live: dict[str, Meaning] = field(default_factory=dict)
    now: int = 0
    form: int = 0
    spelling: int = 0
    losing: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    history: dict[str, list[tuple[int, Truth | None]]] = field(default_factory=dict)
    meanings: dict[str, list[Meaning]] = field(default_factory=dict)
    cap: int = 50
    past_end: str = "empty"
    miscount: int | None = 0
    not_found: str = "404"
    denied: frozenset[str] = frozenset()

    def mutate(self, kind: str, pick: int = 0, other: int = 0) -> None:
        """Change the catalog once. `pick` chooses the template, `other` the place or value."""
        if kind in {"sign", "respell"}:
            self.form += kind == "sign"
            self.spelling += kind == "respell"
        elif kind == "toggle":
            self.hidden ^= {sorted(TOGGLED)[pick % len(TOGGLED)]}
        elif kind == "add":
            self._insert(self._new(), Meaning(), other)
        elif kind == "return":
            if gone := sorted(self.history.keys() - self.live.keys()):
                back = gone[pick % len(gone)]
                self._insert(back, self.meanings[back][-1], other)
        elif self.live:
            self._mutate_one(kind, [*self.live][pick % len(self.live)], pick, other)
        self.now += 1
        for template_id in {*self.history, *self.live}:
            truths = self.history.setdefault(template_id, [])
            meaning = self.live.get(template_id)
            truth = meaning.stated(self.hidden) if meaning else None
            if not truths or truths[-1][1] != truth:
                truths.append((self.now, truth))
            if meaning and meaning not in self.meanings.setdefault(template_id, []):
                self.meanings[template_id].append(meaning)

    def _lose_or_regain(self, kind: str, ids: Iterable[str], name: str) -> None:
        """Remove a field from some templates, or return it."""
        self.losing |= {"Tags_en" if name == "Tags" else name}
        changed = {}
        for template_id in ids:
            meaning = self.live[template_id]
            if (name in meaning.lost) != kind.startswith("lose"):
                after = meaning.with_another(name) if kind.endswith("new") else meaning
                changed[template_id] = replace(after, lost=after.lost ^ {name})
        self.live = {**self.live, **changed}

    def _mutate_one(self, kind: str, template_id: str, pick: int, other: int) -> None:
        meaning = self.live[template_id]
        if kind in LOSSES:
            self._lose_or_regain(kind, self.live if "all" in kind else (template_id,), LOSABLE[other % len(LOSABLE)])
        elif kind == "wipe":
            self.live = dict([*self.live.items()][: other % 4])
        elif kind in {"delete", "replace", "move"}:
            del self.live[template_id]
            if kind != "delete":
                self._insert(template_id if kind == "move" else self._new(), meaning, other)
        elif kind == "reprice":
            prices = dict(meaning.prices)
            resolution = RESOLUTIONS[other % len(RESOLUTIONS)]
            if resolution in prices and other % 2:
                del prices[resolution]
            else:
                prices[resolution] = prices.get(resolution, 0) + 1 + other
            self.live[template_id] = replace(meaning, prices=tuple(sorted(prices.items())))
        elif kind in {"rename", "recover", "remood"}:
            changed = {"rename": {"title": f"Title {other}"}, "recover": {"cover": other}, "remood": {"mood": f"mood {other}"}}
            self.live[template_id] = replace(meaning, **cast("dict[str, Any]", changed[kind]))
        elif kind == "retag":
            self.live[template_id] = replace(meaning, tags=meaning.tags ^ {WORDS[other % len(WORDS)]})
        else:
            self.live[template_id] = replace(meaning, ratios=meaning.ratios ^ {RATIOS[other % len(RATIOS)]})

    def _new(self) -> str:
        return str(101 + len(self.history))

    def _insert(self, template_id: str, meaning: Meaning, place: int) -> None:
        items = [*self.live.items()]
        items.insert(place % (len(items) + 1), (template_id, meaning))
        self.live = dict(items)

    def fork(self) -> Catalog:
        """Return an independent copy."""
        history = {template_id: [*truths] for template_id, truths in self.history.items()}
        meanings = {template_id: [*several] for template_id, several in self.meanings.items()}
        return replace(self, live=dict(self.live), history=history, meanings=meanings)

    def truths(self, template_id: str, since: int, until: int) -> list[Truth | None]:
        """Return every truth of an id from mutation `since` to mutation `until`, both included."""
        truths = self.history.get(template_id, [])
        before = [truth for moment, truth in truths if moment <= since]
        return [before[-1] if before else None, *(truth for moment, truth in truths if since < moment <= until)]

    def wire(self, template_id: str) -> dict[str, Any]:
        """Write the record of one live template."""
        return self.live[template_id].wire(template_id, self.form, self.hidden)


@dataclass(slots=True)
class Visit:
    """The requests of one run: makes the events of the script, and the responses.

    Attributes:
        on_rival: called for the events `rival` and `takeover`.
        fired: number of events so far, by kind.
    """

    catalog: Catalog
    script: Sequence[Event] = ()
    on_rival: Callable[[str], None] = lambda _kind: None
    requests: int = 0
    walks: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    toggled: set[str] = field(default_factory=set)
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

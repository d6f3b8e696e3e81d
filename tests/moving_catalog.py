"""A catalog that changes; it records its true values over time. `tests.visit` serves it to a run.

A template has a *meaning*, its values, and a *form*, their notation at the moment: the signatures of its URLs, the order of its
lists, `1.0` for `1`. Tests compare meanings by the rules here, not by those of `sync`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
RESOLUTIONS = ("480p", "720p", "1080p")
WORDS = ("hot", "new", "duo", "pet", "fun")
RATIOS = ("9:16", "1:1", "16:9")


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

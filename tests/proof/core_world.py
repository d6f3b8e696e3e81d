"""Every history of a small catalog over two runs of the pure core, with up to two events and one fault.

    python -m tests.proof.core_world --templates 3

A history is a catalog of n templates, stored by a first run; then two runs on pages of two, in which up to two events happen,
each before any request of either run, and up to one fault affects any response; then runs without either. `sync.synchronise.plan`
computes what each run changes. `StoreModel` is a model of the database; tests/world.py compares it with the real store. In other
explorations, one template or all lose a documented field and regain it, with the old value or another.

After every run: no template that was served throughout was removed; each published value was served at some moment of the run;
each change has the stored values before and after; every difference in values is published; a consumer that applies the fields
of each change has the documented columns. After the last runs, the stored values are those served, except for lost fields that
no record has, and one more run changes nothing.

Histories are merged where the difference has no effect:

- Events and faults after the last request of a run.
- Runs with equal responses from equal stored values have the same `RequestNode`. Where also the catalog, its past moments and
  the remaining events and faults are equal, they continue equally.
- Histories with equal stored values, catalogs, and remaining events and faults continue equally.
- Templates differ in their IDs only; the values of prices and tags have no effect.
- There is one fault, so a page that a later response repeats was served without a fault.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from sync.catalog.removals import RunOptions
from sync.errors import DeadlineExceeded, Interrupted, SyncError
from sync.synchronise import plan
from tests.fake_client import FakeClient
from tests.moving_catalog import LOSABLE, Catalog, Meaning, truth_of
from tests.proof.events import PAGE, events, faults, losses
from tests.proof.run_rules import PublishedChange, check_changes, published_changes, settled
from tests.proof.store_model import StoreModel
from tests.visit import Event, Visit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sync.client.api_client import Params
    from sync.store.apply import Store

Answer = tuple[int, bytes] | type[SyncError]
Script = tuple[Event, ...]
T = TypeVar("T")
OPTIONS = RunOptions(page_size=PAGE, hold=0.0)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Budget(NamedTuple):
    """The events and faults that may still happen in a history. At most one fault: see the docstring of this module."""

    events: int
    faults: int


@dataclass(slots=True)
class RunEnd:
    """The result of a run that got certain responses."""

    after: StoreModel
    key: bytes
    status: str
    changes: list[PublishedChange]


@dataclass(slots=True, eq=False)
class RequestNode:
    """A point of a run: the request that follows certain responses, and what comes next, by the response."""

    params: Params
    next: dict[Answer, RequestNode | RunEnd] = field(default_factory=dict)


@dataclass(slots=True)
class State:
    """The state of a history between two runs, and its events."""

    history: tuple[Script, ...]
    catalog: Catalog
    stored: StoreModel

    @property
    def key(self) -> object:
        """Identify what can affect the next run."""
        return hash((self.stored.key, _key(self.catalog)))


@dataclass(frozen=True, slots=True)
class Moment:
    """The state of a run between two requests, without its node.

    Attributes:
        truths: the live templates at every moment since the first request.
        partial: number of templates that a lagging replica serves; None without one.
        served: the pages that were served so far.
        given: the responses so far, with their requests.
    """

    catalog: Catalog
    truths: tuple[Mapping[str, Meaning], ...]
    left: Budget
    script: Script = ()
    partial: int | None = None
    served: tuple[list[dict[str, Any]], ...] = ()
    given: tuple[tuple[Params, Answer], ...] = ()

    @property
    def key(self) -> object:
        """Identify what can affect the rest of the run."""
        truths = frozenset(tuple(live.items()) for live in self.truths)
        return hash((_key(self.catalog), truths, self.left, self.partial))

    def after(self, event: tuple[str, int, int]) -> Moment:
        """Return the state after one event."""
        catalog = self.catalog.fork()
        catalog.mutate(*event)
        script = (*self.script, Event(len(self.given), *event))
        left = Budget(self.left.events - 1, self.left.faults)
        before = self.truths if self.given else ()  # values from before the first request were not served
        return replace(self, catalog=catalog, truths=(*before, catalog.live), left=left, script=script)

    def answered(self, params: Params, fault: tuple[str, int, int] | None = None) -> tuple[Answer, Moment]:
        """Answer one request, with a fault or without; return the response and the next state."""
        fault_events = () if fault is None else (Event(len(self.given), *fault),)
        visit = Visit(self.catalog, fault_events, requests=len(self.given), partial=self.partial, served=[*self.served])
        answer: Answer
        try:
            answer = visit.answer(params)
        except (DeadlineExceeded, Interrupted) as over:
            answer = type(over)
        left = self.left if fault is None else Budget(self.left.events, self.left.faults - 1)
        given = (*self.given, (params, answer))
        script = (*self.script, *fault_events)
        return answer, replace(self, left=left, script=script, partial=visit.partial, served=tuple(visit.served), given=given)


class CoreWorld:
    """Explores histories without a database; `counted` has their numbers.

    Args:
        field: one of `LOSABLE`, which templates lose and regain.
        only_losses: whether a catalog has no other events.
    """

    def __init__(self, *, field: str | None = None, only_losses: bool = False) -> None:
        self.counted: Counter[str] = Counter()
        self._field, self._only_losses = field, only_losses
        self._calmed: set[object] = set()
        self.ways: dict[bytes, list[RequestNode]] = {}
        self._kept: dict[object, object] = {}

    def explore(self, templates: int, left: Budget, *, runs: int = 2) -> None:
        """Explore every history of a catalog with a number of templates.

        Args:
            templates: the number of templates.
            left: the events and faults that may happen.
            runs: the number of runs after the first one.
        """
        catalog = Catalog()
        for place in range(templates):
            catalog.mutate("add", 0, place)
        first = State((), catalog, _run(State((), catalog, StoreModel()), _moment(catalog))[0].after)
        begin: dict[object, tuple[State, set[Budget]]] = {first.key: (first, {left})}
        for _ in range(1, runs):
            between: dict[object, tuple[State, set[Budget]]] = {}
            for state, still in self._after(begin):
                between.setdefault(state.key, (state, set()))[1].add(still)
            self.counted["states between two runs"] += len(between)
            begin = between
        for end, _ in self._after(begin):
            self._calm(end)

    def _after(self, begin: Mapping[object, tuple[State, set[Budget]]]) -> Iterator[tuple[State, Budget]]:
        """Explore every run from some states."""
        for state, ways in begin.values():
            for still in _most(ways):
                yield from Runs(self, state).all(still)

    def events(self, catalog: Catalog) -> Iterator[tuple[str, int, int]]:
        """Yield the possible events of a catalog."""
        if not self._only_losses:
            yield from events(len(catalog.live), len(catalog.history) - len(catalog.live))
        if self._field is not None:
            lost = [self._field in meaning.lost for meaning in catalog.live.values()]
            yield from losses(lost, LOSABLE.index(self._field))

    def once(self, key: object, value: T) -> T:
        """Return one object for equal values, because nodes outnumber responses and stored states a thousandfold."""
        return cast("T", self._kept.setdefault(key, value))

    def _calm(self, state: State) -> None:
        """Run without faults: the first run stores the served values, the next one changes nothing."""
        if (key := state.key) in self._calmed:
            return
        self._calmed.add(key)
        self.counted["calmed down"] += 1
        catalog = state.catalog
        accept = not catalog.live
        try:
            end, _ = _run(state, _moment(catalog), accept=accept)
            assert end.status == "succeeded", f"a calm run did not suffice: {end.status}"
            documents = end.after.documents
            truths = {key: truth_of(document) for key, document in documents.items()}
            assert truths == settled(catalog.live, state.stored.documents), "the stored values are those served"
            newest = {template_id: catalog.wire(template_id)["Cover"] for template_id in catalog.live}
            assert {key: document["cover_url"] for key, document in documents.items()} == newest
            again, _ = _run(State(state.history, catalog, end.after), _moment(catalog), accept=accept)
            assert (again.key, again.changes) == (end.key, []), "a run without changes writes nothing"
        except BaseException:
            sys.stderr.write(f"\nin the calm runs after {state.history}\n")
            raise


class Runs:
    """Every run from one state, as a tree of responses."""

    def __init__(self, world: CoreWorld, state: State) -> None:
        self._world, self._state = world, state
        self._begin = world.ways.setdefault(state.stored.key, [])
        self._counts: dict[object, int] = {}
        self._ends: list[tuple[State, Budget]] = []

    def all(self, left: Budget) -> list[tuple[State, Budget]]:
        """Explore the runs; return the state after each and its remaining budget."""
        begin = replace(_moment(self._state.catalog), left=left)
        if not self._begin:
            self._begin.append(self._complete(begin))
        self._world.counted["runs"] += self._from(self._begin[0], begin)
        return self._ends

    def _from(self, node: RequestNode, moment: Moment) -> int:
        """Explore every run that continues from a node in a state; return their number."""
        key = (node, moment.key)
        if (count := self._counts.get(key)) is not None:
            return count
        catalog, left = moment.catalog, moment.left
        count = self._continue(node, moment)
        count += sum(self._from(node, moment.after(each)) for each in self._world.events(catalog) if left.events)
        count += sum(self._continue(node, moment, each) for each in faults(len(catalog.live)) if left.faults)
        self._counts[key] = count
        return count

    def _continue(self, node: RequestNode, moment: Moment, fault: tuple[str, int, int] | None = None) -> int:
        """Answer the request of a node, and continue from there."""
        answer, later = moment.answered(node.params, fault)
        if answer not in node.next:
            self._complete(later, node)
        found = node.next[answer]
        if isinstance(found, RequestNode):
            return self._from(found, later)
        try:
            check_changes(found.changes, later.truths)
        except BaseException:
            sys.stderr.write(f"\nin the history {(*self._state.history, later.script)}\n")
            raise
        self._world.counted["distinct runs"] += 1
        self._world.counted[f"  ended {found.status}"] += 1
        self._ends.append((State((*self._state.history, later.script), later.catalog, found.after), later.left))
        return 1

    def _complete(self, moment: Moment, node: RequestNode | None = None) -> RequestNode:
        """Complete a run of the core without further faults; store its requests, and return the first new node."""
        try:
            end, way = _run(self._state, moment)
        except BaseException:
            sys.stderr.write(f"\nin the history {(*self._state.history, moment.script)}\n")
            raise
        self._world.counted["runs of the core"] += 1
        end = replace(end, after=self._world.once(end.key, end.after))
        new = way[max(0, len(moment.given) - 1) :]
        first = node = node or RequestNode(new[0][0])
        for (_params, answer), (following, _) in itertools.pairwise(new):
            node.next[self._world.once(answer, answer)] = node = RequestNode(following)
        last = new[-1][1]
        node.next[self._world.once(last, last)] = end
        return first


def _run(state: State, moment: Moment, *, accept: bool = False) -> tuple[RunEnd, list[tuple[Params, Answer]]]:
    """Run the core from a state, with the responses so far, then those of a catalog that does not change."""
    way: list[tuple[Params, Answer]] = []

    def answer(params: Params) -> tuple[int, bytes]:
        nonlocal moment
        if len(way) < len(given):
            expected, response = given[len(way)]
            assert expected == params, "equal responses lead to equal requests"
        else:
            response, moment = moment.answered(params)
        way.append((params, response))
        if isinstance(response, tuple):
            return response
        raise response("The run ended.")

    given, store = moment.given, state.stored
    endpoint = FakeClient(answer, workers=1)
    options = replace(OPTIONS, accept_removals=accept)
    try:
        planned = plan(cast("Store", store), endpoint, options, now=NOW, random=lambda: 0.5)
        endpoint.check_deadline()
    except SyncError as error:
        return RunEnd(store, store.key, f"failed, {error.code}", []), way
    after = store.after(planned)
    status = planned.problem.code if planned.problem else "succeeded"
    return RunEnd(after, after.key, status, published_changes(store.documents, after.documents, planned)), way


def _moment(catalog: Catalog) -> Moment:
    return Moment(catalog, (catalog.live,), Budget(0, 0))


def _key(catalog: Catalog) -> object:
    gone = tuple((key, catalog.meanings[key][-1]) for key in sorted(catalog.history.keys() - catalog.live.keys()))
    return tuple(catalog.live.items()), catalog.form, gone


def _most(ways: set[Budget]) -> Iterator[Budget]:
    """Omit the budgets that another one includes."""
    return (each for each in ways if not any(_includes(other, each) for other in ways - {each}))


def _includes(more: Budget, less: Budget) -> bool:
    return more.events >= less.events and more.faults >= less.faults


def main() -> None:
    """Explore, smallest catalogs first, and print the counts."""
    parser = argparse.ArgumentParser(description="Explore every history of catalogs of up to a number of templates.")
    parser.add_argument("--templates", type=int, default=3)
    parser.add_argument("--events", type=int, default=2)
    parser.add_argument("--faults", type=int, choices=(0, 1), default=1)
    options = parser.parse_args()
    began = time.monotonic()
    world = CoreWorld()
    for count in range(options.templates + 1):
        world.explore(count, Budget(options.events, options.faults))
        print(summary(count, world.counted, time.monotonic() - began), flush=True)  # noqa: T201 - a command


def summary(templates: int, counted: Counter[str], seconds: float) -> str:
    """Return the counts so far in one line."""
    names = ("runs", "distinct runs", "runs of the core", "states between two runs", "calmed down")
    figures = ", ".join(f"{counted[name]:,} {name}" for name in names)
    return f"up to {templates} templates: {figures}; no violation; {seconds:.0f} s"


if __name__ == "__main__":
    main()

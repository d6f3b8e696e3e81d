"""Random histories of a moving and lying catalog, with and without recognition: see `tests.twice`."""

from __future__ import annotations

import json
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from sync.synchronise import RunOptions
from tests.answering import Answering
from tests.moving_catalog import ERRORS, LIES, MUTATIONS, Catalog, Event, Visit
from tests.twice import Attempt, Twice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sync.client.params import Params

SOME_LACK = ("Mood", "Trial", "Tags", "Tags_en", "Title")
"""Fields that a part of the catalog may lack; `Trial` is one that the moving catalog does not have by itself."""
PARTS = 5
"""The catalog's parts: ids by what is left when they are divided by this."""
UPHEAVALS = ("wipe", "toggle", "sign")
"""After one of these there is little left to recognise: they are rarer here than what befalls one template."""
CHANGES = (*UPHEAVALS, *[kind for kind in MUTATIONS if kind not in UPHEAVALS] * 3)
EVENTS = (*LIES * 5, *CHANGES, *ERRORS, "garbage", "deadline", "stop")


@dataclass(frozen=True, slots=True)
class Form:
    """How a catalog is written.

    Attributes:
        spelling: 0, 1 or 2: the same JSON in other bytes.
        lacking: (field, part) where a part of the catalog does without a field.
    """

    spelling: int = 0
    lacking: frozenset[tuple[str, int]] = frozenset()

    def written(self, body: bytes) -> bytes:
        """Write an answer so; what is no JSON stays as it is."""
        with suppress(ValueError):
            answer = json.loads(body)
            for each in (answer.get("data") or {}).get("templates", ()):
                self._dress(each)
            how: dict[str, Any] = ({}, {"indent": 1, "ensure_ascii": False}, {"sort_keys": True})[self.spelling]
            return json.dumps(answer, **how).encode(errors="surrogatepass")
        return body

    def _dress(self, each: dict[str, Any]) -> None:
        number = int(each["TemplateId"]) if str(each["TemplateId"]).isdecimal() else 0
        each["Trial"] = number % 3
        for name in SOME_LACK:
            if (name, number % PARTS) in self.lacking:
                each.pop(name, None)


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to the catalog, and the run after that; `refreshes` picks one template instead of all."""

    changes: Sequence[tuple[str, int, int]]
    turned: Sequence[tuple[str, int]]
    spelling: int | None
    script: Sequence[Event]
    options: RunOptions
    miscount: int | None
    refreshes: int | None


def step(seed: int) -> Step:
    """Make a step: most of them small, because after a great upheaval there is nothing left to recognise."""
    dice = random.Random(seed)  # noqa: S311 - a test's input

    def several(*counts: int) -> range:
        return range(dice.choice(counts))

    return Step(
        changes=[(dice.choice(CHANGES), dice.randrange(20), dice.randrange(20)) for _ in several(0, 0, 1, 3)],
        turned=[(dice.choice(SOME_LACK), dice.randrange(PARTS)) for _ in several(0, 0, 1, 2)],
        spelling=dice.choice((None,) * 17 + (0, 1, 2)),
        script=[
            Event(dice.randrange(7), dice.choice(EVENTS), dice.randrange(20), dice.randrange(20)) for _ in several(0, 1, 2, 4)
        ],
        options=RunOptions(
            page_size=dice.randint(2, 5), workers=dice.choice((1, 1, 2, 4)), accept_removals=dice.choice((False,) * 5 + (True,))
        ),
        miscount=dice.choice((0,) * 9 + (1, -1, None)),
        refreshes=dice.choice((None,) * 9 + (dice.randrange(20),)),
    )


def history(seed: int, steps: Sequence[Step]) -> Callable[[], Iterator[Attempt]]:
    """Make a history: the seed says how the server is built, and what it has at first."""

    def attempts() -> Iterator[Attempt]:
        dice = random.Random(seed)  # noqa: S311 - a test's input
        catalog = Catalog(
            cap=dice.choice((50, 50, 2, 3)),
            past_end=dice.choice(("empty", "404", "422", "last", "first")),
            not_there=dice.choice(("404", "empty")),
        )
        for number in range(dice.randint(3, 14)):
            catalog.mutate("add", 0, number)
        lacking = {(name, part) for name in SOME_LACK[:2] for part in range(PARTS) if dice.random() < 0.5}
        form = Form(0, frozenset(lacking))
        yield Attempt(Answering(_answers(Visit(catalog), form)))
        for each in steps:
            for kind, pick, other in each.changes:
                catalog.mutate(kind, pick, other)
            spelling = form.spelling if each.spelling is None else each.spelling
            form = replace(form, spelling=spelling, lacking=form.lacking ^ set(each.turned))
            catalog.miscount = each.miscount
            ever = sorted(catalog.history)
            refreshed = None if each.refreshes is None else ever[each.refreshes % len(ever)]
            yield Attempt(Answering(_answers(Visit(catalog, each.script), form)), each.options, refreshed)

    return attempts


def _answers(visit: Visit, form: Form) -> Callable[[Params], tuple[int, bytes]]:
    def answer(question: Params) -> tuple[int, bytes]:
        status, body = visit.answer(question)
        return status, form.written(body)

    return answer


SEEDS = st.integers(0, 2**40)


def play(examples: int, steps: int, migrated: dict[str, str], folder: Path, **how: Any) -> Counter[str]:
    """Play so many random histories both ways; count how their runs ended, and what was recognised."""
    figures: Counter[str] = Counter()

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=[*HealthCheck], print_blob=True, **how)
    @given(SEEDS, st.lists(SEEDS, min_size=5, max_size=steps))
    def equal(seed: int, seeds: list[int]) -> None:
        chosen = [step(each) for each in seeds]
        for each in chosen:
            note(str(each))
        for account in Twice("sqlite", migrated, folder).play(history(seed, chosen)):
            figures.update([account.status], recognised=account.recognised)

    equal()
    return figures


@pytest.mark.parametrize(
    ("examples", "ends"),
    [
        pytest.param(3, {"succeeded"}, id="some"),
        pytest.param(15, {"succeeded", "incomplete", "failed"}, id="more", marks=pytest.mark.ci_slice),
    ],
)
def test_random_histories_with_and_without_recognition(
    examples: int, ends: set[str], migrated: dict[str, str], tmp_path: Path
) -> None:
    figures = play(examples, 8, migrated, tmp_path, derandomize=True)
    assert figures["recognised"] > 20 * examples
    assert ends <= figures.keys()


@pytest.mark.long
def test_many_random_histories_with_and_without_recognition(migrated: dict[str, str], tmp_path: Path) -> None:
    assert play(250, 12, migrated, tmp_path)["recognised"] > 5000

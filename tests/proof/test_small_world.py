"""The small world, whole for the smallest catalogs: docs/verification.md says how far larger ones were explored."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.proof.small_world import SmallWorld, told
from tests.proof.strikes import events, faults
from tests.test_guards_matter import believed_without_asking

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_every_event_and_every_fault_is_tried_once() -> None:
    happen, befall = [*events(2, 1)], [*faults(2)]
    assert (len(happen), len(befall)) == (len({*happen}), len({*befall}))
    assert {kind for kind, *_ in happen} == {"sign", "add", "return", "delete", "reprice", "retag", "replace", "move"}
    assert (len(happen), len(befall)) == (1 + 3 + 3 + 6 + 8, 12 + 3 + 6 * 2 + 4)


@pytest.mark.long
def test_of_none_and_of_one_template_every_story_ends_well(tmp_path: Path, tell: Callable[[str], None]) -> None:
    began = time.monotonic()
    with SmallWorld(tmp_path) as world:
        for templates in (0, 1):
            world.explore(templates, pairs=(False, False))
    tell(told(1, "whole", world.counted, time.monotonic() - began))
    assert world.counted["stories"] > 500
    assert world.counted["  ended incomplete"] > 0
    assert world.counted["removed"] > 0


@pytest.mark.ci_slice
def test_without_the_look_up_the_story_that_deceives_every_count_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    believed_without_asking("lookup")(monkeypatch)
    with SmallWorld(tmp_path) as world, pytest.raises(AssertionError, match="was there throughout, and was removed"):
        world.explore(3, pairs=(False, False))

"""Damaged inputs for some seconds for each parser, with a new seed each time; `python -m tests.proof.fuzz` runs longer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.proof.fuzz import TARGETS, fuzz

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.long
@pytest.mark.parametrize("target", TARGETS)
def test_any_input_is_accepted_or_refused_with_an_error_of_this_program(target: str, report: Callable[[str], None]) -> None:
    seed = int(time.time())  # a failure is reported with it
    count = fuzz(target, 20.0, seed)
    report(f"{target}: {count:,} inputs, seed {seed}: no failure")
    assert count > 100

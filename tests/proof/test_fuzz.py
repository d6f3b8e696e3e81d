"""Damaged inputs, some seconds for each reader and another seed each time; `python -m tests.proof.fuzz` throws more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.proof.fuzz import TARGETS, fuzz

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.long
@pytest.mark.parametrize("target", TARGETS)
def test_any_input_is_read_or_refused_with_an_error_of_this_program(target: str, tell: Callable[[str], None]) -> None:
    seed = int(time.time())  # what is found names it
    count = fuzz(target, 20.0, seed)
    tell(f"{target}: {count:,} inputs, seed {seed}: nothing unforeseen")
    assert count > 100

"""How far an endpoint has been told, as a number."""

from __future__ import annotations

import pytest

from sync.webhooks.position import GONE, LOST, Position
from tests.webhooks.told import CURSOR


@pytest.mark.parametrize(("cursor", "seq"), [(CURSOR, 7), ("", 0), ("no cursor", 0)])
def test_an_endpoint_stands_at_the_number_in_its_cursor_and_without_one_at_the_beginning(cursor: str, seq: int) -> None:
    assert Position("shop", cursor, 0, True, 0, None, None, None, None, None, None).seq == seq  # noqa: FBT003 - whether it is at the end


def test_the_words_that_stand_in_the_table_stay_what_they_are() -> None:
    assert (GONE, LOST) == ("gone", "lost")

"""Answers are harmless, and never too large."""

from __future__ import annotations

from typing import Any

import pytest

from sync.agents.fit import CUT, MOST_BYTES, TooLargeError, fits, fitted, harmless


def test_what_acts_on_a_terminal_or_turns_the_writing_is_shown_and_not_sent() -> None:
    assert harmless({"a\x1b": ["x\u202ey\x00\n", 1, None, True]}) == {"a\\x1b": ["x\\u202ey\\x00\\n", 1, None, True]}
    assert harmless("\ud800") == "\\ud800"


def test_what_fits_is_left_as_it_is() -> None:
    answer = {"title": "战斗游戏 🔥", "tags": ["x" * 2000], "n": 1.5}
    assert fitted(answer) == answer


def test_a_long_text_is_cut_and_the_answer_says_so() -> None:
    assert fitted({"title": "x" * 2001}) == {"title": "x" * 2000 + CUT, "shortened": True}


def test_texts_and_lists_are_cut_more_and_more_until_it_fits() -> None:
    cut = fitted({"tags": ["战" * 2000] * 100, "more": False})
    assert (cut["tags"], cut["more"], cut["shortened"]) == (["战" * 500 + CUT] * 50, False, True) or fits(cut)
    assert len(cut["tags"]) == 10
    assert fits(cut)


def test_what_is_asked_with_again_is_never_cut() -> None:
    answer = {"after": "a" * 4000, "rows": [{"template_id": "i" * 255, "extra": ["x" * 3000] * 100}]}
    cut = fitted(answer)
    assert (cut["after"], cut["rows"][0]["template_id"]) == ("a" * 4000, "i" * 255)
    assert len(cut["rows"][0]["extra"]) < 100


def test_keys_of_ours_are_all_there_however_much_is_cut() -> None:
    keys = [f"key{number}" for number in range(20)]
    cut = fitted({key: ["x" * 2000] * 10 for key in keys})
    assert [*cut] == [*keys, "shortened"]


def test_what_cannot_be_cut_enough_is_refused() -> None:
    def nested(levels: int) -> Any:
        return {f"k{number}": nested(levels - 1) for number in range(20)} if levels else "x" * 100

    with pytest.raises(TooLargeError):
        fitted({"extra": nested(3)})


def test_the_size_is_counted_in_bytes() -> None:
    assert fits({"x": "a" * (MOST_BYTES - len('{"x": ""}'))})
    assert not fits({"x": "a" * (MOST_BYTES - len('{"x": ""}') + 1)})
    assert not fits({"x": "战" * (MOST_BYTES // 2)})

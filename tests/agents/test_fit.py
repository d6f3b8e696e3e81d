"""Answers are harmless, and never too large."""

from __future__ import annotations

from typing import Any

import pytest

from sync.agents.answers import CUT, MAX_BYTES, TooLargeError, escape_and_truncate, fit_to_limit, fits


def test_what_acts_on_a_terminal_or_turns_the_writing_is_shown_and_not_sent() -> None:
    assert escape_and_truncate({"a\x1b": ["x\u202ey\x00\n", 1, None, True]}) == {"a\\x1b": ["x\\u202ey\\x00\\n", 1, None, True]}
    assert escape_and_truncate("\ud800") == "\\ud800"


def test_what_fits_is_left_as_it_is() -> None:
    answer = {"title": "战斗游戏 🔥", "tags": ["x" * 2000], "n": 1.5}
    assert fit_to_limit(answer) == answer


def test_a_long_text_is_cut_and_the_answer_says_so() -> None:
    assert fit_to_limit({"title": "x" * 2001}) == {"title": "x" * 2000 + CUT, "shortened": True}


def test_texts_and_lists_are_cut_more_and_more_until_it_fits() -> None:
    cut = fit_to_limit({"tags": ["战" * 2000] * 100, "more": False})
    assert (cut["tags"], cut["more"], cut["shortened"]) == (["战" * 500 + CUT] * 50, False, True) or fits(cut)
    assert len(cut["tags"]) == 10
    assert fits(cut)


def test_what_is_asked_with_again_is_never_cut() -> None:
    answer = {"after": "a" * 4000, "rows": [{"template_id": "i" * 255, "extra": ["x" * 3000] * 100}]}
    cut = fit_to_limit(answer)
    assert (cut["after"], cut["rows"][0]["template_id"]) == ("a" * 4000, "i" * 255)
    assert len(cut["rows"][0]["extra"]) < 100


def test_keys_of_ours_are_all_there_however_much_is_cut() -> None:
    keys = [f"key{number}" for number in range(20)]
    cut = fit_to_limit({key: ["x" * 2000] * 10 for key in keys})
    assert [*cut] == [*keys, "shortened"]


def test_what_cannot_be_cut_enough_is_refused() -> None:
    def nested(levels: int) -> Any:
        return {f"k{number}": nested(levels - 1) for number in range(20)} if levels else "x" * 100

    with pytest.raises(TooLargeError):
        fit_to_limit({"extra": nested(3)})


def test_the_size_is_counted_in_bytes() -> None:
    assert fits({"x": "a" * (MAX_BYTES - len('{"x": ""}'))})
    assert not fits({"x": "a" * (MAX_BYTES - len('{"x": ""}') + 1)})
    assert not fits({"x": "战" * (MAX_BYTES // 2)})


def test_an_answer_has_24000_bytes_and_may_hold_half_a_pair() -> None:
    assert fits({"x": "a" * 23_991})
    assert not fits({"x": "a" * 23_992})
    assert fits({"x": "\ud800"})


def lists(levels: int, within: Any = 1) -> Any:
    return [lists(levels - 1, within)] if levels else within


@pytest.mark.parametrize(("large", "longest", "most", "deepest"), [
    ([], 2000, 200, 20),
    ([["x" * 2000] * 20], 500, 50, 20),
    ([["x" * 2000] * 50], 100, 10, 20),
    ([[["x" * 2000] * 10] * 10] * 3, 40, 3, 5),
])  # fmt: skip
def test_the_more_there_is_the_less_of_each_is_left(large: list[Any], longest: int, most: int, deepest: int) -> None:
    given = {"text": "y" * 2001, "list": [0] * 201, "deep": lists(21)}
    cut = fit_to_limit({**given, "large": large})
    assert {name: cut[name] for name in given} == {
        "text": "y" * longest + "… (cut)",
        "list": [0] * most,
        "deep": lists(deepest, "… (cut)"),
    }
    assert cut["shortened"] is True


def test_what_is_just_small_enough_is_not_cut() -> None:
    answer = {"text": "y" * 2000, "list": [0] * 200, "deep": lists(20), "empty": lists(20, [])}
    assert fit_to_limit(answer) == answer


def test_a_value_by_itself_is_cut_as_little_as_an_answer_that_fits() -> None:
    assert escape_and_truncate("x" * 2000) == "x" * 2000
    assert escape_and_truncate("x" * 2001) == "x" * 2000 + "… (cut)"
    assert escape_and_truncate([0] * 201) == [0] * 200
    assert escape_and_truncate(lists(21)) == lists(21)
    assert escape_and_truncate(lists(22)) == lists(21, "… (cut)")


def test_a_name_is_cut_as_a_text_is_and_nothing_is_left_out_that_is_no_container() -> None:
    assert escape_and_truncate({"abc\x1b": "abc\x1b"}, 2) == {"ab… (cut)": "ab… (cut)"}
    assert escape_and_truncate([1, "", [], {}, None, {"a": {}}], 0, 9, 0) == [1, "", [], {}, None, "… (cut)"]
    assert escape_and_truncate({"a": [1], "b": []}, 9, 9, 0) == {"a": "… (cut)", "b": []}


def test_an_object_keeps_twenty_keys_where_it_is_ours_and_below_as_many_as_a_list() -> None:
    many = {f"k{number:02}": number for number in range(30)}
    assert len(escape_and_truncate(many, 9, 2, 3)) == 20
    assert len(escape_and_truncate(many, 9, 25, 3)) == 25
    assert escape_and_truncate(many, 9, 2, 2) == {"k00": 0, "k01": 1}


def test_only_what_is_asked_with_again_is_left_whole_and_only_as_far_as_it_can_be_ours() -> None:
    names = ("after", "cursor", "template_id")
    assert escape_and_truncate(dict.fromkeys(names, "x" * 4000), 11) == dict.fromkeys(names, "x" * 4000)
    assert escape_and_truncate(dict.fromkeys(names, "x" * 4001), 11) == dict.fromkeys(names, "x" * 11 + "… (cut)")
    other = {"after": ["x" * 12], "cursor": {"a": "x" * 12}, "template_id": 1, "title": "x" * 12}
    cut = "x" * 11 + "… (cut)"
    assert escape_and_truncate(other, 11) == {"after": [cut], "cursor": {"a": cut}, "template_id": 1, "title": cut}


def test_what_is_only_escaped_is_not_called_shortened() -> None:
    assert fit_to_limit({"title": "a\x1b", "text": "\x1b" * 2000}) == {"title": "a\\x1b", "text": "\\x1b" * 2000}

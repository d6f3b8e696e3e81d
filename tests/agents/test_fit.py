"""Escaping and size of answers."""

from __future__ import annotations

from typing import Any

import pytest

from sync.agents.answers import TooLargeError, escape_and_truncate, fit_to_limit, fits


def test_control_characters_are_escaped() -> None:
    assert escape_and_truncate({"a\x1b": ["x\u202ey\x00\n", 1, None, True]}) == {"a\\x1b": ["x\\u202ey\\x00\\n", 1, None, True]}
    assert escape_and_truncate("\ud800") == "\\ud800"


def test_an_answer_within_the_limits_is_unchanged() -> None:
    answer = {"title": "战斗游戏 🔥", "tags": ["x" * 2000], "n": 1.5}
    assert fit_to_limit(answer) == answer


def test_values_for_later_calls_are_not_truncated() -> None:
    answer = {"after": "a" * 4000, "rows": [{"template_id": "i" * 255, "extra": ["x" * 3000] * 100}]}
    cut = fit_to_limit(answer)
    assert (cut["after"], cut["rows"][0]["template_id"]) == ("a" * 4000, "i" * 255)
    assert len(cut["rows"][0]["extra"]) < 100


def test_no_key_of_an_answer_is_lost() -> None:
    keys = [f"key{number}" for number in range(20)]
    cut = fit_to_limit({key: ["x" * 2000] * 10 for key in keys})
    assert [*cut] == [*keys, "shortened"]


def test_an_answer_that_cannot_be_truncated_enough_is_refused() -> None:
    def nested(levels: int) -> Any:
        return {f"k{number}": nested(levels - 1) for number in range(20)} if levels else "x" * 100

    with pytest.raises(TooLargeError):
        fit_to_limit({"extra": nested(3)})


def test_an_answer_has_at_most_24000_bytes_and_may_contain_a_surrogate() -> None:
    assert fits({"x": "a" * 23_991})
    assert not fits({"x": "a" * 23_992})
    assert not fits({"x": "战" * 12_000})
    assert fits({"x": "\ud800"})


def lists(levels: int, within: Any = 1) -> Any:
    return [lists(levels - 1, within)] if levels else within


@pytest.mark.parametrize(("large", "longest", "most", "deepest"), [
    ([], 2000, 200, 20), ([["x" * 2000] * 20], 500, 50, 20), ([["x" * 2000] * 50], 100, 10, 20),
    ([[["x" * 2000] * 10] * 10] * 3, 40, 3, 5),
])  # fmt: skip
def test_larger_answers_are_truncated_more(large: list[Any], longest: int, most: int, deepest: int) -> None:
    given = {"text": "y" * 2001, "list": [0] * 201, "deep": lists(21)}
    cut = fit_to_limit({**given, "large": large})
    assert {name: cut[name] for name in given} == {
        "text": "y" * longest + "… (cut)",
        "list": [0] * most,
        "deep": lists(deepest, "… (cut)"),
    }
    assert cut["shortened"] is True


def test_values_at_the_limits_are_not_truncated() -> None:
    answer = {"text": "y" * 2000, "list": [0] * 200, "deep": lists(20), "empty": lists(20, [])}
    assert fit_to_limit(answer) == answer


def test_the_default_limits_of_a_single_value() -> None:
    assert escape_and_truncate("x" * 2000) == "x" * 2000
    assert escape_and_truncate("x" * 2001) == "x" * 2000 + "… (cut)"
    assert escape_and_truncate([0] * 201) == [0] * 200
    assert escape_and_truncate(lists(21)) == lists(21)
    assert escape_and_truncate(lists(22)) == lists(21, "… (cut)")


def test_keys_are_truncated_and_scalars_are_kept_at_any_depth() -> None:
    assert escape_and_truncate({"abc\x1b": "abc\x1b"}, 2) == {"ab… (cut)": "ab… (cut)"}
    assert escape_and_truncate([1, "", [], {}, None, {"a": {}}], 0, 9, 0) == [1, "", [], {}, None, "… (cut)"]
    assert escape_and_truncate({"a": [1], "b": []}, 9, 9, 0) == {"a": "… (cut)", "b": []}


def test_an_object_of_an_answer_keeps_twenty_keys_and_deeper_ones_fewer() -> None:
    many = {f"k{number:02}": number for number in range(30)}
    assert len(escape_and_truncate(many, 9, 2, 3)) == 20
    assert len(escape_and_truncate(many, 9, 25, 3)) == 25
    assert escape_and_truncate(many, 9, 2, 2) == {"k00": 0, "k01": 1}


def test_only_texts_for_later_calls_are_kept_up_to_their_maximum_length() -> None:
    names = ("after", "cursor", "template_id")
    assert escape_and_truncate(dict.fromkeys(names, "x" * 4000), 11) == dict.fromkeys(names, "x" * 4000)
    assert escape_and_truncate(dict.fromkeys(names, "x" * 4001), 11) == dict.fromkeys(names, "x" * 11 + "… (cut)")
    other = {"after": ["x" * 12], "cursor": {"a": "x" * 12}, "template_id": 1, "title": "x" * 12}
    cut = "x" * 11 + "… (cut)"
    assert escape_and_truncate(other, 11) == {"after": [cut], "cursor": {"a": cut}, "template_id": 1, "title": cut}


def test_an_escaped_answer_is_not_marked_as_shortened() -> None:
    assert fit_to_limit({"title": "a\x1b", "text": "\x1b" * 2000}) == {"title": "a\\x1b", "text": "\\x1b" * 2000}

"""Validation of an input: one message per problem, with the path of the field."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from sync.errors import MissingExtra
from sync.forms.form import Form
from sync.forms.validation import problems
from tests.catalog.runs import base, document_of

FORM = Form(document_of(base("1", InputNum=2)))
IMAGES = ["https://a.example/1.png", "http://a.example/2.png?x=1"]
VALID: dict[str, Any] = {"template_id": "1", "img_urls": IMAGES, "resolution": "720p"}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in VALID.items() if key != name}


NO_FIELD = "unknown field; the fields are template_id, img_urls, resolution"
NO_URL = "must be an http or https URL (no Base64, no local path), not "
PROBLEMS: dict[str, tuple[Any, str, str]] = {
    "a list": ([VALID], "", "must be an object, not a list"),
    "null": (None, "", "must be an object, not null"),
    "a text": ("x", "", "must be an object, not a string"),
    "no id": (without("template_id"), "template_id", "is missing"),
    "another template": ({**VALID, "template_id": "2"}, "template_id", 'must be "1", not "2"'),
    "an id that is a number": ({**VALID, "template_id": 1}, "template_id", 'must be "1", not 1'),
    "no images": (without("img_urls"), "img_urls", "is missing"),
    "one image too few": ({**VALID, "img_urls": IMAGES[:1]}, "img_urls", "must hold 2 images, not 1"),
    "one image too many": ({**VALID, "img_urls": [*IMAGES, *IMAGES[:1]]}, "img_urls", "must hold 2 images, not 3"),
    "images that are no list": ({**VALID, "img_urls": IMAGES[0]}, "img_urls", "must be a list, not a string"),
    "an image that is not a string": ({**VALID, "img_urls": [IMAGES[0], 1.5]}, "img_urls[1]", "must be a string, not a number"),
    "a local path": ({**VALID, "img_urls": ["/tmp/1.png", IMAGES[1]]}, "img_urls[0]", f'{NO_URL}"/tmp/1.png"'),
    "Base64": (
        {**VALID, "img_urls": ["data:image/png;base64," + "A" * 1000, IMAGES[1]]},
        "img_urls[0]",
        f'{NO_URL}"data:image/png;base64,{"A" * 38}" (the first of 1022 characters)',
    ),
    "a URL without a host": ({**VALID, "img_urls": ["https:///1.png", IMAGES[1]]}, "img_urls[0]", f'{NO_URL}"https:///1.png"'),
    "a URL with a space": ({**VALID, "img_urls": ["https://a/1 .png", IMAGES[1]]}, "img_urls[0]", f'{NO_URL}"https://a/1 .png"'),
    "a URL with a line": ({**VALID, "img_urls": ["https://a/1.png\n", IMAGES[1]]}, "img_urls[0]", f'{NO_URL}"https://a/1.png\\n"'),
    "no resolution": (without("resolution"), "resolution", "is missing"),
    "a resolution without a price": ({**VALID, "resolution": "4k"}, "resolution", 'must be one of "480p", "720p", not "4k"'),
    "a resolution that is a number": ({**VALID, "resolution": 720}, "resolution", "must be a string, not a number"),
    "a resolution that is true": ({**VALID, "resolution": True}, "resolution", "must be a string, not a boolean"),
    "a field too many": ({**VALID, "seed": 1}, "seed", NO_FIELD),
    "a terminal escape": ({**VALID, "template_id": "\x1b[2J\u202e"}, "template_id", r'must be "1", not "\u001b[2J\u202e"'),
    "half a surrogate pair": ({**VALID, "template_id": "\ud800"}, "template_id", r'must be "1", not "\ud800"'),
    "a number of 64 bits": ({**VALID, "template_id": 2**64 - 1}, "template_id", 'must be "1", not 18446744073709551615'),
    "a number of 65 bits": ({**VALID, "template_id": 2**64}, "template_id", 'must be "1", not a number'),
    "the longest name that is not truncated": ({**VALID, "x" * 60: 1}, "x" * 60, NO_FIELD),
    "an endless number": ({**VALID, "template_id": 10**5000}, "template_id", 'must be "1", not a number'),
}  # fmt: skip


@pytest.mark.parametrize(("value", "path", "message"), PROBLEMS.values(), ids=PROBLEMS)
def test_each_problem_has_a_path_and_a_message(value: Any, path: str, message: str) -> None:
    (problem,) = FORM.validate(value)
    assert (problem.field, problem.path, problem.message) == (path.partition("[")[0], path, message)
    assert str(problem) == f"{path or 'the input'}: {message}"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_does_not_have_is_a_problem(number: float) -> None:
    problems = FORM.validate({"template_id": number, "img_urls": [number, number], "resolution": number})
    assert [problem.path for problem in problems] == ["template_id", "img_urls[0]", "img_urls[1]", "resolution"]
    assert problems[0].message == f'must be "1", not {number} (not a JSON number)'


def test_problems_are_in_the_order_of_the_fields() -> None:
    assert FORM.validate(VALID) == []
    invalid = {"seed": 1, "sead": 2, "resolution": "4k", "img_urls": ["x", "y", "https://a.example"], "template_id": "2"}
    assert [problem.path for problem in FORM.validate(invalid)] == [
        "template_id", "img_urls", "img_urls[0]", "img_urls[1]", "resolution", "seed", "sead",
    ]  # fmt: skip
    assert [problem.path for problem in FORM.validate({})] == ["template_id", "img_urls", "resolution"]


def test_a_field_name_of_the_input_is_escaped_and_truncated() -> None:
    names = ["\x1b" * 5 + "x" * 100, "\x1b" * 5 + "x" * 101]
    problems = FORM.validate({**VALID, **dict.fromkeys(names, 1)})
    assert [problem.path for problem in problems] == ["\\x1b" * 5 + "x" * 55 + "..."] * 2


def test_one_image_is_in_the_singular() -> None:
    (problem,) = Form(document_of(base("1", InputNum=1))).validate(VALID)
    assert problem.message == "must hold 1 image, not 2"


@pytest.mark.parametrize(
    ("rules", "given", "message"),
    [
        (None, 1, "unknown field; there are none"),
        ({"type": "integer"}, "x", "must be a whole number, not a string"),
        ({"type": "number"}, "x", "must be a number, not a string"),
        ({"minimum": 1}, 0, "must be at least 1, not 0"),
        ({"maximum": 5}, 6, "must be at most 5, not 6"),
        ({"minLength": 1}, "", "must have at least 1 character, not 0"),
        ({"maxLength": 2}, "abc", "must have at most 2 characters, not 3"),
        ({"multipleOf": 2}, 3, "breaks the rule 'multipleOf'"),
        ({"enum": [1], "const": 1}, 2, "must be 1, not 2"),
        ({"minLength": 3, "enum": ["abcd", "efgh"]}, "a", 'must be one of "abcd", "efgh", not "a"'),
        ({"oneOf": [{"const": "a"}], "type": "string"}, 2, "must be a string, not a number"),
        ({"maxLength": 1, "pattern": "a"}, "bb", "must have at most 1 character, not 2"),
    ],
)
def test_an_argument_out_of_bounds_is_reported_with_its_bound(rules: dict[str, Any] | None, given: Any, message: str) -> None:
    schema = {"type": "object", "properties": {} if rules is None else {"it": rules}, "additionalProperties": False}
    assert [str(problem) for problem in problems(schema, {"it": given})] == [f"it: {message}"]


@pytest.mark.parametrize("name", ["jsonschema", "a part of it"])
def test_the_error_names_the_missing_library_and_the_extra_that_installs_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", ModuleType(name))
    with pytest.raises(MissingExtra, match=f"^Checking an input needs {name}, which is not installed.$") as missing:
        FORM.validate(VALID)
    assert missing.value.hint == "Install this program with its extra validate: in a checkout, pip install '.[validate]'."

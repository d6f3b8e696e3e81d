"""The form of a template: schema, valid example, hash, and the request of a generation task."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from sync.forms.form import REQUEST_SCHEMA, Form
from sync.forms.validation import problems
from tests.catalog.runs import base, document_of


def form(**changes: Any) -> Form:
    return Form(document_of(base(**changes)))


def test_values_missing_from_the_record_are_not_restricted() -> None:
    open_form = form(InputNum=None, ConsumeItems=[], InputRequirement=None)
    images = open_form.schema["properties"]["img_urls"]
    assert images.keys() == {"type", "title", "description", "items"}
    assert images["description"] == "Image URLs, in order. Requirement: none stated."
    assert open_form.schema["properties"]["resolution"] == {"type": "string", "title": "Resolution"}
    value = {"template_id": "1", "img_urls": ["https://a.example/1.png"] * 3, "resolution": "8k"}
    assert open_form.validate(value) == []
    assert open_form.example("8k")["resolution"] == "8k"


def test_the_complete_schema_of_a_form() -> None:
    assert form(InputNum=2).schema == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Battle Game",
        "type": "object",
        "properties": {
            "template_id": {"const": "1", "readOnly": True},
            "img_urls": {
                "type": "array",
                "title": "Images",
                "description": "Image URLs, in order. Requirement: SINGLE_PERSON.",
                "items": {"type": "string", "format": "uri", "pattern": r"^(?![\s\S]*\s)https?://[^/?#]"},
                "minItems": 2,
                "maxItems": 2,
            },
            "resolution": {
                "type": "string",
                "title": "Resolution",
                "oneOf": [{"const": "480p", "title": "480p (166.5 credits)"}, {"const": "720p", "title": "720p (355.2 credits)"}],
            },
        },
        "required": ["template_id", "img_urls", "resolution"],
        "additionalProperties": False,
    }


def test_a_form_without_a_title_has_the_id_and_its_example_the_documented_resolution() -> None:
    bare = form(Title=None, Title_en=None, InputNum=None, ConsumeItems=[])
    assert bare.schema["title"] == "1"
    assert bare.example() == {"template_id": "1", "img_urls": ["https://example.com/image-1.png"], "resolution": "720p"}


def test_an_example_has_the_cheapest_or_the_requested_resolution() -> None:
    prices = [{"Resolution": "1080p", "Credit": 799.2}, {"Resolution": "480p", "Credit": 166.5}]
    assert form(ConsumeItems=prices, InputNum=2).example() == {
        "template_id": "1",
        "img_urls": ["https://example.com/image-1.png", "https://example.com/image-2.png"],
        "resolution": "480p",
    }
    assert form(ConsumeItems=prices).example("1080p")["resolution"] == "1080p"
    for make in (form(ConsumeItems=prices).example, lambda size: request(size, ConsumeItems=prices)):
        with pytest.raises(ValueError, match=r"there is no price at '4k'; there is one at 480p, 1080p"):
            make("4k")


@pytest.mark.parametrize(
    "changes",
    [
        {"ConsumeItems": [{"Resolution": "720p", "Credit": 355.2}, {"Resolution": "480p", "Credit": 166.50}]},
        {"Cover": "https://m.example/c.jpeg?sig=2"},
        {"Tags": ["热"], "Tags_en": ["Hot"]},
    ],
    ids=["prices in another order", "a new signature", "other tags"],
)
def test_the_hash_does_not_change_if_the_form_does_not(changes: dict[str, Any]) -> None:
    assert form(**changes).hash == form().hash
    assert form(**changes).schema == form().schema


@pytest.mark.parametrize(
    "changes", [{"InputNum": 2}, {"ConsumeItems": []}, {"Title_en": "x"}, {"InputRequirement": "SINGLE_PET"}], ids=str
)
def test_the_hash_changes_with_the_form(changes: dict[str, Any]) -> None:
    assert form(**changes).hash != form().hash


def test_the_hash_is_that_of_the_canonical_json() -> None:
    plain = json.dumps(form().schema, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert form().hash == hashlib.sha256(plain.encode()).hexdigest()


def test_changing_a_returned_schema_changes_no_other_copy() -> None:
    one = form()
    one.schema["properties"].clear()
    assert one.schema == form().schema


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
PRICES = st.lists(
    st.builds(
        lambda name, credit: {"Resolution": name, "Credit": credit},
        TEXTS.filter(bool),
        st.one_of(st.integers(0, 10**9), st.integers(1, 10**9).map(lambda tenths: tenths / 10)),
    ),
    max_size=4,
    unique_by=lambda price: str(price["Resolution"]),
)
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "Title": st.none() | TEXTS,
        "Title_en": st.none() | TEXTS,
        "InputNum": st.none() | st.integers(0, 5),
        "InputRequirement": st.none() | TEXTS,
        "TemplateType": st.none() | TEXTS,
        "ConsumeItems": PRICES,
    },
)


@given(changes=RECORDS, template_id=TEXTS.filter(bool))
def test_every_example_is_valid_for_its_form(changes: dict[str, Any], template_id: str) -> None:
    document = document_of({"TemplateId": template_id, **changes})
    found = Form(document)
    Draft202012Validator.check_schema(found.schema)
    for resolution in (None, *(item["resolution"] for item in document["consume_items"])):
        example = json.loads(json.dumps(found.example(resolution)))
        assert found.validate(example) == []
        assert found.validate({**example, "template_id": template_id + "x"}) != []
    assert Form({**document, "consume_items": document["consume_items"][::-1]}).hash == found.hash


# The request of a generation task -----------------------------------------------------------------------------------------

KEY_NOTE = "x-api-key takes your API key; $CRUN_API_KEY is a placeholder."
IMAGES_NOTE = "The img_urls are placeholders: replace them with public URLs of your images, in order."
CALLBACK_NOTE = "callback_url, next to model and input, is optional: a URL that is called when the task has ended."
UNKNOWN_CREDIT = "The credits that it spends are unknown."


def request(resolution: str | None = None, **changes: Any) -> dict[str, Any]:
    wanted = form(**changes)
    return wanted.request(wanted.example(resolution), base_url="https://api.example")


def test_a_request_is_the_documented_one_with_a_valid_input() -> None:
    assert request("720p") == {
        "method": "POST",
        "url": "https://api.example/api/v1/client/job/CreateTask",
        "headers": {"Content-Type": "application/json", "x-api-key": "$CRUN_API_KEY"},
        "body": {
            "model": "bytedance/template",
            "input": {"template_id": "1", "img_urls": ["https://example.com/image-1.png"], "resolution": "720p"},
        },
        "credit": 355.2,
        "notes": [
            KEY_NOTE, IMAGES_NOTE, "The images must meet this requirement: SINGLE_PERSON.", CALLBACK_NOTE,
            "A request to Crun spends 355.2 credits.",
        ],
        "removed_at": None,
    }  # fmt: skip


def test_a_request_lists_the_values_missing_from_the_catalog() -> None:
    made = request(ConsumeItems=[], InputNum=None, InputRequirement=None)
    assert made["credit"] is None
    assert made["notes"] == [
        KEY_NOTE, IMAGES_NOTE, "The catalog does not state the number of images for this template; one is shown.",
        "The catalog names no resolution for this template; 720p stands in the vendor's own example.",
        CALLBACK_NOTE, UNKNOWN_CREDIT,
    ]  # fmt: skip
    without_images = request(InputNum=0)
    assert (without_images["body"]["input"]["img_urls"], IMAGES_NOTE in without_images["notes"]) == ([], False)


def test_a_request_has_the_given_input_and_its_price() -> None:
    given = {"template_id": "1", "img_urls": ["https://cdn.example/me.png"], "resolution": "480p"}
    made = form().request(given)
    assert made["url"] == "https://api.crun.ai/api/v1/client/job/CreateTask"
    assert made["body"] == {"model": "bytedance/template", "input": given}
    assert made["credit"] == 166.5
    assert not any("placeholders" in note for note in made["notes"])
    assert form().request(form().example("720p"), base_url="https://api.example")["body"] == request("720p")["body"]


@pytest.mark.parametrize("wrong", [None, "x", [], 5])
def test_a_request_of_an_input_that_is_no_mapping_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="input: a mapping, not "):
        form().request(wrong)


def test_the_form_of_a_removed_template_is_marked_and_its_request_says_so_but_its_hash_stays() -> None:
    removed = Form(form().document, removed_at="2026-01-02T00:00:00Z")
    mark = {"deprecated": True, "$comment": "This template was removed at 2026-01-02T00:00:00Z."}
    assert removed.schema == form().schema | mark
    notes = form().request(form().example())["notes"]
    sentence = "The template was removed at 2026-01-02T00:00:00Z; the API does not accept the request."
    assert removed.request(removed.example())["notes"] == [*notes, sentence]
    assert removed.hash == form().hash


@pytest.mark.parametrize(("changes", "field"), [
    ({}, None), ({"callback_url": "https://a.example/x"}, None),
    ({"model": "another"}, "model"), ({"model": None}, "model"), ({"input": []}, "input"), ({"other": 1}, "other"),
    ({"callback_url": 1}, "callback_url"), ({"callback_url": "ftp://a.example"}, "callback_url"),
])  # fmt: skip
def test_a_request_around_its_input_is_validated(changes: dict[str, Any], field: str | None) -> None:
    found = problems(REQUEST_SCHEMA, {"model": "bytedance/template", "input": {}} | changes)
    assert [problem.field for problem in found] == ([] if field is None else [field])


@pytest.mark.parametrize("missing", ["model", "input"])
def test_a_request_needs_its_model_and_input(missing: str) -> None:
    request = {"model": "bytedance/template", "input": {}}
    del request[missing]
    assert [problem.field for problem in problems(REQUEST_SCHEMA, request)] == [missing]
    assert problems(REQUEST_SCHEMA, []) != []


def test_the_schema_of_a_request_has_the_dialect_of_a_form_and_says_that_the_callback_is_a_uri() -> None:
    assert REQUEST_SCHEMA["$schema"] == form().schema["$schema"]
    assert REQUEST_SCHEMA["properties"]["callback_url"]["format"] == "uri"


def test_the_given_images_are_compared_with_placeholders_without_making_as_many_as_the_template_takes() -> None:
    many = form(InputNum=1_000_000)
    tracemalloc.start()
    made = many.request({"img_urls": ["https://example.com/image-1.png"], "resolution": "480p"})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (IMAGES_NOTE in made["notes"], peak < 1_000_000) == (False, True)
    two = form(InputNum=2)
    assert IMAGES_NOTE in two.request(two.example())["notes"]


@pytest.mark.parametrize("resolution", [None, "4K", 5, ["720p"]])
def test_the_price_of_an_unknown_resolution_is_unknown(resolution: Any) -> None:
    made = form().request({"resolution": resolution})
    assert (made["credit"], made["notes"][-1]) == (None, UNKNOWN_CREDIT)

"""The form of a template: its schema, an example that fits, its hash."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from sync.forms.form import Form
from tests.catalog.runs import base, document_of


def form(**changes: Any) -> Form:
    return Form(document_of(base(**changes)))


def test_it_asks_for_so_many_images_and_a_resolution_that_has_a_price() -> None:
    schema = form(InputNum=2).schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    images = schema["properties"]["img_urls"]
    assert (images["minItems"], images["maxItems"]) == (2, 2)
    assert "enum" not in schema["properties"]["resolution"], "renderers would show it in place of the titles"
    assert schema["properties"]["resolution"]["oneOf"][0] == {"const": "480p", "title": "480p (166.5 credits)"}
    assert schema["properties"]["template_id"] == {"const": "1", "readOnly": True}
    assert (schema["required"], schema["additionalProperties"]) == (["template_id", "img_urls", "resolution"], False)


def test_what_the_record_leaves_out_is_left_open() -> None:
    open_form = form(InputNum=None, ConsumeItems=[], InputRequirement=None)
    images = open_form.schema["properties"]["img_urls"]
    assert images.keys() == {"type", "title", "description", "items"}
    assert images["description"] == "Image URLs, in order. Requirement: none stated."
    assert open_form.schema["properties"]["resolution"] == {"type": "string", "title": "Resolution"}
    some = {"template_id": "1", "img_urls": ["https://a.example/1.png"] * 3, "resolution": "8k"}
    assert open_form.validate(some) == []
    assert open_form.example("8k")["resolution"] == "8k"


def test_the_whole_form_is_what_a_renderer_and_a_validator_were_written_for() -> None:
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


def test_a_form_without_any_title_bears_the_id_and_its_example_takes_what_is_documented() -> None:
    bare = form(Title=None, Title_en=None, InputNum=None, ConsumeItems=[])
    assert bare.schema["title"] == "1"
    assert bare.example() == {"template_id": "1", "img_urls": ["https://example.com/image-1.png"], "resolution": "720p"}


def test_an_example_takes_the_cheapest_resolution_or_the_one_asked_for() -> None:
    prices = [{"Resolution": "1080p", "Credit": 799.2}, {"Resolution": "480p", "Credit": 166.5}]
    assert form(ConsumeItems=prices, InputNum=2).example() == {
        "template_id": "1",
        "img_urls": ["https://example.com/image-1.png", "https://example.com/image-2.png"],
        "resolution": "480p",
    }
    assert form(ConsumeItems=prices).example("1080p")["resolution"] == "1080p"
    with pytest.raises(ValueError, match=r"there is no price at '4k'; there is one at 480p, 1080p"):
        form(ConsumeItems=prices).example("4k")


@pytest.mark.parametrize(
    "changes",
    [
        {"ConsumeItems": [{"Resolution": "720p", "Credit": 355.2}, {"Resolution": "480p", "Credit": 166.50}]},
        {"Cover": "https://m.example/c.jpeg?sig=2"},
        {"Tags": ["热"], "Tags_en": ["Hot"]},
    ],
    ids=["prices turned round", "a new signature", "other tags"],
)
def test_the_hash_stays_where_the_form_does(changes: dict[str, Any]) -> None:
    assert form(**changes).hash == form().hash
    assert form(**changes).schema == form().schema


@pytest.mark.parametrize(
    "changes", [{"InputNum": 2}, {"ConsumeItems": []}, {"Title_en": "x"}, {"InputRequirement": "SINGLE_PET"}], ids=str
)
def test_the_hash_changes_with_the_form(changes: dict[str, Any]) -> None:
    assert form(**changes).hash != form().hash


def test_the_hash_can_be_taken_by_others() -> None:
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
def test_every_example_of_every_template_fits_its_own_form(changes: dict[str, Any], template_id: str) -> None:
    document = document_of({"TemplateId": template_id, **changes})
    found = Form(document)
    Draft202012Validator.check_schema(found.schema)
    for resolution in (None, *(item["resolution"] for item in document["consume_items"])):
        example = json.loads(json.dumps(found.example(resolution)))
        assert found.validate(example) == []
        assert found.validate({**example, "template_id": template_id + "x"}) != []
    assert Form({**document, "consume_items": document["consume_items"][::-1]}).hash == found.hash


def test_only_checking_needs_the_extra() -> None:
    code = (
        "import sys; sys.modules['jsonschema'] = None\n"
        "from sync.forms.form import Form\n"
        "from sync.errors import MissingExtra\n"
        f"form = Form({document_of(base())!r})\n"
        "form.schema, form.hash\n"
        "try: form.validate(form.example())\n"
        "except MissingExtra as error: print(error.exit_code, error, error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said = (
        "78 Checking an input needs jsonschema, which is not installed. "
        "Install this program with its extra validate: in a checkout, pip install '.[validate]'.\n"
    )
    assert done.stdout == said

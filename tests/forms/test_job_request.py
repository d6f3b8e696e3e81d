"""The whole request that has a video made."""

from __future__ import annotations

from typing import Any

import pytest

from sync.forms.form import REQUEST_SCHEMA, Form, job_request
from tests.catalog.runs import base, document_of


def request(resolution: str | None = None, **changes: Any) -> dict[str, Any]:
    return job_request(Form(document_of(base(**changes))), "https://api.example", resolution)


def test_it_is_the_documented_one_with_an_input_that_fits() -> None:
    made = request("720p")
    assert (made["method"], made["url"]) == ("POST", "https://api.example/api/v1/client/job/CreateTask")
    assert made["headers"] == {"Content-Type": "application/json", "x-api-key": "$CRUN_API_KEY"}
    assert made["body"] == {
        "model": "bytedance/template",
        "input": {"template_id": "1", "img_urls": ["https://example.com/image-1.png"], "resolution": "720p"},
    }
    assert made["credit"] == 355.2
    assert made["notes"] == [
        "x-api-key takes your API key; $CRUN_API_KEY is a placeholder.",
        "The img_urls are placeholders: replace them with public URLs of your images, in order.",
        "The images must meet this requirement: SINGLE_PERSON.",
        "callback_url, next to model and input, is optional: a URL that is called when the task has ended.",
        "A request to Crun spends 355.2 credits.",
    ]


def test_a_template_without_images_has_no_note_about_placeholders() -> None:
    assert not any("img_urls" in note for note in request(InputNum=0)["notes"])
    assert request(InputNum=0)["body"]["input"]["img_urls"] == []


def test_what_is_around_the_input_is_closed_but_for_the_callback() -> None:
    assert REQUEST_SCHEMA == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "model": {"const": "bytedance/template"},
            "input": {"type": "object"},
            "callback_url": {"type": "string", "format": "uri", "pattern": r"^(?![\s\S]*\s)https?://[^/?#]"},
        },
        "required": ["model", "input"],
        "additionalProperties": False,
    }


def test_what_the_catalog_does_not_state_is_reported_as_unknown() -> None:
    made = request(ConsumeItems=[], InputNum=None, InputRequirement=None)
    assert made["credit"] is None
    assert made["notes"] == [
        "x-api-key takes your API key; $CRUN_API_KEY is a placeholder.",
        "The img_urls are placeholders: replace them with public URLs of your images, in order.",
        "The catalog does not state the number of images for this template; one is shown.",
        "The catalog names no resolution for this template; 720p stands in the vendor's own example.",
        "callback_url, next to model and input, is optional: a URL that is called when the task has ended.",
        "The credits that it spends are unknown.",
    ]


def test_a_resolution_without_a_price_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no price at '4k'"):
        request("4k")


def test_a_request_holds_the_input_and_its_price() -> None:
    form = Form(document_of(base()))
    given = {"template_id": "1", "img_urls": ["https://cdn.example/me.png"], "resolution": "480p"}
    made = form.request(given)
    assert made["url"] == "https://api.crun.ai/api/v1/client/job/CreateTask"
    assert made["body"] == {"model": "bytedance/template", "input": given}
    assert made["credit"] == 166.5
    assert not any("placeholders" in note for note in made["notes"])
    assert form.request(form.example("720p"), base_url="https://api.example")["body"] == request("720p")["body"]


@pytest.mark.parametrize("resolution", [None, "4K", 5, ["720p"]])
def test_the_price_of_a_resolution_that_the_catalog_does_not_name_is_unknown(resolution: Any) -> None:
    made = Form(document_of(base())).request({"resolution": resolution})
    assert made["credit"] is None
    assert made["notes"][-1] == "The credits that it spends are unknown."

"""PURE. The request that has a video made of a template. This program never sends it: it spends credits.

As the vendor's page of `bytedance/template` describes it; where that and the catalog are silent, a note says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync.forms.form import DOCUMENTED_RESOLUTION, HTTP_URL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sync.forms.form import Form

JOB_PATH = "/api/v1/client/job/CreateTask"
MODEL = "bytedance/template"
REQUEST_SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "model": {"const": MODEL},
        "input": {"type": "object"},
        "callback_url": {"type": "string", "format": "uri", "pattern": HTTP_URL},
    },
    "required": ["model", "input"],
    "additionalProperties": False,
}
"""What is around the input, whichever template it is for."""


def job_request(form: Form, base_url: str, resolution: str | None = None) -> dict[str, Any]:
    """Write the whole request for one template: `method`, `url`, `headers`, `body`, `credit` (what it spends), `notes`.

    Args:
        form: the template's.
        base_url: the API's origin.
        resolution: one that has a price; the cheapest if None.

    Raises:
        ValueError: the template has no price at this resolution.
    """
    example = form.example(resolution)
    prices = {item["resolution"]: item["credit"] for item in form.document["consume_items"]}
    credit = prices.get(example["resolution"])
    return {
        "method": "POST",
        "url": base_url + JOB_PATH,
        "headers": {"Content-Type": "application/json", "x-api-key": "$CRUN_API_KEY"},
        "body": {"model": MODEL, "input": example},
        "credit": credit,
        "notes": _notes(form.document, credit),
    }


def _notes(document: dict[str, Any], credit: float | None) -> list[str]:
    """Say what the reader has to put in, and what nobody said."""
    notes = ["x-api-key takes your API key; $CRUN_API_KEY is a placeholder."]
    if document["input_num"] != 0:
        notes.append("The img_urls are placeholders: replace them with public URLs of your images, in order.")
    if document["input_num"] is None:
        notes.append("The catalog does not state the number of images for this template; one is shown.")
    if document["input_requirement"]:
        notes.append(f"The images must meet this requirement: {document['input_requirement']}.")
    if not document["consume_items"]:
        notes.append(
            f"The catalog names no resolution for this template; {DOCUMENTED_RESOLUTION} stands in the vendor's own example."
        )
    notes.append("callback_url, next to model and input, is optional: a URL that is called when the task has ended.")
    notes.append("The credits that it spends are unknown." if credit is None else f"A request to Crun spends {credit} credits.")
    return notes

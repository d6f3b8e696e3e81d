"""The response of the sandbox to a generation request: validate it against the form of the template, accept it, discard it.

Crun's codes for invalid requests are not documented; the sandbox returns 422, with one sentence per error in `errors`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sync.catalog.json_values import decode_json
from sync.catalog.parsing import parse_record
from sync.catalog.rejection import RecordRejected
from sync.errors import MissingExtra
from sync.forms.form import REQUEST_SCHEMA, Form
from sync.forms.validation import problems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sync.sandbox.catalog import Record

NOTE = "This is a sandbox: nothing is generated, nothing is spent, and no callback is made."


def answer_job(catalog: Sequence[Record], body: bytes | None, number: int) -> dict[str, Any]:
    """Return the response, which may be an error, to a request with a valid key.

    Args:
        catalog: the current records of the sandbox.
        body: the bytes of the request; None if its length is missing or too large.
        number: number of the task, if the request is accepted.
    """
    try:
        errors = _errors(catalog, body)
    except MissingExtra as error:
        return {"code": 505, "message": f"The sandbox cannot check this. {error} {error.hint}"}
    if errors:
        return {"code": 422, "message": "The request parameters failed validation checks", "errors": errors}
    return {"code": 200, "message": "success", "data": {"task_id": f"task_sandbox_{number:08}", "sandbox": NOTE}}


def _errors(catalog: Sequence[Record], body: bytes | None) -> list[str]:
    if body is None:
        return ["the request: needs a Content-Length, of at most 99999 bytes"]
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        return ["the request: must be JSON"]
    if found := problems(REQUEST_SCHEMA, request):
        return [f"{problem.path or 'the request'}: {problem.message}" for problem in found]
    return _input_errors(catalog, request["input"])


def _input_errors(catalog: Sequence[Record], given: dict[str, Any]) -> list[str]:
    """Validate an input against the form of its template."""
    if "template_id" not in given:
        return ["input.template_id: is missing"]
    record = next((each for each in catalog if each.get("TemplateId") == given["template_id"]), None)
    if record is None:
        return ["input.template_id: the catalog has no such template"]
    try:
        document = parse_record(decode_json(json.dumps(record).encode()))
    except RecordRejected as error:
        return [f"input.template_id: the catalog's record of this template is rejected: {error}"]
    return [f"input.{problem}" for problem in Form(document).validate(given)]

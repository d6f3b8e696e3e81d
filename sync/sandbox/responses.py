"""The responses of the API: its envelope, its errors, its pages and look-ups."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sync.sandbox.catalog import Record

ERRORS = {
    401: "Authentication credentials are missing or invalid",
    402: "The account has insufficient credits",
    404: "The requested resource or endpoint does not exist",
    422: "The request parameters failed validation checks",
    429: "The rate limit was exceeded",
    455: "The service is under maintenance",
    500: "The server encountered an internal error",
    501: "The generation failed",
    505: "The feature is disabled",
}
"""The documented codes; the messages are not documented."""


def envelope(code: int, message: str, **more: Any) -> dict[str, Any]:
    """Return a response; `more` are its keys beside code and message."""
    return {"code": code, "message": message, **more}


def success(data: dict[str, Any]) -> dict[str, Any]:
    """Return a response with data."""
    return envelope(200, "success", data=data)


def error(code: int, errors: Sequence[str] = ()) -> dict[str, Any]:
    """Return the response of a documented error; `errors` are sentences."""
    return envelope(code, ERRORS[code], **({"errors": list(errors)} if errors else {}))


def list_templates(catalog: Sequence[Record], query: Mapping[str, str], *, short: bool = False) -> dict[str, Any]:
    """Return the response, which may be an error, to a query with a valid key.

    Args:
        catalog: the records.
        query: the parameters.
        short: whether the last template of the page is left out.
    """
    if wanted := query.get("template_id"):
        found = [record for record in catalog if record.get("TemplateId") == wanted][:1]
        return success({"total": len(found), "templates": found})
    page = _number(query.get("page", "1"))
    size = _number(query.get("page_size", "20"), most=50)
    if page is None or size is None:
        errors = ["page: must be an integer, 1 or more"] * (page is None)
        return error(422, errors + ["page_size: must be an integer from 1 to 50"] * (size is None))
    found = list(catalog[(page - 1) * size : page * size])
    return success({"total": len(catalog), "templates": found[:-1] if short else found})


def _number(text: str, most: int = sys.maxsize) -> int | None:
    # int() alone accepts "1_0" and " 1", and is slow for a million digits.
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) and 1 <= int(text) <= most else None

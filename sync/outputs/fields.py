"""PURE. What the structs of the outputs are declared with: descriptions and the types that JSON has no word for.

An output is open, because new versions add keys; an input is closed. A value that this program chooses is an `enum`; a value that
the catalog chooses is a string with examples.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

UTC_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$"
"""A pattern, because a validator may ignore `format`."""

Time = Annotated[str, Meta(pattern=UTC_TIME, extra_json_schema={"format": "date-time"})]
OpenObject = Annotated[dict[str, Any], Meta(extra_json_schema={"additionalProperties": True})]
Anything = Annotated[
    Any,
    Meta(extra_json_schema={"type": ["string", "number", "boolean", "null", "array", "object"], "additionalProperties": True}),
]


def doc(description: str, *examples: str) -> Meta:
    """Describe a key."""
    return Meta(description=description, examples=[*examples] if examples else None)


def one_of(*words: str) -> Meta:
    """Limit a string to these values, in this order."""
    return Meta(extra_json_schema={"enum": [*words]})

"""PURE. The parts that the schemas are written with.

What goes out is open (no `additionalProperties`): forms only ever gain keys, and a reader ignores those that it does not know.
What comes in is closed. Words of ours are an `enum`; the catalog's words are open, with examples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

Schema = dict[str, Any]

UTC_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$"
"""Checked by pattern: `format` is a remark, which a validator may ignore."""


def text(what: str, *examples: str) -> Schema:
    """Describe a string; with examples, a word of the catalog's that may be another one tomorrow."""
    return {"type": "string", "description": what, **({"examples": list(examples)} if examples else {})}


def word(what: str, *words: str) -> Schema:
    """Describe a word of ours: one of these."""
    return {"type": "string", "enum": list(words), "description": what}


def moment(what: str) -> Schema:
    """Describe a time, in UTC, such as 2026-05-22T03:37:31Z."""
    return {"type": "string", "format": "date-time", "pattern": UTC_TIME, "description": what}


def whole(what: str) -> Schema:
    """Describe an integer."""
    return {"type": "integer", "description": what}


def number(what: str) -> Schema:
    """Describe a number."""
    return {"type": "number", "description": what}


def flag(what: str) -> Schema:
    """Describe a boolean."""
    return {"type": "boolean", "description": what}


def anything(what: str) -> Schema:
    """Describe a value of any kind."""
    kinds = ["string", "number", "boolean", "null", "array", "object"]
    return {"type": kinds, "additionalProperties": True, "description": what}


def free(what: str) -> Schema:
    """Describe an object whose keys are not ours to know."""
    return {"type": "object", "additionalProperties": True, "description": what}


def items(of: Schema, what: str) -> Schema:
    """Describe a list, all of one kind."""
    return {"type": "array", "items": of, "description": what}


def ref(name: str, what: str | None = None) -> Schema:
    """Point to a shared definition, saying what it is here."""
    # Not beside the $ref: generators of types would take it for a type of its own.
    return {"allOf": [{"$ref": f"#/$defs/{name}"}], "description": what} if what else {"$ref": f"#/$defs/{name}"}


def nullable(shape: Schema) -> Schema:
    """Let a value be null, too; what is said of it stays."""
    inner = {name: value for name, value in shape.items() if name != "description"}
    inner = inner["allOf"][0] if "allOf" in inner else inner
    return {"anyOf": [inner, {"type": "null"}], "description": shape["description"]}


def record(title: str, what: str, properties: Mapping[str, Schema], *, optional: Mapping[str, Schema] | None = None) -> Schema:
    """Describe an object. All keys are always there, but for the optional ones.

    Args:
        title: in one word, for generators of types.
        what: what it is.
        properties: each with its description.
        optional: likewise, those that may be missing.
    """
    known = {**properties, **(optional or {})}
    return {"type": "object", "title": title, "description": what, "properties": known, "required": list(properties)}


def closed(title: str, what: str, required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """Describe an object that comes in: a key that nobody knows is a slip, and refused."""
    return {**record(title, what, required, optional=optional), "additionalProperties": False}

"""PURE. Every schema by name, each whole in itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync.schemas import catalog, outputs, tools, webhooks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sync.schemas.shapes import Schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
VERSION = 1
"""Raised when a schema asks of readers what it did not before; a key that is gained does not raise it."""

DEFINITIONS: Mapping[str, Schema] = {
    **catalog.DEFINITIONS, **outputs.DEFINITIONS, **webhooks.DEFINITIONS, **tools.DEFINITIONS,
}  # fmt: skip
NAMED: Mapping[str, tuple[str, Schema]] = {
    **outputs.OUTPUTS, **webhooks.OUTPUTS, **webhooks.MESSAGES, **tools.ANSWERS, **tools.ARGUMENTS,
}  # fmt: skip


def schema(name: str) -> Schema:
    """Give a schema with all that it points to.

    Raises:
        KeyError: there is none of this name.
    """
    what, shape = NAMED[name]
    return self_contained(shape, {"$schema": DIALECT, "$id": identifier(name), "$comment": what})


def self_contained(shape: Schema, head: Mapping[str, Any] | None = None) -> Schema:
    """Put under `$defs` what a schema points to, and no more."""
    used: set[str] = set()
    waiting = set(_pointed_to(shape))
    while waiting:
        used |= waiting
        waiting = {name for each in waiting for name in _pointed_to(DEFINITIONS[each])} - used
    found = {name: DEFINITIONS[name] for name in DEFINITIONS if name in used}
    return {**(head or {}), **shape, **({"$defs": found} if found else {})}


def everything() -> Schema:
    """Give all of them as one schema's `$defs`, for generators of types. It stands for no output itself."""
    named = {name: {"title": _type_name(name), **shape} for name, (_, shape) in NAMED.items() if not _same_as_a_definition(shape)}
    return {
        "$schema": DIALECT,
        "$id": identifier("all"),
        "title": "Everything",
        "description": "Every JSON form of crun-template-sync.",
        "$defs": {**DEFINITIONS, **named},
    }


def identifier(name: str) -> str:
    """Name a schema for ever. It is no address: nothing is served there."""
    return f"urn:crun-template-sync:schema:{VERSION}:{name}"


def _same_as_a_definition(shape: Schema) -> bool:
    return set(shape) == {"$ref"}


def _type_name(name: str) -> str:
    return "".join(word.title() for word in name.replace(".", "-").split("-")) + "Output"


def _pointed_to(shape: Any) -> Iterator[str]:
    if isinstance(shape, dict):
        for key, value in shape.items():
            if key == "$ref":
                yield value.removeprefix("#/$defs/")
            else:
                yield from _pointed_to(value)
    elif isinstance(shape, list):
        for value in shape:
            yield from _pointed_to(value)

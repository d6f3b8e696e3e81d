"""PURE. The errors of an input, field by field; the only user of jsonschema.

The messages are this program's, because those of jsonschema repeat complete values and report one error several times.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from sync.catalog.parsing import kind_of
from sync.errors import MissingExtra
from sync.text import escape_control_characters, join_limited, json_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jsonschema import ValidationError

LONGEST_SHOWN = 60
"""Characters of a value in a message."""
_LONGEST_INTEGER = 64  # bits; Python refuses to convert very long integers to text


@dataclass(frozen=True, slots=True)
class Problem:
    """One error of an input.

    Attributes:
        field: the field, such as `img_urls`; empty for the input itself.
        path: the path, such as `img_urls[1]`; empty for the input itself.
        message: what is expected and what was given.
    """

    field: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path or 'the input'}: {self.message}"


def problems(schema: Mapping[str, Any], value: Any) -> list[Problem]:
    """Validate a value against the closed schema of an object; return one problem per error, in the order of the schema.

    Raises:
        MissingExtra: jsonschema is not installed.
    """
    try:
        from jsonschema import Draft202012Validator
    except ImportError as missing:
        raise MissingExtra("Checking an input", missing.name or "jsonschema", "validate") from None
    found: dict[tuple[str | int, ...], tuple[int, Problem]] = {}
    for error in Draft202012Validator(schema).iter_errors(value):
        rank = _RANK.get(error.validator, len(_RANK))
        for path, message in _violations(error):
            if path not in found or rank < found[path][0]:  # a wrong type also violates every other rule
                found[path] = (rank, Problem(_shown_name(path[0]) if path else "", _path(path), message))
    order = {name: number for number, name in enumerate(schema["properties"])}
    paths = sorted(found, key=lambda path: (order.get(str(path[0]), len(order)) if path else -1, len(path)))
    return [found[path][1] for path in paths]


_RANK = {rule: rank for rank, rule in enumerate(("type", "required", "additionalProperties", "const", "enum"))}


def _violations(error: ValidationError) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield (path, message) for each mistake behind one error of jsonschema."""
    path = tuple(error.absolute_path)
    schema: Any = error.schema
    given: Any = error.instance
    if error.validator == "required":
        yield from (((*path, name), "is missing") for name in schema["required"] if name not in given)
    elif error.validator == "additionalProperties":
        known = list(schema["properties"])
        message = f"unknown field; the fields are {join_limited(known)}" if known else "unknown field; there are none"
        yield from (((*path, name), message) for name in given if name not in known)
    else:
        yield path, _sentence(str(error.validator), error.validator_value, given)


def _sentence(rule: str, wanted: Any, given: Any) -> str:
    match rule:
        case "type":
            return f"must be {_KINDS[wanted]}, not {_kind(given)}"
        case "const":
            return f"must be {_shown(wanted)}, not {_shown(given)}"
        case "enum" | "oneOf":
            allowed = wanted if rule == "enum" else [each["const"] for each in wanted]
            return f"must be one of {join_limited([_shown(each) for each in allowed])}, not {_shown(given)}"
        case "pattern":
            return f"must be an http or https URL (no Base64, no local path), not {_shown(given)}"
    return _bound(rule, wanted, given)


def _bound(rule: str, wanted: Any, given: Any) -> str:
    one = "" if wanted == 1 else "s"
    at = "at least" if rule.startswith("min") else "at most"
    match rule:
        case "minItems" | "maxItems":  # equal in a form
            return f"must hold {wanted} image{one}, not {len(given)}"
        case "minLength" | "maxLength":
            return f"must have {at} {wanted} character{one}, not {len(given)}"
        case "minimum" | "maximum":
            return f"must be {at} {wanted}, not {_shown(given)}"
    return f"breaks the rule {rule!r}"


_KINDS = {"object": "an object", "array": "a list", "string": "a string", "integer": "a whole number", "number": "a number"}


def _kind(value: Any) -> str:
    return "a number" if isinstance(value, float) else kind_of(value)


def _shown(value: Any) -> str:
    """Write a given value as JSON, escaped and truncated."""
    if isinstance(value, float) and not isfinite(value):
        return f"{value} (not a JSON number)"
    if isinstance(value, dict | list) or (isinstance(value, int) and value.bit_length() > _LONGEST_INTEGER):
        return _kind(value)
    cut = value[:LONGEST_SHOWN] if isinstance(value, str) else value
    text = escape_control_characters(json_text(cut))
    return f"{text} (the first of {len(value)} characters)" if cut != value else text


def _shown_name(name: str | int) -> str:
    text = str(name)
    return escape_control_characters(text[:LONGEST_SHOWN]) + ("..." if len(text) > LONGEST_SHOWN else "")


def _path(path: Sequence[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else _shown_name(step) for step in path)

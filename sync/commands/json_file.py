"""A JSON value from a file that the user names, or from stdin; what cannot be read, or is no JSON, is one clear line."""

from __future__ import annotations

import json
from typing import Any

from sync.errors import UsageError

MOST_BYTES = 16 * 1024 * 1024


def read_json(file: str) -> Any:
    """Read one JSON value from a file, or from stdin where it is called `-`.

    Raises:
        UsageError: it cannot be read, is too large, or is not plain JSON.
    """
    name = "stdin" if file == "-" else file
    try:
        with open(0 if file == "-" else file, "rb", closefd=file != "-") as source:
            content = source.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        raise UsageError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if len(content) > MOST_BYTES:
        raise UsageError(f"{name} has more than {MOST_BYTES} bytes.")
    try:
        return json.loads(content, object_pairs_hook=_each_key_once, parse_constant=_no_constant)
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    except ValueError as error:
        reason = str(error)
    except RecursionError:
        reason = "it is nested too deeply"
    raise UsageError(f"{name} is not JSON: {reason}.")


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that says a key twice: one of the two would be checked, and the other, perhaps, be meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:60]!r} is repeated in an object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")

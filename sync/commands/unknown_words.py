"""A filter's word that no template has: told on stderr, with the nearest that some have; what is printed stays empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from sync.catalog.selection import Selection
    from sync.commands.output import Output

FLAGS = {"requirement": "input", "search": "text"}
"""Flags that are not called as the reader's argument is."""


def tell_unknown_words(out: Output, engine: Engine, wanted: Selection) -> None:
    """Tell which words of what was asked for no template ever had, and which were perhaps meant."""
    from sync.reader.words import unknown_words

    for name, near in unknown_words(engine, wanted).items():
        others = f"`template-sync {name}s` shows all." if name in {"tag", "type"} else ""
        meant = f"; did you mean {' or '.join(map(repr, near))}?" if near else f". {others}".rstrip()
        out.message(f"No template has the {FLAGS.get(name, name)} {getattr(wanted, name)!r}{meant}")

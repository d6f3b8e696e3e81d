"""The reference of the reading API, generated from its docstrings by `python -m tests.test_python_doc > docs/python.md`."""

from __future__ import annotations

import inspect
import re
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sync
from sync.sandbox.server import Sandbox
from tests.builders import record, run_against
from tests.command_line import of_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from tests.builders import Database

DOCUMENT = Path(__file__).parent.parent / "docs" / "python.md"

LINE = 100

BEGINNING = """# Reading in Python

Generated from the docstrings by `python -m tests.test_python_doc > docs/python.md`; `tests/test_python_doc.py` checks that.

```python
from sync import Catalog, CursorLost

with Catalog("postgresql://reader@db/catalog") as catalog:
    # a picker
    filters = dict(tag="Trending", images=1, resolution="720p", max_price=200, sort="price", limit=20)
    page = catalog.templates(**filters)
    while page.after is not None:  # there are more
        page = catalog.templates(**filters, after=page.after)

    # maintain a copy: read the whole catalog, then the changes
    with catalog.snapshot() as now:
        everything, cursor = now.templates(), now.status().cursor
    try:
        for change in catalog.changes(since=cursor):
            print(change.kind, change.template_id, change.breaking)
            cursor = change.cursor  # store it with the copy, in the same transaction
    except CursorLost as lost:
        print(lost.reason, "- read the whole catalog again")

    # the past
    catalog.as_of(41).templates(tag="Trending")

    # before a generation request: verify the price. The only call that needs the API key
    catalog.ensure_fresh("540184647", max_age=60).prices
```

Reading needs no API key and no right to write: a [read-only role](database.md#a-role-that-may-only-read) or a hot standby
suffices. The import loads SQLAlchemy, but not httpx, APScheduler or Alembic. Values are typed and immutable; they can be
compared, pickled and copied, and hashed except `Form`. An invalid argument raises `ValueError`; an id that no template can
have, of any type, raises `UnknownTemplate`. A valid call that the catalog cannot answer raises `CatalogError`.

- **Terms**: A *run* fetches the whole catalog and records the changes; a *refresh* does this for one template. A template is
  *present* until a run removes it; the database keeps removed templates. The *feed* is the numbered list of all changes; a
  *cursor* is a position in it.
- **The past**: `as_of` returns a `Catalog`, too. Its methods `tags`, `types`, `follow`, `status` and `ensure_fresh` raise
  `CatalogError`.
- **Text**: Filters ignore case, except resolutions and ratios: `STRASSE` finds `straße`. A search also ignores accents: `cafe`
  finds `Café`. Text is sorted by code point.
- **Pages**: `templates()` returns all matches, unless `limit` is given. `after` continues with the next page.
"""


def document() -> str:
    """Yield the document."""
    return "\n".join([BEGINNING, *(line for name in sync.__all__ for line in chapter(name, getattr(sync, name)))])


def chapter(name: str, kind: type[Any]) -> Iterator[str]:
    """Write one public name."""
    above = ", ".join(base.__name__ for base in documented_bases(kind) if issubclass(base, Exception))
    yield f"## {name}" + (f" ({above})" if above else "") + "\n"
    text, sections = parts(inspect.getdoc(kind) or "")
    yield from (f"{paragraph}\n" for paragraph in text)
    described = sections.get("Attributes", {})
    if is_dataclass(kind) and name != "Form":
        yield "| attribute | type | |\n|---|---|---|"
        yield from (f"| `{each.name}` | `{cell(each.type)}` | {cell(described.get(each.name, ''))} |" for each in fields(kind))
        yield ""
    elif described:
        yield "".join(f"- `{attribute}`: {what}\n" for attribute, what in described.items())
    if name in {"Catalog", "Form"} or "as_json" in vars(kind):
        yield from details(sections)
        for called in members(kind):
            line = signature(called)
            if isinstance(vars(kind)[called.__name__], property):
                line = line.replace("() -> ", ": ")
            yield f"### {called.__name__}\n\n```python\n{line}\n```\n"
            text, sections = parts(inspect.getdoc(called) or "")
            yield from (f"{paragraph}\n" for paragraph in text)
            yield from details(sections)


def documented_bases(kind: type[Any]) -> Iterator[type[Any]]:
    """Yield the base classes; in place of one that is not public, its own."""
    for base in kind.__bases__:
        if base.__module__.startswith("sync.") and base.__name__ not in sync.__all__:
            yield from documented_bases(base)
        else:
            yield base


def members(kind: type[Any]) -> list[Any]:
    """Return the public methods of a class and the functions of its properties, in order."""
    public = [member for name, member in vars(kind).items() if not name.startswith("_")]
    found = [member.fget if isinstance(member, property) else inspect.unwrap(member) for member in public if callable_(member)]
    return [each for each in found if inspect.isfunction(each)]


def callable_(member: object) -> bool:
    """Return whether a member of a class is a method or a property, not the slot of a field."""
    return callable(member) or isinstance(member, property)


def details(sections: dict[str, dict[str, str]]) -> Iterator[str]:
    """Yield the arguments and the exceptions."""
    if passed := sections.get("Args"):
        yield "".join(f"- `{name}`: {what}\n" for name, what in passed.items())
    if raised := sections.get("Raises"):
        yield "Raises:\n\n" + "".join(f"- `{name}`: {what}\n" for name, what in raised.items())


def signature(function: Any) -> str:
    """Return the signature of a method, with one argument per line if it is long."""
    source = inspect.getsource(function)
    head = source[source.index("def ") + 4 : re.search(r":(  # .*)?\n +\"", source).start()]  # type: ignore[union-attr]
    head = re.sub(r"  # .*", "", head).replace("Iterator[Self]", "ContextManager[Catalog]").replace("Self", "Catalog")
    line = re.sub(r"\s+", " ", re.sub(r"self,?\s*", "", head)).replace("( ", "(").replace(", )", ")")
    if len(line) <= LINE:
        return line
    name, arguments, result = re.fullmatch(r"(\w+)\((.*)\) -> (.*)", line).groups()  # type: ignore[union-attr]
    each = re.split(r", (?=\*|\w+: )", arguments)
    return f"{name}(\n" + "".join(f"    {argument.strip()},\n" for argument in each) + f") -> {result}"


def parts(doc: str) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Split a docstring into its paragraphs and its sections: name -> description."""
    paragraphs, sections = [], {}
    for block in re.split(r"\n\n+", doc):
        title, _, rest = block.partition(":\n")
        if title in {"Args", "Raises", "Attributes"}:
            entries = re.findall(r"^    (\w+): (.*(?:\n     .*)*)", rest, re.MULTILINE)
            sections[title] = {name: " ".join(what.split()) for name, what in entries}
        else:
            paragraphs.append(" ".join(block.split()))
    return paragraphs, sections


def cell(text: object) -> str:
    """Escape a text for a cell of a table."""
    return str(text).replace("|", "\\|")


def test_the_document_is_current() -> None:
    assert DOCUMENT.read_text() == document()


def test_the_example_runs(sqlite: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code = BEGINNING.partition("```python\n")[2].partition("```")[0]
    code = code.replace("postgresql://reader@db/catalog", sqlite.url).replace("as_of(41)", "as_of(1)")
    with Sandbox([record("540184647", ConsumeItems=[{"Resolution": "720p", "Credit": 199}])]) as server:
        for name, value in of_sandbox(server).items():
            monkeypatch.setenv(name, value)
        run_against(server.url, sqlite.engine)
        found: dict[str, Any] = {}
        exec(code, found)  # noqa: S102 - our own document
    assert [each.template_id for each in found["page"]] == ["540184647"]
    assert capsys.readouterr().out == ""


def test_every_argument_and_attribute_is_explained() -> None:
    for called in (*members(sync.Catalog), *members(sync.Form)):
        arguments = inspect.signature(called).parameters.keys() - {"self", "template_id"}
        assert arguments <= parts(inspect.getdoc(called) or "")[1].get("Args", {}).keys(), called
    for name in sync.__all__:
        kind = getattr(sync, name)
        if is_dataclass(kind) and kind.__module__ == "sync.reader.values" and len(fields(kind)) > 5:
            assert {each.name for each in fields(kind)} <= parts(inspect.getdoc(kind) or "")[1]["Attributes"].keys(), name


if __name__ == "__main__":
    sys.stdout.write(document())

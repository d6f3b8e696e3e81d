"""Read the catalog, present or past, for commands and apps; each function uses one snapshot, or an open transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync.catalog.selection import EVERYTHING, Selection
from sync.errors import UnknownTemplate
from sync.reader.feed import position_after
from sync.reader.past import select_one_past, select_past
from sync.reader.present import count_present, select_one, select_present
from sync.reader.status import overview
from sync.store.engine import reading
from sync.store.schema import require_current

if TYPE_CHECKING:
    from sync.catalog.document import Document
    from sync.reader.stored_templates import Stored
    from sync.store.engine import Source


def select_templates(source: Source, wanted: Selection = EVERYTHING, *, after_run: int | None = None) -> list[Stored]:
    """Read the templates of a selection, in its order.

    Args:
        source: the database.
        wanted: the selection.
        after_run: the catalog after this run; None: the present one. `sync.reader.past.run_of` returns the run of a time.
    """
    with reading(source) as connection:
        require_current(connection)
        return select_present(connection, wanted) if after_run is None else select_past(connection, wanted, after_run)


def count(source: Source, wanted: Selection, *, after_run: int | None = None) -> int:
    """Count the templates of a selection; `after_run` as in `select_templates`."""
    with reading(source) as connection:
        require_current(connection)
        if after_run is None:
            return count_present(connection, wanted)
        return len(select_past(connection, wanted, after_run))


def find_template(source: Source, template_id: str, *, after_run: int | None = None) -> Stored:
    """Read one template, present or removed.

    Raises:
        UnknownTemplate: it was never seen, or not by that run.
        Pruned: it was removed by that run, and its last version was pruned.
    """
    with reading(source) as connection:
        require_current(connection)
        found = (
            select_one(connection, template_id)
            if after_run is None
            else select_one_past(connection, template_id, after_run)
        )  # fmt: skip
    if found is None:
        by_then = "ever seen" if after_run is None else f"seen by run {after_run}"
        raise UnknownTemplate(
            f"No template {template_id!r} was {by_then}.",
            template_id=template_id,
            hint="`template-sync list` lists the templates.",
        )
    return found


def catalog(source: Source, *, after_run: int | None = None) -> list[Document]:
    """Read all documents, by id in code-point order, which is the same on every engine."""
    return [each.document for each in select_templates(source, after_run=after_run)]


def catalog_and_cursor(source: Source, *, after_run: int | None = None) -> tuple[str, list[Document]]:
    """Read all documents and the cursor of the same snapshot, from which a copy continues."""
    with reading(source) as connection:
        documents = catalog(connection, after_run=after_run)
        if after_run is None:
            return overview(connection).cursor, documents
        return position_after(connection, after_run)["cursor"], documents


def template(source: Source, template_id: str) -> dict[str, Any]:
    """Read the newest document of a template with its three times; raises the errors of `find_template`."""
    return find_template(source, template_id).as_json()

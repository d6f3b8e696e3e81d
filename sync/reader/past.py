"""Read the catalog as it was after a run, and find the run of a time.

The catalog of a run is valid from the end of that run until the next applied run ends. Differences that are not published, such
as a new URL signature, are stored in the open version, so the past has their last values.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.diff import net_changes
from sync.catalog.feed import LARGEST_NUMBER
from sync.catalog.run_record import Status
from sync.catalog.selection import matches, page_position, sort_key
from sync.errors import DatabaseError, NoSuchPast, Pruned, UnknownRun
from sync.reader.stored_templates import Stored, normalize_document
from sync.store.bulk import batches
from sync.store.schema import reading_current
from sync.store.tables import sync_runs, sync_state, template_changes, template_versions, templates
from sync.text import iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sync.catalog.document import Document
    from sync.catalog.selection import Selection
    from sync.store.engine import Source


_APPLIED = sync_runs.c.status.in_([str(status) for status in (Status.SUCCEEDED, Status.HELD, Status.INCOMPLETE)])
_ENDED = sync_runs.c.status.not_in([str(Status.RUNNING), str(Status.SKIPPED)])
"""Runs after which there is a catalog; if nothing was applied, it is the previous one."""


def run_of(source: Source, when: int | datetime, now: datetime) -> int:
    """Return the run whose catalog was valid at a time, given as a run or as an aware time not after `now`.

    Raises:
        UnknownRun: there is no such run.
        NoSuchPast: the run is active, or was skipped before any run was applied; or the time is before the first applied run or
            in the future.
        Pruned: the history of that time was pruned.
    """
    with reading_current(source) as connection:
        run_id = _by_number(connection, when) if isinstance(when, int) else _by_instant(connection, when, now)
        _refuse_pruned(connection, run_id)
    if not run_id:
        raise NoSuchPast(f"Run {when} was skipped before any run was applied: it has no catalog.", hint="Use a later run.")
    return run_id


def _by_number(connection: sa.Connection, run_id: int) -> int:
    _refuse_pruned(connection, run_id)
    run: Any = connection.execute(sa.select(sync_runs).where(sync_runs.c.run_id == run_id)).one_or_none()
    if run is None:
        _refuse_pruned(connection, run_id - 1)  # the run after which history begins may be pruned
        raise UnknownRun(f"There is no run {run_id}.", hint="`template-sync runs` lists the runs.")
    if run.status == Status.RUNNING:
        raise NoSuchPast(f"Run {run_id} is active: its catalog is not available yet.", hint="Use an earlier run, or wait.")
    if run.status == Status.SKIPPED:  # the run that was active then has a lower number, and ended later
        return _newest_applied(connection, sync_runs.c.run_id < run_id, sync_runs.c.finished_at <= run.finished_at) or 0
    return run_id


def _by_instant(connection: sa.Connection, instant: datetime, now: datetime) -> int:
    if instant > now:
        raise NoSuchPast(f"{iso(instant)} is in the future; the time is {iso(now)}.", hint="Use a time in the past.")
    found = _newest_applied(connection, sync_runs.c.finished_at <= instant)
    oldest = oldest_kept(connection)
    if oldest is not None and (found is None or found < oldest):
        return _idle_since(connection, oldest, instant)
    if found is not None:
        return found
    first = connection.scalar(sa.select(sa.func.min(sync_runs.c.finished_at)).where(_APPLIED))
    begins = "nothing was applied yet" if first is None else f"the first run ended at {iso(first)}"
    raise NoSuchPast(f"There is no catalog of {iso(instant)}: {begins}.", hint="`template-sync runs` shows when runs ended.")


def _idle_since(connection: sa.Connection, oldest: int, instant: datetime) -> int:
    """Return the newest kept run by that time, if no kept run was applied by then: such a run changed nothing."""
    kept = sa.and_(_ENDED, sync_runs.c.run_id >= oldest, sync_runs.c.finished_at <= instant)
    newest: int | None = connection.scalar(sa.select(sa.func.max(sync_runs.c.run_id)).where(kept))
    if newest is None:
        raise _pruned(connection, oldest)
    return newest


def _newest_applied(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> int | None:
    """Return the newest applied run by number, which is the order of commits; clocks can be set back."""
    newest: int | None = connection.scalar(sa.select(sa.func.max(sync_runs.c.run_id)).where(_APPLIED, *which))
    return newest


def _refuse_pruned(connection: sa.Connection, run_id: int) -> None:
    oldest = oldest_kept(connection)
    if oldest is not None and run_id < oldest:
        raise _pruned(connection, oldest)


def _pruned(connection: sa.Connection, oldest: int) -> Pruned:
    """Return the error with the oldest available run; the run after which history begins may itself be pruned."""
    kept = sa.select(sync_runs).where(sync_runs.c.run_id >= oldest, _ENDED).order_by(sync_runs.c.run_id).limit(1)
    run: Any = connection.execute(kept).one_or_none()
    if run is None:
        return Pruned("The history of that time was pruned.", hint="Use the current catalog.")
    return Pruned(
        f"The history before the end of run {run.run_id} was pruned.",
        hint=f"The oldest available run is {run.run_id}, which ended at {iso(run.finished_at)}.",
    )


def oldest_kept(connection: sa.Connection) -> int | None:
    """Return the run after which the history is complete; None: from the start."""
    state = connection.execute(sa.select(sync_state)).one()
    if state.oldest_run_id is None and state.oldest_seq > 1:  # an old version pruned without storing oldest_run_id
        first = connection.scalar(sa.select(sa.func.min(template_changes.c.run_id)))
        # Without changes in the feed, only the present is known.
        return first - 1 if first else connection.scalar(sa.select(sa.func.max(sync_runs.c.run_id))) or 0
    oldest: int | None = state.oldest_run_id or None  # 0: `prune` found nothing old enough
    return oldest


_OPENED = template_changes.alias("opened")
_VERSIONS = (
    sa.select(
        template_versions.c.template_id,
        template_versions.c.content_hash,
        template_versions.c.from_run_id,
        template_versions.c.until_run_id,
        _OPENED.c.at.label("opened_at"),
        templates.c.first_seen_at,
        templates.c.first_seen_run_id,
        templates.c.changed_at,
        templates.c.changed_run_id,
    )
    .select_from(template_versions)
    .join(templates, templates.c.template_id == template_versions.c.template_id)
    .outerjoin(
        _OPENED,
        sa.and_(_OPENED.c.run_id == template_versions.c.from_run_id, _OPENED.c.template_id == template_versions.c.template_id),
    )
)
_VERSIONS_WITH_DOCUMENT = _VERSIONS.add_columns(template_versions.c.document)


def select_past(connection: sa.Connection, wanted: Selection, run_id: int) -> list[Stored]:
    """Read the templates of a selection that were present after a run, in its order."""
    rows = (row for row in connection.execute(_VERSIONS_WITH_DOCUMENT.where(_live(run_id))) if matches(row.document, wanted))
    placed = sorted(((sort_key(page_position(row.document, wanted.order)), row) for row in rows), key=itemgetter(0))
    if wanted.after is not None:
        start = sort_key(wanted.after)
        placed = [(key, row) for key, row in placed if key > start]
    return [_stored_from_version(row) for _key, row in placed[: wanted.limit]]


def documents_after(run_id: int | None) -> sa.Select[tuple[str, Any]]:
    """Return the query of the id and the document of each template that was present after a run; None: that is present."""
    return sa.select(template_versions.c.template_id, template_versions.c.document).where(_live(run_id))


def live_after(connection: sa.Connection, run_id: int, *, but_not_after: int) -> Iterator[Stored]:
    """Read the templates that were present after a run, and absent or different after the other one; unordered."""
    only_then = _VERSIONS_WITH_DOCUMENT.where(_live(run_id), ~_live(but_not_after))
    return map(_stored_from_version, connection.execute(only_then))


def _live(run_id: int | None) -> sa.ColumnElement[bool]:
    until = template_versions.c.until_run_id
    if run_id is None:
        return until.is_(None)
    return sa.and_(template_versions.c.from_run_id <= run_id, sa.or_(until.is_(None), until > run_id))


def select_one_past(connection: sa.Connection, template_id: str, run_id: int) -> Stored | None:
    """Read a template as it was after a run, present or removed; None if it was not yet seen.

    Raises:
        Pruned: it was removed by then, and its last version was pruned.
    """
    versions = template_versions.c
    newest = _VERSIONS_WITH_DOCUMENT.where(versions.template_id == template_id, versions.from_run_id <= run_id)
    row = connection.execute(newest.order_by(versions.from_run_id.desc()).limit(1)).one_or_none()
    if row is None:
        first = connection.scalar(sa.select(templates.c.first_seen_run_id).where(templates.c.template_id == template_id))
        if first is not None and first <= run_id:
            raise Pruned(f"The history of template {template_id!r} before run {run_id} was pruned.", hint="Use a later run.")
        return None
    if row.until_run_id is None or row.until_run_id > run_id:
        return _stored_from_version(row)
    at = sa.select(template_changes.c.at).where(
        template_changes.c.template_id == template_id, template_changes.c.run_id == row.until_run_id
    )
    removed: datetime = connection.scalar(at) or row.changed_at  # if that change was pruned, it is the last one
    return _stored_from_version(row, removed=removed)


def price_ended(period: Any, run_id: int, at: datetime | None) -> bool:
    """Return whether a price had ended after a run; by its time, if an old version did not store the run that ended the price."""
    if period.until_run_id is not None:
        return bool(period.until_run_id <= run_id)
    return period.valid_until is not None and (at is None or bool(period.valid_until <= at))


def templates_of_changes(connection: sa.Connection, changes: Sequence[Mapping[str, Any]]) -> Iterator[Stored]:
    """Yield, for each change of the feed, the template after it; for a removal, before it."""
    runs = [change["run_id"] for change in changes] or [0]
    first, last = min(runs), max(runs)
    versions = template_versions.c
    near = sa.or_(versions.from_run_id.between(first, last), versions.until_run_id.between(first, last))
    began: dict[tuple[str, int], Any] = {}
    ended: dict[tuple[str, int], Any] = {}
    for batch in batches(sorted({change["template_id"] for change in changes})):
        for version in connection.execute(_VERSIONS.where(versions.template_id.in_(batch), near)):
            began[version.template_id, version.from_run_id] = version
            ended[version.template_id, version.until_run_id] = version
    for change in changes:
        side, document = (ended, change["before"]) if change["kind"] == "removed" else (began, change["document"])
        row = side.get((change["template_id"], change["run_id"]))
        if row is None or document is None:
            raise DatabaseError(f"The document of change {change['seq']} is missing.", hint="Restore a backup.")
        yield _stored_from_version(row, document)


@dataclass(frozen=True, slots=True)
class Difference:
    """The net changes between the catalogs after two runs, in the form of the feed, with the templates they concern."""

    before_run: int
    after_run: int
    changes: list[dict[str, Any]]
    before: Mapping[str, Stored]
    after: Mapping[str, Stored]


def difference(source: Source, before: int | datetime, after: int | datetime | None, now: datetime) -> Difference:
    """Compare the catalogs of two times, of which None is the present; only templates that differ are read.

    Arguments and errors are those of `run_of`.
    """
    with reading_current(source) as connection:
        first = run_of(connection, before, now)
        second = (_newest_applied(connection) or 0) if after is None else run_of(connection, after, now)
        old = {each.document["template_id"]: each for each in live_after(connection, first, but_not_after=second)}
        new = {each.document["template_id"]: each for each in live_after(connection, second, but_not_after=first)}
    changes = net_changes(*({key: each.document for key, each in side.items()} for side in (old, new)))
    return Difference(first, second, changes, old, new)


def check_moment(when: int | datetime) -> int | datetime:
    """Return a run id, or an aware time converted to UTC; raise ValueError for anything else."""
    if isinstance(when, int) and not isinstance(when, bool):
        if not 0 <= when <= LARGEST_NUMBER:
            raise ValueError(f"No run has the number {when}.")
        return when
    if not isinstance(when, datetime):
        raise ValueError(f"A run's number or a date-time, not {when!r}.")  # noqa: TRY004 - ValueError for every invalid argument
    if when.utcoffset() is None:
        raise ValueError(f"A date-time without a time zone: {when!r}; pass its tzinfo.")
    try:
        return when.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"A date-time out of the calendar: {when!r}.") from None


def _stored_from_version(row: Any, document: Document | None = None, *, removed: datetime | None = None) -> Stored:
    """Build a template from a version; if the run that opened it was pruned, use the earliest known time."""
    opened: datetime = row.opened_at or (row.changed_at if row.changed_run_id == row.from_run_id else row.first_seen_at)
    return Stored(
        normalize_document(row.document) if document is None else document,
        row.content_hash,
        row.first_seen_at,
        removed or opened,
        removed,
        row.first_seen_run_id,
        row.from_run_id if removed is None else row.until_run_id,
        None if removed is None else row.until_run_id,
    )

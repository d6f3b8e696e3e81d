"""The reading API: `from sync import Catalog`. Each method calls one function of `sync.reader`, as the commands do."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Engine

from sync.catalog.feed import breaking
from sync.catalog.selection import FILTERS, check_count, count_values, make_selection, page_position, page_token
from sync.errors import CatalogError
from sync.reader import catalog as catalog_reader
from sync.reader import feed
from sync.reader.build_values import change_of, status_of, template_of
from sync.reader.catalog import check_id, periods, tag_counts, type_counts
from sync.reader.feed import check_position
from sync.reader.past import check_moment, difference, run_of, templates_of_changes
from sync.reader.status import overview
from sync.reader.values import Page, TagCount, TypeCount
from sync.store.bulk import BATCH
from sync.store.engine import open_engine, reading, reconnect_after_fork
from sync.store.schema import require_current
from sync.store.sqlite_file import is_in_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from decimal import Decimal
    from typing import Self

    from sqlalchemy import Connection

    from sync.catalog.selection import Selection, Sort
    from sync.forms.form import Form
    from sync.reader.values import CatalogStatus, Change, Price, PricePeriod, Template
    from sync.store.engine import Source


class Catalog:
    """Read access to the catalog in a database.

    Each call is one transaction. Calls that must see the same state of the database use one `snapshot`. Several threads may use
    one catalog. After a fork each process opens its own connections. Every method may raise `DatabaseError`.

    Args:
        database: a URL in the form of DATABASE_URL, or an SQLAlchemy engine, which the caller disposes of.
        clock: returns the current time, aware; for tests.

    Raises:
        ConfigurationError: the URL or its driver cannot be used.
    """

    def __init__(self, database: str | URL | Engine, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        if not isinstance(database, str | URL | Engine):
            raise ValueError(f"database: a URL or an engine, not {type(database).__name__}.")  # noqa: TRY004 - as for every argument
        self._owns = not isinstance(database, Engine)
        self._engine = database if isinstance(database, Engine) else open_engine(database)
        reconnect_after_fork(self._engine)
        self._clock = clock
        self._after_run: int | None = None
        self._snapshot: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; an engine that was passed in stays open."""
        if self._owns:
            self._engine.dispose()

    @contextmanager
    def snapshot(self) -> Iterator[Catalog]:
        """Open a second catalog, on its own connection, in which all calls see the same state of the database.

        Any thread or task can use it, one at a time; a forked process cannot. Close it soon: while it is open, a server keeps old
        rows, and SQLite's log grows. A server closes a snapshot that is idle for a minute.

        Raises:
            CatalogError: an in-memory SQLite database has no second connection.
        """
        if self._snapshot is not None:
            yield self
            return
        with reading(self._engine) as connection:
            if is_in_memory(connection):
                raise CatalogError("An in-memory SQLite database has no second connection for a snapshot: use a file.")
            require_current(connection)  # the first statement determines the state
            connection.info["process"] = os.getpid()
            yield self._copy(connection, self._after_run)

    def _copy(self, snapshot: Connection | None, after_run: int | None) -> Catalog:
        other = copy(self)
        other._owns, other._snapshot, other._after_run = False, snapshot, after_run  # noqa: SLF001
        return other

    def templates(
        self,
        *,
        tag: str | Iterable[str] | None = None,
        type: str | None = None,  # noqa: A002 - the name in the catalog
        requirement: str | None = None,
        images: int | None = None,
        resolution: str | None = None,
        ratio: str | None = None,
        min_price: Decimal | float | str | None = None,
        max_price: Decimal | float | str | None = None,
        search: str | None = None,
        sort: Sort = "id",
        limit: int | None = None,
        after: str | None = None,
    ) -> Page:
        """Return the present templates that match every filter.

        Args:
            tag: a tag in Chinese or English, or several that a template must all have.
            type: a template type, such as BEGIN_END_FRAME.
            requirement: an input requirement, such as SINGLE_PERSON.
            images: a number of input images.
            resolution: a resolution with a price, such as 720p.
            ratio: a supported aspect ratio, such as 9:16.
            min_price: minimum price in credits, at `resolution` if given, otherwise at the cheapest resolution.
            max_price: maximum price, likewise.
            search: words or parts of words. Each must occur in a title, a tag or the id.
            sort: `id`; `newest`, by release; `price`, lowest first, at `resolution` if given; `name`, by English title, or by
                Chinese title if there is no English one. Missing values are last.
            limit: maximum number of templates.
            after: `after` of the previous page; with `sort="id"` also an id.

        Raises:
            ValueError: an invalid argument, such as an `after` from another sort order.
        """
        wanted = make_selection(
            tag=tag, type=type, requirement=requirement, images=images, resolution=resolution, ratio=ratio,
            min_price=min_price, max_price=max_price, search=search, sort=sort, limit=limit, after=after,
        )  # fmt: skip
        # One more than `limit` shows whether there is a next page.
        more = wanted if limit is None else replace(wanted, limit=limit + 1)
        found = catalog_reader.select_templates(self._source, more, after_run=self._after_run)
        page = found[:limit]
        ends = page_token(page_position(page[-1].document, wanted.order), wanted.order) if 0 < len(page) < len(found) else None
        return Page(map(template_of, page), ends)

    def count(self, **filters: Any) -> int:
        """Return the number of templates that match every filter.

        Args:
            filters: the arguments of `templates`, except `sort`, `limit` and `after`.

        Raises:
            ValueError: as `templates`.
        """
        return catalog_reader.count(self._source, _filters(filters), after_run=self._after_run)

    def facets(self, **filters: Any) -> dict[str, dict[str | int, int]]:
        """Return, for each filter, its values and the number of matching templates with each, most frequent first.

        The filters are `tag`, `type`, `requirement`, `images`, `resolution` and `ratio`. A tag has its English name, or its
        Chinese one if it has no English name.

        Args:
            filters: the arguments of `count`.

        Raises:
            ValueError: as `templates`.
        """
        found = catalog_reader.select_templates(self._source, _filters(filters), after_run=self._after_run)
        return count_values(each.document for each in found)

    def tags(self) -> tuple[TagCount, ...]:
        """Return the tags of the present templates, most frequent first, like `template-sync tags`."""
        self._require_present("tags")
        return tuple(TagCount(**row) for row in tag_counts(self._source))

    def types(self) -> tuple[TypeCount, ...]:
        """Return the types of the present templates, most frequent first, like `template-sync types`."""
        self._require_present("types")
        return tuple(TypeCount(**row) for row in type_counts(self._source))

    def template(self, template_id: str) -> Template:
        """Return one template, present or removed.

        Raises:
            UnknownTemplate: the id was never in the catalog.
        """
        return template_of(catalog_reader.find_template(self._source, check_id(template_id), after_run=self._after_run))

    def prices(self, template_id: str) -> tuple[Price, ...]:
        """Return the prices of a template; for a removed template its last prices.

        Raises:
            UnknownTemplate: the id was never in the catalog.
        """
        return self.template(template_id).prices

    def price_history(self, template_id: str) -> tuple[PricePeriod, ...]:
        """Return every price that a template had, with its period of validity, oldest first.

        Raises:
            UnknownTemplate: the id was never in the catalog.
        """
        return tuple(periods(self._source, check_id(template_id), after_run=self._after_run))

    def form(self, template_id: str) -> Form:
        """Return the form of a template's generation request; for a removed template the last one.

        Raises:
            UnknownTemplate: the id was never in the catalog.
        """
        from sync.forms.form import Form
        from sync.text import iso

        found = catalog_reader.find_template(self._source, check_id(template_id), after_run=self._after_run)
        return Form(found.document, None if found.removed_at is None else iso(found.removed_at))

    def changes(self, since: str | int | None = None, limit: int | None = None) -> tuple[Change, ...]:
        """Return the changes of the feed, oldest first.

        Args:
            since: only changes after this cursor or `seq`; None: all retained changes.
            limit: maximum number of changes; the oldest are returned.

        Raises:
            CursorLost: the cursor is not part of this feed.
            TryLater: the database is a standby that has not received the change of the cursor yet.
            ValueError: an invalid cursor or limit.
        """
        since, limit = check_position(since), check_count("limit", limit)
        with reading(self._source) as connection:
            rows = feed.changes(connection, since=since, limit=limit)
            if self._after_run is not None:
                rows = [row for row in rows if row["run_id"] <= self._after_run]
            return tuple(change_of(row, stored) for row, stored in zip(rows, templates_of_changes(connection, rows), strict=True))

    def follow(
        self, since: str | int | None = None, *, every: float = 2.0, sleep: Callable[[float], object] = time.sleep
    ) -> Iterator[Change]:
        """Yield each change once, in order, as it is recorded. The iteration does not end.

        Args:
            since: start after this cursor or `seq`; None: only future changes.
            every: seconds between polls.
            sleep: called with the seconds to wait; an exception from it ends the iteration.

        Raises:
            CursorLost: as `changes`, at any poll, for example after a backup was restored.
            ValueError: an invalid cursor or number of seconds.
            CatalogError: called on a past catalog or a snapshot.
        """
        self._require_present("follow")
        if self._snapshot is not None:
            raise CatalogError("A snapshot does not change: call follow outside it.")
        seconds = _age(every, "every").total_seconds()
        start = self.status().cursor if since is None else check_position(since)
        return self._follow(start, seconds, sleep)

    def _follow(self, since: str | int | None, every: float, sleep: Callable[[float], object]) -> Iterator[Change]:
        while True:
            found = self.changes(since, BATCH)
            for change in found:
                since = change.cursor
                yield change
            if len(found) < BATCH:
                sleep(every)

    def as_of(self, when: int | datetime) -> Catalog:
        """Return the catalog as it was: its templates, prices and forms, and the feed up to then.

        The changes of a run are visible from the instant at which it finished. The order of a list and the query string of a URL
        can be newer, because the database keeps only their last values.

        Args:
            when: the number of a run, for the catalog after it; or an aware datetime.

        Raises:
            UnknownRun: there is no such run.
            NoSuchPast: a time in the future, or before the end of the first applied run; a run that is still active, or one
                that was skipped when no run had been applied yet.
            Pruned: `template-sync prune` deleted the history of that time.
            ValueError: a datetime without a time zone, or another type.
        """
        return self._copy(self._snapshot, run_of(self._source, check_moment(when), self._clock()))

    def diff(self, before: int | datetime, after: int | datetime) -> tuple[Change, ...]:
        """Return the differences between the catalogs at two points in time, ordered by kind and id.

        Args:
            before: a run or an aware datetime.
            after: a run or an aware datetime.

        Raises:
            CatalogError: as `as_of`.
            ValueError: as `as_of`.
        """
        with reading(self._source) as connection:
            found = difference(connection, check_moment(before), check_moment(after), self._clock())
            where = feed.position_after(connection, found.after_run)
        sides = {"added": found.after, "changed": found.after, "removed": found.before}
        return tuple(
            change_of(
                {**row, **where, "breaking": breaking(row["kind"], row["fields"])}, sides[row["kind"]][row["template_id"]]
            )
            for row in found.changes
        )  # fmt: skip

    def status(self) -> CatalogStatus:
        """Return how old the data is, and the first and last position of the feed."""
        self._require_present("status")
        return status_of(overview(self._source), self._clock())

    def ensure_fresh(self, template_id: str, max_age: timedelta | float, *, wait: timedelta | float = 30.0) -> Template:
        """Return a template that was verified within `max_age`; if it was not, fetch it and record its changes.

        A template counts as verified at the start of the newest of these: its last successful refresh, if the API found it; the
        last successful run, unless its record was rejected or its removal is unconfirmed; the run that recorded its last
        change. Concurrent callers share one request: they wait for the active run or refresh. This is the only call that writes
        to the database and needs the API key. It reads CRUN_API_KEY and the other settings like `template-sync refresh`.

        Args:
            template_id: its id; an unknown one is fetched.
            max_age: a timedelta, or seconds; 0 fetches, unless another caller does so during this call.
            wait: maximum wait for an active run or refresh, a timedelta or seconds.

        Raises:
            UnknownTemplate: the API does not find the template. (One that the database has as removed is returned.)
            ConfigurationError: there is no key, or a setting is invalid.
            LeaseBusy: a run, an upgrade or refreshes of other callers took longer than `wait`.
            TryLater: a temporary failure of the API.
            SyncError: any other error of `template-sync refresh`, as a subclass of SyncError.
            ValueError: `max_age` or `wait` is negative or of another type.
            CatalogError: called on a past catalog or a snapshot.
        """
        self._require_present("ensure_fresh")
        if self._snapshot is not None:
            raise CatalogError("A snapshot does not show later changes: call ensure_fresh outside it.")
        from sync.refresh import ensure_fresh

        template_id, age, longest = check_id(template_id), _age(max_age), _age(wait, "wait").total_seconds()
        ensure_fresh(self._engine, template_id, age, wait=longest, clock=self._clock)
        return self.template(template_id)

    @property
    def _source(self) -> Source:
        snapshot = self._snapshot
        if snapshot is None:
            return self._engine
        if snapshot.closed:
            raise CatalogError("The snapshot is closed: use its catalog inside the with block only.")
        # Two processes would read each other's responses. A broken connection has no `info`; its use is a DatabaseError.
        if not snapshot.invalidated and snapshot.info["process"] != os.getpid():
            raise CatalogError("The snapshot belongs to the process that opened it: open another one in this process.")
        return snapshot

    def _require_present(self, what: str) -> None:
        if self._after_run is not None:
            raise CatalogError(f"{what} is available for the current catalog only, not after run {self._after_run}.")


def _filters(filters: dict[str, Any]) -> Selection:
    if unknown := filters.keys() - FILTERS:
        raise ValueError(f"Unknown filter: {', '.join(sorted(unknown))}; the filters are {', '.join(FILTERS)}.")
    return make_selection(**filters)


def _age(max_age: timedelta | float, name: str = "max_age") -> timedelta:
    """Return a timedelta, from a timedelta or seconds; raise ValueError if it is neither, or negative."""
    try:
        age = max_age if isinstance(max_age, timedelta) else timedelta(seconds=max_age)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name}: a timedelta or seconds, not {max_age!r}.") from None
    if age < timedelta(0):
        raise ValueError(f"{name}: not a negative time: {max_age!r}.")
    return age

"""The reading API: `from sync import Catalog`. Each method asks one question of `sync.reader`, as the commands do."""

from __future__ import annotations

import time
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sync.catalog.field_changes import breaking
from sync.catalog.page_order import page_position, page_token
from sync.catalog.selection import make_selection
from sync.errors import CatalogError, UnknownTemplate
from sync.reader import catalog as catalog_reader
from sync.reader import feed, status
from sync.reader.arguments import check_age, check_id, check_limit, check_moment, check_position
from sync.reader.history import difference, periods
from sync.reader.past import run_of, stored_at
from sync.reader.values import CatalogStatus, Change, Page, Template, change_of, template_of
from sync.store.engine import open_engine, reading, reconnect_after_fork
from sync.store.schema import require_current
from sync.store.sqlite_file import is_in_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta
    from decimal import Decimal
    from typing import Self

    from sqlalchemy import URL, Connection, Engine

    from sync.catalog.page_order import Sort
    from sync.forms.form import Form
    from sync.reader.values import Price, PricePeriod
    from sync.store.engine import Source

FOLLOW_AT_A_TIME = 500
"""Changes that `follow` reads in one transaction."""


class Catalog:
    """The catalog in a database, for reading: no key is needed, and SELECT is the only right that is used.

    Each call is one transaction, which sees the database at one moment; calls that must agree belong in one `snapshot`. A catalog
    may be used by several threads at once. After a fork each process opens connections of its own.

    Args:
        database: a URL as DATABASE_URL takes it, or an SQLAlchemy engine, which stays its owner's to dispose of.
        clock: tells the time, aware; another one is for tests.

    Raises:
        ConfigurationError: the URL or its driver cannot be used.

    Every method may raise `DatabaseError`: the database cannot be reached, or needs `template-sync db upgrade` (`SchemaError`).
    """

    def __init__(self, database: str | URL | Engine, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._owns = not hasattr(database, "dialect")
        if self._owns and not isinstance(database, str) and not hasattr(database, "render_as_string"):
            raise ValueError(f"database: a URL or an engine, not {type(database).__name__}.")
        self._engine: Engine = open_engine(database) if self._owns else database  # type: ignore[arg-type,assignment]
        reconnect_after_fork(self._engine)
        self._clock = clock
        self._after_run: int | None = None
        self._snapshot: Connection | None = None
        self._verified: dict[str, datetime] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back; an engine that was passed in is left alone."""
        if self._owns:
            self._engine.dispose()

    @contextmanager
    def snapshot(self) -> Iterator[Catalog]:
        """Open another catalog that sees the database at one moment, over a connection of its own. Keep it short.

        It can be passed to any thread or task, which use it one at a time. This catalog is not affected by it. While it is open,
        servers keep old rows for it and SQLite's log grows; a server ends one that is idle for a minute.

        Raises:
            CatalogError: an in-memory SQLite database has no second connection.
        """
        if self._snapshot is not None:
            yield self
            return
        with reading(self._engine) as connection:
            if is_in_memory(connection):
                raise CatalogError("An in-memory SQLite database has no second connection for a snapshot: use a file.")
            require_current(connection)  # its first statement fixes the moment
            yield self._copy(connection, self._after_run)

    def _copy(self, snapshot: Connection | None, after_run: int | None) -> Catalog:
        other = copy(self)
        other._owns, other._snapshot, other._after_run = False, snapshot, after_run  # noqa: SLF001
        return other

    def templates(
        self,
        *,
        tag: str | None = None,
        type: str | None = None,  # noqa: A002 - it is what the catalog calls it
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
        """Give the templates that are present and pass every filter.

        Words and searches are compared without regard to case, on every engine alike.

        Args:
            tag: with this tag, in either language.
            type: of this type, such as BEGIN_END_FRAME.
            requirement: with this requirement of its images, such as SINGLE_PERSON.
            images: taking this many images.
            resolution: with a price at this resolution, such as 720p.
            ratio: supporting this aspect ratio, such as 9:16.
            min_price: costing at least so many credits: at `resolution` if that is given, else by the lowest price.
            max_price: costing at most so many credits, likewise.
            search: with this text in a title, a tag or the id.
            sort: `id`; `newest` by release; `price` from the lowest, at `resolution` if that is given; `name` by the English
                title, else the Chinese one. Texts by code point; what has no such value comes last.
            limit: at most so many.
            after: go on behind a page: its `after`. In the order of ids, a plain id does as well.

        Raises:
            ValueError: an argument that cannot be meant, such as an `after` of another order.
        """
        wanted = make_selection(
            tag=tag, type=type, requirement=requirement, images=images, resolution=resolution, ratio=ratio,
            min_price=min_price, max_price=max_price, search=search, sort=sort, limit=limit, after=after,
        )  # fmt: skip
        # One more than asked for tells whether anything stands behind these.
        more = wanted if limit is None else replace(wanted, limit=limit + 1)
        found = catalog_reader.selected(self._source, more, after_run=self._after_run)
        page = found[:limit]
        ends = page_token(page_position(page[-1].document, wanted.order), wanted.order) if 0 < len(page) < len(found) else None
        return Page(map(template_of, page), ends)

    def template(self, template_id: str) -> Template:
        """Give one template, present or removed.

        Raises:
            UnknownTemplate: it was never seen.
        """
        return template_of(catalog_reader.known(self._source, check_id(template_id), after_run=self._after_run))

    def prices(self, template_id: str) -> tuple[Price, ...]:
        """Give a template's prices, in the catalog's order; of a removed one, the last.

        Raises:
            UnknownTemplate: it was never seen.
        """
        return self.template(template_id).prices

    def price_history(self, template_id: str) -> tuple[PricePeriod, ...]:
        """Give every price that a template had and when it held, oldest first.

        Raises:
            UnknownTemplate: it was never seen.
        """
        return tuple(periods(self._source, check_id(template_id), after_run=self._after_run))

    def form(self, template_id: str) -> Form:
        """Give the form of a template's generation request: its `schema`, an `example()`, `validate(input)`, and its `hash`.

        A removed template has its last form, which upstream no longer takes: `template(id).removed_at` tells.

        Raises:
            UnknownTemplate: it was never seen.
        """
        from sync.forms.form import Form

        return Form(catalog_reader.known(self._source, check_id(template_id), after_run=self._after_run).document)

    def changes(self, since: str | int | None = None, limit: int | None = None) -> tuple[Change, ...]:
        """Give the changes of the feed, in its order.

        Args:
            since: only those after this cursor, or this `seq`; None: from the beginning of what is kept.
            limit: at most so many, the oldest.

        Raises:
            CursorLost: going on from there would leave a copy wrong; the error says why, and where to begin anew.
            ValueError: no such cursor or limit can be.
        """
        since, limit = check_position(since), check_limit(limit)
        with reading(self._source) as connection:
            rows = feed.changes(connection, since=since, limit=limit)
            if self._after_run is not None:
                rows = [row for row in rows if row["run_id"] <= self._after_run]
            return tuple(change_of(row, stored) for row, stored in zip(rows, stored_at(connection, rows), strict=True))

    def follow(
        self, since: str | int | None = None, *, every: float = 2.0, sleep: Callable[[float], object] = time.sleep
    ) -> Iterator[Change]:
        """Give changes as they come, each once, in order, for ever. No transaction is open between two of them.

        Args:
            since: begin after this cursor, or this `seq`; None: with what comes from now on.
            every: seconds between two looks, when there was nothing new.
            sleep: waits so many seconds; another one is for tests.

        Raises:
            CursorLost: at whichever look the feed turned out to be another one, as after a backup that was put back.
            ValueError: no such cursor can be.
            CatalogError: the past, and a snapshot, stand still.
        """
        self._require_present("follow")
        if self._snapshot is not None:
            raise CatalogError("A snapshot does not change: call follow outside it.")
        start = self.status().cursor if since is None else check_position(since)
        return self._follow(start, every, sleep)

    def _follow(self, since: str | int | None, every: float, sleep: Callable[[float], object]) -> Iterator[Change]:
        while True:
            found = self.changes(since, FOLLOW_AT_A_TIME)
            for change in found:
                since = change.cursor
                yield change
            if len(found) < FOLLOW_AT_A_TIME:
                sleep(every)

    def as_of(self, when: int | datetime) -> Catalog:
        """Give the catalog as it was: its templates, prices, forms, and the feed up to then.

        A run's catalog holds from the instant at which the run ended, that instant included, until the next one's does.
        What is not a change (another order, a new signature in a URL) is shown as it was last stored.

        Args:
            when: a run's number, after which; or an aware instant.

        Raises:
            UnknownRun: there is no such run.
            NoSuchPast: before the first run, or still to come.
            Pruned: what was then is no longer kept.
            ValueError: a date-time without a time zone, or neither a number nor a date-time.
        """
        return self._copy(self._snapshot, run_of(self._source, check_moment(when), self._clock()))

    def diff(self, before: int | datetime, after: int | datetime) -> tuple[Change, ...]:
        """Give what changed between two moments, net, by kind and id.

        Args:
            before: a run, or an aware instant, as `as_of` takes it.
            after: likewise.

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
        """Tell how fresh the copy is, and where its feed stands.

        Raises:
            CatalogError: asked of the past.
        """
        self._require_present("status")
        found = status.overview(self._source)
        ended = found.last_success.finished_at if found.last_success else None
        return CatalogStatus(
            present=found.present,
            held=found.held,
            unconfirmed=found.unconfirmed,
            last_success_at=ended,
            last_success_age=None if ended is None else self._clock() - ended,
            last_change_at=found.last_change_at,
            oldest_seq=found.oldest_seq,
            last_seq=found.last_seq,
            feed_epoch=found.feed_epoch,
            cursor=found.cursor,
        )

    def ensure_fresh(self, template_id: str, max_age: timedelta | float) -> Template:
        """Give a template that the catalog has borne out within `max_age`; if none has, ask it now, and record what changed.

        Borne out is what the last successful walk was served, what a run changed, and what this object asked for. The one
        call that writes and that needs the key: it reads CRUN_API_KEY and the other settings as `template-sync refresh` does.

        Args:
            template_id: its id; one that was never seen is asked for.
            max_age: a time, or seconds; 0 asks in any case.

        Raises:
            UnknownTemplate: nobody has it, or the catalog has it no more; the next run decides whether it is removed.
            ConfigurationError: there is no key.
            TryLater: the catalog could not be asked now, or another run is at work.
            SyncError: what else `template-sync refresh` may meet.
            ValueError: a `max_age` that is negative or no time.
            CatalogError: asked of the past, or within a snapshot, which would not see what is recorded.
        """
        self._require_present("ensure_fresh")
        if self._snapshot is not None:
            raise CatalogError("A snapshot does not show later changes: call ensure_fresh outside it.")
        age, template_id = check_age(max_age), check_id(template_id)
        from sync.reader.stored_templates import verified_at

        moments = (verified_at(self._engine, template_id), self._verified.get(template_id))
        newest = max((moment for moment in moments if moment is not None), default=None)
        now = self._clock()
        if newest is None or now - newest >= age:
            self._ask(template_id, now)
        return self.template(template_id)

    def _ask(self, template_id: str, now: datetime) -> None:
        from sync.ensure_fresh import ask

        if ask(self._engine, template_id, self._clock):
            self._verified[template_id] = now
        elif self.template(template_id).removed_at is None:
            raise UnknownTemplate(
                f"The catalog no longer has template {template_id!r}.",
                template_id=template_id,
                hint="The next run, which walks the whole catalog, decides whether it is removed.",
            )

    @property
    def _source(self) -> Source:
        if self._snapshot is not None and self._snapshot.closed:
            raise CatalogError("The snapshot is closed: use its catalog inside the with block only.")
        return self._engine if self._snapshot is None else self._snapshot

    def _require_present(self, what: str) -> None:
        if self._after_run is not None:
            raise CatalogError(f"{what} is available for the current catalog only, not after run {self._after_run}.")

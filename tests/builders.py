"""Builders of test inputs: settings, records, a catalog served over loopback, a run against a database."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.catalog.removals import RunOptions
from sync.client.api_client import ApiClient
from sync.client.network import Timeouts
from sync.config.load_settings import load
from sync.retry_policy import REQUESTS
from sync.sandbox.server import SANDBOX_KEY, Sandbox
from sync.store.apply import Store
from sync.store.migrating import backfill_cursors
from sync.store.tables import metadata, price_changes, sync_state, template_changes
from sync.synchronise import Outcome, synchronise

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sqlalchemy import Engine

    from sync.config.settings import Settings
    from sync.retry_policy import RetryPolicy

SEED_PAGE = Path(__file__).parent / "data" / "documented-answer.json"
RANDOM_COLUMNS = {"token"}
"""Columns with random values."""
EPOCH = "0123456789ab"
"""Epoch of the feed in every test database, so that the same history has the same cursors on each engine."""
HASTY = replace(REQUESTS, attempts=3, waits=(0.001, 0.002), longest_asked=0.05)
"""A retry policy without waiting, for tests."""
QUICK = Timeouts(request=5.0, connect=2.0, read=2.0)


@dataclass(frozen=True)
class Database:
    """A database under test."""

    kind: str
    url: str
    engine: Engine

    def rows(self, table: str, order: str | None = None) -> list[dict[str, Any]]:
        """Return the rows of a table, with the column types of the program, or of a view."""
        source: Any = metadata.tables.get(table)
        query: Any = sa.select(source) if source is not None else sa.text(f"SELECT * FROM {table}")  # noqa: S608 - a name in a test
        if source is not None and order:
            query = query.order_by(source.c[order])
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def scalar(self, query: str) -> Any:
        """Return one value."""
        with self.engine.connect() as connection:
            return connection.execute(sa.text(query)).scalar()

    def execute(self, *statements: str) -> None:
        """Run statements, each in a transaction of its own."""
        for statement in statements:
            with self.engine.begin() as connection:
                connection.execute(sa.text(statement))

    def dump(self, without: Collection[str] = ()) -> dict[str, list[str]]:
        """Return every table as sorted lines of text, to compare states and databases."""

        def line(row: dict[str, Any]) -> str:
            return repr(sorted((column, value) for column, value in row.items() if column not in without))

        return {name: sorted(map(line, self.rows(name))) for name in metadata.tables}

    def catalog_dump(self) -> dict[str, list[str]]:
        """As `dump`, without the tables that every run writes: runs, lease and state."""
        return {name: rows for name, rows in self.dump().items() if name not in {"sync_runs", "sync_lease", "sync_state"}}

    @property
    def statuses(self) -> list[str]:
        """Statuses of all runs, in their order."""
        return [row["status"] for row in self.rows("sync_runs", "run_id")]

    @property
    def present(self) -> set[str]:
        """Ids of the templates that are present."""
        return {row["template_id"] for row in self.rows("templates") if row["removed_at"] is None}


def give_epoch(engine: Engine, epoch: str = EPOCH) -> None:
    """Set the epoch of a feed and compute its cursors again, so that equal feeds have equal cursors."""
    with engine.begin() as connection:
        connection.execute(sa.delete(price_changes))
        connection.execute(sa.update(template_changes).values(cursor=None))
        connection.execute(sa.update(sync_state).values(feed_epoch=epoch, last_cursor=None))
        backfill_cursors(connection)


def record(template_id: str = "1", **changes: Any) -> dict[str, Any]:
    """Make a record as the API serves it; `changes` replace fields, and `...` drops one."""
    whole = {
        "MediaId": "7642552612302307355",
        "Title": "战斗游戏",
        "Cover": "https://media.example/cover.jpeg?x-expires=1&x-signature=a",
        "Duration": 10123,
        "PreviewVideo": "https://media.example/preview.mp4",
        "Tags": ["🔥Seedance2.0模型", "热门"],
        "ServiceId": "217677058",
        "TemplateId": template_id,
        "TemplateType": "BEGIN_END_FRAME",
        "InputRequirement": "SINGLE_PERSON",
        "InputNum": 1,
        "ReleaseOnlineTime": 1779421051,
        "ConsumeItems": [{"Resolution": "480p", "Credit": 166.5}, {"Resolution": "720p", "Credit": 355.2}],
        "Title_en": "Battle Game",
        "Tags_en": ["🔥Seedance2.0 Model", "Trending"],
        "CoverAspectRatio": "9:16",
        "SupportAspectRatio": "9:16,1:1",
    }
    return {name: value for name, value in {**whole, **changes}.items() if value is not ...}


DOCUMENT: dict[str, Any] = {
    "template_id": "1", "media_id": "7642552612302307355", "service_id": "217677058", "title": "战斗游戏",
    "title_en": "Battle Game", "cover_url": "https://media.example/cover.jpeg?x-expires=1&x-signature=a",
    "cover_aspect_ratio": "9:16", "preview_video_url": "https://media.example/preview.mp4", "duration_ms": 10123,
    "template_type": "BEGIN_END_FRAME", "input_requirement": "SINGLE_PERSON", "input_num": 1,
    "released_at": "2026-05-22T03:37:31Z",
    "consume_items": [{"resolution": "480p", "credit": 166.5}, {"resolution": "720p", "credit": 355.2}],
    "tags": [{"name": "🔥Seedance2.0模型", "name_en": "🔥Seedance2.0 Model"}, {"name": "热门", "name_en": "Trending"}],
    "aspect_ratios": ["9:16", "1:1"], "extra": {},
}  # fmt: skip
"""The document of `record()`."""


def records(count: int) -> list[dict[str, Any]]:
    """Make records with the ids 1, 2, 3 and so on."""
    return [record(str(number), Title_en=f"Number {number}") for number in range(1, count + 1)]


def make_settings(base_url: str = "http://127.0.0.1:9", database_url: str = "sqlite:///unused.db", **fields: Any) -> Settings:
    """Make settings by way of `load`, without a limit on the rate; `fields` replace values."""
    flags = {"base_url": base_url, "database_url": database_url, "rate": "0", "deadline": "30s"}
    return replace(load(flags, {"CRUN_API_KEY": SANDBOX_KEY}, None).settings, **fields)


def ticking(start: datetime = datetime(2026, 1, 1, tzinfo=UTC), step: float = 1.0) -> Callable[[], datetime]:
    """Make a clock that advances by `step` seconds in each call."""
    count = itertools.count()
    return lambda: start + timedelta(seconds=step * next(count))


def run_against(
    base_url: str,
    engine: Engine,
    *,
    clock: Callable[[], datetime] | None = None,
    retry_policy: RetryPolicy = HASTY,
    timeouts: Timeouts = QUICK,
    random: Callable[[], float] = random.random,
    **options: Any,
) -> Outcome:
    """Run once against the server at a URL. `options` are those of the run, or settings."""
    run_options = {name: options.pop(name) for name in ("page_size", "max_removed", "accept_removals", "hold") if name in options}
    with ApiClient(make_settings(base_url, **options), SANDBOX_KEY, retry_policy=retry_policy, timeouts=timeouts) as endpoint:
        return synchronise(
            Store(engine, sleep=lambda _: None),
            endpoint,
            RunOptions(**{"max_removed": Decimal("0.1"), **run_options}),
            trigger="run",
            ttl=60.0,
            clock=clock or ticking(),
            random=random,
        )


def run_with(catalog: Sequence[dict[str, Any]], engine: Engine, **options: Any) -> Outcome:
    """Run once against the sandbox serving these records."""
    with Sandbox(list(catalog)) as sandbox:
        return run_against(sandbox.url, engine, **options)

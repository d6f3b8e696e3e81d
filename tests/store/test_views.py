"""The views: the same rows on every engine, times that every language reads correctly, prices that are numbers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.errors import SchemaError
from sync.store import schema
from sync.store.tables import VIEWS, metadata
from sync.text import iso
from tests.builders import record
from tests.faults import AFTER, BEFORE, at, sync

if TYPE_CHECKING:
    from tests.builders import Database

pytestmark = pytest.mark.long_on_servers

BARE = record("7", ConsumeItems=[], Tags=[], Tags_en=[], SupportAspectRatio=..., ReleaseOnlineTime=..., Title_en="Bare")


@pytest.fixture
def filled(database: Database) -> Database:
    """A database after two runs: template 3 changed in every field, 5 is removed, 6 is new, 7 has only the required fields."""
    assert sync(BEFORE, database.engine, clock=at(0)).error is None
    assert sync([*AFTER, BARE], database.engine, clock=at(1)).error is None
    return database


def rows(database: Database, query: str) -> list[dict[str, Any]]:
    """Return rows in one form for all engines: decoded JSON, decimals without trailing zeros, times in UTC."""
    with database.engine.connect() as connection:
        found = connection.execute(sa.text(query)).mappings().all()
    return [{name: _plain(value) for name, value in row.items()} for row in found]


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).strftime("%Y-%m-%d %H:%M:%S.%f")
    return json.loads(value) if isinstance(value, str) and value[:1] in {"[", "{"} else value


# The picker -------------------------------------------------------------------------------------------------------------


def test_the_picker_has_the_same_rows_on_every_engine(filled: Database) -> None:
    found = {row["template_id"]: row for row in rows(filled, "SELECT * FROM picker")}
    assert sorted(found) == ["1", "2", "3", "4", "6", "7"]
    assert found["3"] == {
        "template_id": "3", "title": "战斗游戏", "title_en": "Renamed", "cover_aspect_ratio": "9:16", "duration_ms": 10123,
        "cover_url": "https://media.example/cover.jpeg?x-expires=1&x-signature=a",
        "preview_video_url": "https://media.example/preview.mp4", "template_type": "BEGIN_END_FRAME",
        "input_requirement": "SINGLE_PERSON", "input_num": 1, "lowest_credit": 400,
        "prices": [{"resolution": "720p", "credit": 400}], "tags": [{"name": "新", "name_en": "New"}],
        "aspect_ratios": ["9:16", "1:1"],
        "released_at": "2026-05-22 03:37:31.000000", "first_seen_at": "2026-01-01 12:00:01.123456",
        "changed_at": "2026-01-01 12:01:01.123456", "released_at_iso": "2026-05-22T03:37:31Z",
        "first_seen_at_iso": "2026-01-01T12:00:01.123456Z", "changed_at_iso": "2026-01-01T12:01:01.123456Z",
    }  # fmt: skip
    assert [(row["lowest_credit"], len(row["prices"])) for row in (found["1"], found["6"])] == [(166.5, 2), (166.5, 2)]
    bare = [found["7"][name] for name in ("lowest_credit", "prices", "tags", "aspect_ratios", "released_at", "released_at_iso")]
    assert bare == [None, [], [], [], None, None]


def test_current_tags_have_the_order_of_the_catalog(filled: Database) -> None:
    found = rows(filled, "SELECT template_id, position, name, name_en FROM current_tags ORDER BY template_id, position")
    assert [tuple(row.values()) for row in found if row["template_id"] in {"1", "3", "5", "6", "7"}] == [
        ("1", 0, "🔥Seedance2.0模型", "🔥Seedance2.0 Model"),
        ("1", 1, "热门", "Trending"),
        ("3", 0, "新", "New"),
        ("6", 0, "热门 ", "Trending "),
    ]


def test_the_lowest_price_compares_with_a_text_as_a_number(filled: Database) -> None:
    """Django binds decimals as text on SQLite, where an untyped number is less than any text."""
    cheap = "SELECT template_id FROM picker WHERE lowest_credit < {} ORDER BY lowest_credit, template_id"
    for limit in ("400", "'400'"):
        assert [row["template_id"] for row in rows(filled, cheap.format(limit))] == ["1", "2", "4", "6"]


def test_a_list_of_the_picker_can_be_counted_in_sql(filled: Database) -> None:
    """As the facets of Datasette do on SQLite, with json_each before the view."""
    opened = {
        "sqlite": "json_each(p.aspect_ratios) j JOIN picker p",
        "postgresql": "picker p, jsonb_array_elements_text(p.aspect_ratios) j",
        "mariadb": "picker p, JSON_TABLE(p.aspect_ratios, '$[*]' COLUMNS (value VARCHAR(64) PATH '$')) j",
    }[filled.kind]
    counted = f"SELECT j.value AS ratio, count(*) AS of_it FROM {opened} GROUP BY 1"  # noqa: S608 - one of the three above
    assert sorted(tuple(row.values()) for row in rows(filled, counted)) == [("1:1", 5), ("9:16", 5)]


# Times ------------------------------------------------------------------------------------------------------------------


def test_each_time_of_a_view_has_an_iso_column(filled: Database) -> None:
    for view, columns in VIEWS.items():
        times = [name for name in columns if name.endswith("_at") or name in {"at", "valid_from", "valid_until"}]
        assert [f"{name}_iso" for name in times] == [name for name in columns if name.endswith("_iso")]
        for row in rows(filled, f"SELECT * FROM {view}"):  # noqa: S608 - our own names
            for name in times:
                moment = row[name] and iso(datetime.fromisoformat(row[name]).replace(tzinfo=UTC))
                assert row[f"{name}_iso"] == moment


def test_javascript_reads_the_iso_columns_in_another_time_zone(filled: Database) -> None:
    times = [row["valid_from_iso"] for row in rows(filled, "SELECT valid_from_iso FROM price_history WHERE template_id = '3'")]
    expected = {"2026-01-01T12:00:01.123456Z": 1767268801123, "2026-01-01T12:01:01.123456Z": 1767268861123}
    assert set(times) == expected.keys()
    assert in_javascript(times) == [expected[time] for time in times]
    if filled.kind == "sqlite":  # the reason for these columns: the text of SQLite is parsed as local time
        assert in_javascript(["2026-01-01 12:00:01.123456"]) == [1767268801123 + 5 * 3600 * 1000]


def in_javascript(times: list[str]) -> list[int]:
    """Parse times with JavaScript in New York; without Node the test is skipped with the reason, and fails in CI."""
    node = shutil.which("node")
    if node is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("node is not installed here")
    script = "console.log(JSON.stringify(JSON.parse(process.argv[1]).map(each => new Date(each).getTime())))"
    command = [node, "-e", script, json.dumps(times)]
    result = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "TZ": "America/New_York"})
    read: list[int] = json.loads(result.stdout)
    return read


# Declared columns ---------------------------------------------------------------------------------------------------------

COLUMNS = {
    "sqlite": "SELECT name, upper(type) FROM pragma_table_info('{0}')",
    "postgresql": "SELECT column_name, upper(format_type(atttypid, atttypmod)) FROM information_schema.columns "
    "JOIN pg_attribute ON attrelid = '{0}'::regclass AND attname = column_name WHERE table_name = '{0}' "
    "AND table_schema = current_schema() ORDER BY ordinal_position",
    "mariadb": "SELECT column_name, upper(column_type) FROM information_schema.columns WHERE table_name = '{0}' "
    "AND table_schema = database() ORDER BY ordinal_position",
}
"""As Metabase and other tools with JDBC inspect a database."""

DECIMAL = {"sqlite": "DOUBLE", "postgresql": "NUMERIC(30,15)", "mariadb": "DECIMAL(30,15)"}


def described(database: Database, name: str) -> dict[str, str]:
    with database.engine.connect() as connection:
        return {row[0]: row[1] for row in connection.exec_driver_sql(COLUMNS[database.kind].format(name))}


def test_every_view_has_the_declared_columns(database: Database) -> None:
    inspector = sa.inspect(database.engine)
    assert set(inspector.get_view_names()) == VIEWS.keys()
    assert {view: tuple(described(database, view)) for view in VIEWS} == dict(VIEWS)


def test_prices_are_declared_as_decimals(database: Database) -> None:
    kinds = {
        (name, column): kind
        for name in (*VIEWS, *metadata.tables)
        for column, kind in described(database, name).items()
        if column.endswith("credit")
    }
    lowest = kinds.pop(("picker", "lowest_credit"))
    assert lowest == {"sqlite": ""}.get(database.kind, DECIMAL[database.kind]), "SQLite has no type for computed columns"
    assert set(kinds.values()) == {DECIMAL[database.kind]}
    assert len(kinds) == 6


# Objects of other programs ----------------------------------------------------------------------------------------------


def test_a_view_of_another_program_with_the_name_of_a_new_one_is_refused(empty_database: Database) -> None:
    schema.upgrade(empty_database.engine, "0003")
    empty_database.execute("CREATE VIEW picker AS SELECT template_id, title FROM templates")
    with pytest.raises(SchemaError, match="names of this program's: picker"):
        schema.upgrade(empty_database.engine)
    assert list(described(empty_database, "picker")) == ["template_id", "title"]
    empty_database.execute("DROP VIEW picker")
    schema.upgrade(empty_database.engine)


def test_triggers_of_other_programs_on_a_view_are_kept(empty_database: Database) -> None:
    """Only SQLite has to drop a view to give it a column, and MariaDB has no triggers on views."""
    note = "INSERT INTO noted VALUES (OLD.template_id);"
    make = {
        "sqlite": [f"CREATE TRIGGER theirs INSTEAD OF DELETE ON current_templates BEGIN {note} END"],
        "postgresql": [
            f"CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {note} RETURN OLD; END$$",
            "CREATE TRIGGER theirs INSTEAD OF DELETE ON current_templates FOR EACH ROW EXECUTE FUNCTION note()",
        ],
    }.get(empty_database.kind, [])
    schema.upgrade(empty_database.engine, "0003")
    empty_database.execute("CREATE TABLE noted (template_id VARCHAR(255))", *make)
    schema.upgrade(empty_database.engine)
    sync(BEFORE, empty_database.engine)
    if make:
        empty_database.execute("DELETE FROM current_templates WHERE template_id = '2'")
    assert empty_database.scalar("SELECT count(*) FROM noted") == len(make[:1])

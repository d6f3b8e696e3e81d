"""Other users of the same database: their tables, triggers, settings and statements, on each engine.

The statements of a row are SQL, the same for all engines or by engine; a row without an engine does not apply to it. If this
program refuses, the database is unchanged.
"""
# ruff: noqa: E501 - each row is a line

from __future__ import annotations

from dataclasses import dataclass

from sync.store.tables import VIEWS
from tests.adversary.attack import ALL, NOTHING

EVERY = ("sqlite", "postgresql", "mariadb")


@dataclass(frozen=True)
class OtherProgram:
    """Statements of another program, and the result of `db upgrade` or of a run.

    Attributes:
        statements: by engine.
        code: the exit code.
        message: a part of the error.
        during: the statements are executed while the second page is fetched, not before the run.
        at_once: the run is refused before it begins, and has no row.
    """

    name: str
    statements: dict[str, tuple[str, ...]]
    code: int = 0
    rows: str = ALL
    message: str = ""
    during: bool = False
    at_once: bool = False


def common(*statements: str, kinds: tuple[str, ...] = EVERY) -> dict[str, tuple[str, ...]]:
    """Use the same statements on all engines."""
    return dict.fromkeys(kinds, statements)


def refused(name: str, *statements: str, message: str, kinds: tuple[str, ...] = EVERY) -> OtherProgram:
    """A row that `db upgrade` must refuse."""
    return OtherProgram(name, common(*statements, kinds=kinds), 69, message=message)


VERSIONS = "CREATE TABLE sync_alembic_version (version_num VARCHAR(32) NOT NULL)"
OUR_TAGS = "CREATE TABLE tags (tag_id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(255) NOT NULL, name_en VARCHAR(255))"
UPGRADES = [
    refused("their tags", "CREATE TABLE tags (id INTEGER PRIMARY KEY, label VARCHAR(20))", "INSERT INTO tags VALUES (1, 'theirs')", message="tags"),
    refused("their tags, with our columns", OUR_TAGS, "INSERT INTO tags VALUES (1, 'theirs', NULL)", message="tags"),
    refused("their templates and tags", "CREATE TABLE templates (x INTEGER)", "CREATE TABLE tags (x INTEGER)", message="tags, templates"),
    refused("their view called tags", "CREATE VIEW tags AS SELECT 1 AS tag_id, 'x' AS name, 'y' AS name_en", message="tags"),
    refused("their view called current_templates", "CREATE VIEW current_templates AS SELECT 1 AS x", message="current_templates"),
    refused("their table called change_feed", "CREATE TABLE change_feed (x INTEGER)", message="change_feed"),
    refused("their table called TAGS", "CREATE TABLE TAGS (id INTEGER PRIMARY KEY)", message="of another program", kinds=("sqlite", "postgresql")),
    refused("an unknown version", VERSIONS, "INSERT INTO sync_alembic_version VALUES ('abc')", message="newer than this version knows"),
    refused("two versions", VERSIONS, "INSERT INTO sync_alembic_version VALUES ('0001'), ('0002')", message="version"),
    refused("the first revision, without its tables", VERSIONS, "INSERT INTO sync_alembic_version VALUES ('0001')", message="templates"),
    refused("the current revision, without its tables", VERSIONS, "INSERT INTO sync_alembic_version VALUES ('0002')", message="templates"),
    OtherProgram("their own tables", common("CREATE TABLE orders (x INTEGER)", "INSERT INTO orders VALUES (7)")),
    OtherProgram("their own Alembic", common("CREATE TABLE alembic_version (version_num VARCHAR(32))", "INSERT INTO alembic_version VALUES ('cafe')")),
    OtherProgram("an empty version table", common(VERSIONS)),
    OtherProgram("a database in UTF-16", {"sqlite": ("PRAGMA encoding='UTF-16le'", "CREATE TABLE theirs (x TEXT)")}),
    OtherProgram("a database in Latin-1", {"mariadb": ("ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_swedish_ci",)}),
]  # fmt: skip

REFUSE = {
    "sqlite": ("CREATE TRIGGER no BEFORE INSERT ON template_changes BEGIN SELECT RAISE(ABORT, 'not today'); END",),
    "postgresql": (
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'not today'; END$$",
        "CREATE TRIGGER no BEFORE INSERT ON template_changes FOR EACH ROW EXECUTE FUNCTION no()",
    ),
    "mariadb": (
        "CREATE TRIGGER no BEFORE INSERT ON template_changes FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not today'",
    ),
}


def no_views(*statements: str) -> tuple[str, ...]:
    """Drop the views first, because they depend on the tables."""
    return (*(f"DROP VIEW {name}" for name in VIEWS), *statements)


def of_database(setting: str) -> dict[str, tuple[str, ...]]:
    """Set a parameter for every session of this database."""
    return {"postgresql": (f"ALTER DATABASE {{database}} SET {setting}",)}


SLOW = {
    "postgresql": (
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END$$",
        "CREATE TRIGGER slow BEFORE INSERT ON template_changes FOR EACH STATEMENT EXECUTE FUNCTION slow()",
        *of_database("statement_timeout = '200ms'")["postgresql"],
    ),
}
"""A statement that takes longer than the limit of the database, which the program must replace by its own. On a busy machine a
limit of a millisecond would end the statement that replaces it."""

RUNS = [
    OtherProgram("a view on our tables", common("CREATE VIEW cheap AS SELECT template_id, credit FROM consume_items")),
    OtherProgram("a view on our views", common("CREATE VIEW mine AS SELECT template_id, title FROM current_templates")),
    OtherProgram("an additional column", common("ALTER TABLE templates ADD COLUMN mine INTEGER")),
    OtherProgram("an additional required column", common("ALTER TABLE templates ADD COLUMN mine INTEGER NOT NULL DEFAULT 3")),
    OtherProgram("an additional index", common("CREATE INDEX mine ON consume_items (credit)")),
    OtherProgram("a missing index", {kind: (f"DROP INDEX ix_template_changes_template_id{' ON template_changes' * (kind == 'mariadb')}",) for kind in EVERY}),
    OtherProgram("the views are missing", common(*no_views())),
    OtherProgram("a trigger that keeps a log", {
        "sqlite": ("CREATE TABLE log (x TEXT)", "CREATE TRIGGER logs AFTER INSERT ON template_changes BEGIN INSERT INTO log VALUES (new.kind); END"),
        "mariadb": ("CREATE TABLE log (x TEXT)", "CREATE TRIGGER logs AFTER INSERT ON template_changes FOR EACH ROW INSERT INTO log VALUES (new.kind)"),
    }),
    OtherProgram("a trigger that refuses", REFUSE, 69, NOTHING, "not today"),
    OtherProgram("a missing column", common(*no_views("ALTER TABLE templates DROP COLUMN title_en")), 69, NOTHING, "title_en"),
    OtherProgram("a missing table", common(*no_views("DROP TABLE template_tags")), 69, NOTHING, "template_tags"),
    OtherProgram("a renamed table", common(*no_views("ALTER TABLE price_periods RENAME TO periods")), 69, NOTHING, "price_periods"),
    OtherProgram("the row of the lease is missing", common("DELETE FROM sync_lease"), 69, NOTHING, "required row is missing"),
    OtherProgram("the row of the state is missing", common("DELETE FROM sync_state"), 69, NOTHING, "required row is missing"),
    OtherProgram("two leases", common("INSERT INTO sync_lease (name, fence, expires) VALUES ('mine', 1, 0)"), 69, NOTHING),
    OtherProgram("two rows of the state", common("INSERT INTO sync_state (name, last_seq, oldest_seq, unreconciled_runs) VALUES ('mine', 0, 1, 0)"), 69, NOTHING),
    OtherProgram("a feed that was set back", common("UPDATE sync_state SET last_seq = 0"), 69, NOTHING),
    OtherProgram("a run that never ended", common("INSERT INTO sync_runs (status, started_at, holder, fence, {trigger}) VALUES ('running', '2026-01-01 00:00:00', 'x', 99, 'run')")),
    OtherProgram("a document that is not an object", common("UPDATE template_versions SET document = '[]' WHERE template_id = '11'"), 69, NOTHING, "template_versions"),
    OtherProgram("a document without its fields", common("UPDATE template_versions SET document = '{}' WHERE template_id = '11'"), 69, NOTHING, "template_versions"),
    OtherProgram("a document that is not JSON", {"sqlite": ("UPDATE template_versions SET document = '{' WHERE template_id = '11'",)}, 69, NOTHING, "template_versions"),
    OtherProgram("a missing document", common("DELETE FROM template_versions WHERE template_id = '11'"), 75, NOTHING),
    OtherProgram("wrong hashes", common("UPDATE templates SET content_hash = 'x', wire_hash = 'x'")),
    OtherProgram("a rollback journal", {"sqlite": ("PRAGMA journal_mode=DELETE",)}),
    OtherProgram("counters that were set back", {"sqlite": ("UPDATE sqlite_sequence SET seq = 0",)}),
    OtherProgram("sessions in Latin-1", of_database("client_encoding = latin1")),
    OtherProgram("dates in another order", of_database("datestyle = 'SQL, DMY'")),
    OtherProgram("another time zone", of_database("timezone = 'Asia/Tokyo'")),
    OtherProgram("non-standard strings", of_database("standard_conforming_strings = off")),
    OtherProgram("numbers with few digits", of_database("extra_float_digits = -15")),
    OtherProgram("serializable transactions", of_database("default_transaction_isolation = serializable")),
    OtherProgram("deferrable transactions", of_database("default_transaction_deferrable = on")),
    OtherProgram("a short statement timeout", SLOW),
    OtherProgram("a read-only database", of_database("default_transaction_read_only = on"), 69, NOTHING, "read-only"),
    OtherProgram("a search path without the tables", of_database("search_path = nowhere"), 69, NOTHING, "search_path of this PostgreSQL session", at_once=True),
    OtherProgram("the lease is taken during the run", common("UPDATE sync_lease SET fence = fence + 1, holder = 'rival', expires = 9e9"), 75, NOTHING, "another run acquired it", during=True),
    OtherProgram("the row of the lease is deleted during the run", common("DELETE FROM sync_lease"), 75, NOTHING, "another run acquired it", during=True),
    OtherProgram("the row of the run is deleted during the run", common("DELETE FROM sync_runs WHERE status = 'running'"), 69, NOTHING, during=True),
    OtherProgram("a table is dropped during the run", common(*no_views("DROP TABLE template_tags")), 69, NOTHING, "template_tags", during=True),
    OtherProgram("a tag is inserted during the run", common("INSERT INTO tags VALUES (3, 'theirs', NULL)"), during=True),
]  # fmt: skip

QUICK_ON_SERVERS = ("their tags, with our columns", "sessions in Latin-1")
"""Rows that are quick tests on the servers, where each needs its own database."""
MORE_ON_SERVERS = ("dates in another order", "the lease is taken during the run")
"""Rows that CI runs there for each push."""

"""Every recipe of docs/cookbook.md has the documented result on every engine, after two runs over the sample catalog.

So do the roles of docs/database.md that may only read.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from sync import Catalog
from sync.errors import DatabaseError
from sync.store.prune import prune
from sync.store.tables import VIEWS
from tests.builders import give_epoch
from tests.command_line import environment
from tests.documented import WEEKS, fill, plain_engine, run_python, run_sql, snippets, statements
from tests.faults import AFTER, BEFORE, Snapshot, exported_documents, sync

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from tests.builders import Database

DOCS = Path(__file__).parents[1] / "docs"
COOKBOOK, DATABASE = DOCS / "cookbook.md", DOCS / "database.md"
ROLES = "A role that may only read"
AGENT = "An agent"
RECIPES = [snippet for snippet in snippets(COOKBOOK, "sql", "python") if snippet.heading != AGENT]
FOR_POSTGRESQL, FOR_MARIADB, FOR_SQLITE = (each for each in snippets(DATABASE, "sql", "python") if each.heading == ROLES)
WITHOUT_A_RESULT = {"The catalog as it was", "Joins with your own tables", "A copy in another database"}
"""Headings with a statement whose result is not shown, because it is long or empty. Other tests check these."""


@pytest.fixture
def app(database: Database) -> Iterator[Engine]:
    """A connection of an app to the sample catalog, without the session settings of this program."""
    fill(database.engine)
    engine = plain_engine(database)
    yield engine
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS app_favourites")
    engine.dispose()


def the_one(heading: str, beginning: str) -> sa.TextClause:
    """Find the statement of a recipe by its beginning."""
    found = [each for snippet in RECIPES if snippet.heading == heading for each in statements(snippet)]
    (statement,) = (each for each in found if each.sql.startswith(beginning))
    return sa.text(statement.sql)


@pytest.mark.long_on_servers
def test_every_recipe_has_the_documented_result(database: Database, app: Engine) -> None:
    given, shown = {}, {}
    for recipe in RECIPES:
        output = run_sql(recipe, app) if recipe.language == "sql" else run_python(recipe, database.url)
        if recipe.shown is not None:
            given[recipe.where], shown[recipe.where] = output, recipe.shown
    assert given == shown
    assert all(shown.values()), "every recipe has a result"
    unseen = [recipe.heading for recipe in RECIPES if recipe.shown is None]
    assert sorted(unseen) == sorted(WITHOUT_A_RESULT)


@pytest.mark.long_on_servers
def test_the_template_of_a_past_time_is_the_one_served_then(database: Database, app: Engine) -> None:
    (recipe,) = (each for each in RECIPES if each.shown is None and each.heading == "The catalog as it was")
    (was,) = run_sql(recipe, app).splitlines()
    (served,) = (each for each in WEEKS[0][0] if each["TemplateId"] == "540184647")
    assert json.loads(was)["consume_items"] == [{"resolution": "480p", "credit": served["ConsumeItems"][0]["Credit"]}]


@pytest.mark.long_on_servers
@pytest.mark.parametrize("database", ["mariadb"], indirect=True)
def test_mariadb_compares_ids_with_other_collations_except_another_binary_one(database: Database, app: Engine) -> None:
    query = sa.text("SELECT t.title_en FROM app_favourites m LEFT JOIN picker t ON t.template_id = m.template_id")
    with app.connect() as connection:
        connection.execute(sa.text("CREATE TABLE app_favourites (template_id VARCHAR(255))"))
        connection.execute(sa.text("INSERT INTO app_favourites VALUES ('540184647')"))
        for collation in ("utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_nopad_bin", "utf8mb4_bin"):
            connection.execute(sa.text(f"ALTER TABLE app_favourites MODIFY template_id VARCHAR(255) COLLATE {collation}"))
            if collation == "utf8mb4_bin":
                with pytest.raises(exc.OperationalError, match="Illegal mix of collations"):
                    connection.execute(query)
            else:
                assert connection.scalar(query) == "Candy Princess Moment"


# A copy that an app maintains with SQL only -----------------------------------------------------------------------------


class Copy:
    """Maintains a copy with the two statements of the cookbook, and counts how often it was copied again."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.documents: dict[str, Any] = {}
        self.seq, self.cursor = 0, "none yet"
        self.begun = 0

    def begin(self) -> None:
        self.begun += 1
        with self.engine.connect() as connection:
            rows = connection.execute(the_one("A copy in another database", "SELECT s.last_seq")).all()
        self.documents = {row.template_id: plain(row.document) for row in rows if row.template_id is not None}
        self.seq, self.cursor = rows[0].last_seq, rows[0].cursor

    def catch_up(self) -> None:
        with self.engine.connect() as connection:
            mine = {"seq": self.seq, "cursor": self.cursor}
            rows = connection.execute(the_one("A copy in another database", "SELECT 1 AS good"), mine).all()
        here, *changes = rows
        if not here.good:
            self.begin()
            return
        for row in changes:
            if row.cursor is None:
                return
            if row.kind == "removed":
                del self.documents[row.template_id]
            else:
                self.documents[row.template_id] = plain(row.document)
            self.seq, self.cursor = row.seq, row.cursor


def plain(document: Any) -> Any:
    """Parse a document; remove the signature of its cover, which is not in the feed."""
    found = json.loads(document) if isinstance(document, str) else document
    return {**found, "cover_url": found["cover_url"].partition("?")[0]}


def present(database: Database) -> dict[str, Any]:
    """Read the present catalog with the API of the program."""
    return {str(each["template_id"]): plain(json.dumps(each, default=float)) for each in exported_documents(database.engine)}


@pytest.mark.long_on_servers
def test_a_copy_maintained_with_sql_is_correct_after_prunes_restores_and_recreation(database: Database) -> None:
    engine = plain_engine(database)
    copy = Copy(engine)

    def caught_up(begun: int) -> None:
        copy.catch_up()
        assert (copy.documents, copy.begun) == (present(database), begun)

    copy.begin()  # of an empty catalog
    caught_up(1)
    sync(BEFORE, database.engine)
    caught_up(2)  # the start of a feed is not a row, so the whole feed is read
    saved = Snapshot(database.engine)
    caught_up(2)  # no change
    sync(AFTER, database.engine)
    caught_up(2)
    prune(database.engine, before=None, keep_runs=1)
    caught_up(2)  # after a prune of all changes the cursor is not a row either, but the copy is current
    saved.restore()
    caught_up(3)  # behind the previous cursor
    sync(AFTER, database.engine)
    caught_up(3)
    saved.restore()
    sync(AFTER[:-1], database.engine)
    sync(AFTER[:-2], database.engine)
    caught_up(4)  # another history, ahead of the cursor
    give_epoch(database.engine, "ffffffffffff")  # as a recreated database with equal contents
    caught_up(5)
    engine.dispose()


# A read-only role -------------------------------------------------------------------------------------------------------


@contextmanager
def role(database: Database) -> Iterator[str]:
    """Create the documented role with a unique name; return its URL."""
    name, here = f"reader_{os.getpid()}", str(database.engine.url.database)
    recipe = {"postgresql": FOR_POSTGRESQL, "mariadb": FOR_MARIADB}[database.kind]
    engine = plain_engine(database)
    with engine.connect() as connection:
        try:
            for statement in statements(recipe):
                ours = statement.sql.replace("catalog_reader", name)
                ours = ours.replace("DATABASE templates", f"DATABASE {here}").replace("templates.*", f"{here}.*")
                connection.execute(sa.text(ours))
            yield database.engine.url.set(username=name, password="...").render_as_string(hide_password=False)
        finally:
            gone = {"postgresql": (f"DROP OWNED BY {name}", f"DROP ROLE {name}"), "mariadb": (f"DROP USER {name}@'%'",)}
            for statement_of_ours in gone[database.kind]:
                connection.execute(sa.text(statement_of_ours))
    engine.dispose()


@pytest.mark.long_on_servers
def test_the_read_only_role_reads_all_views_and_cannot_write(database: Database, app: Engine) -> None:
    if database.kind == "sqlite":
        file = str(database.engine.url.database)
        code = FOR_SQLITE.code.replace("file:templates.db", f"file:{file}")
        assert run_python(replace(FOR_SQLITE, code=code), "unused") == FOR_SQLITE.shown
        reads_and_cannot_write(f"sqlite:///file:{file}?mode=ro&uri=true", database)
        return
    with role(database) as url:
        reads_and_cannot_write(url, database)
        if database.kind == "postgresql":  # as on a standby
            database.execute(f"ALTER ROLE {sa.make_url(url).username} SET default_transaction_read_only = on")
            reads_and_cannot_write(url, database)


def reads_and_cannot_write(url: str, database: Database) -> None:
    whole = Catalog(database.engine)
    with Catalog(url) as owner, owner.snapshot() as catalog:
        assert (catalog.status().present, len(catalog.templates()), len(catalog.changes(since=280))) == (281, 281, 13)
        assert catalog.templates(search="dance", sort="price") == whole.templates(search="dance", sort="price") != ()
        assert catalog.as_of(1).templates(tag="trending") == whole.as_of(1).templates(tag="trending") != ()
        assert catalog.price_history("540184647") == whole.price_history("540184647")
        assert (catalog.changes(), catalog.diff(1, 2)) == (whole.changes(), whole.diff(1, 2))
        engine = owner._engine
        for view in VIEWS:
            with engine.connect() as connection:
                connection.execute(sa.select(sa.text("*")).select_from(sa.table(view))).close()
        for statement in ("DELETE FROM templates", "UPDATE sync_state SET last_seq = 0", "DROP VIEW picker"):
            with pytest.raises((exc.DBAPIError, DatabaseError)), engine.begin() as connection:
                connection.exec_driver_sql(statement)


# A live tail ------------------------------------------------------------------------------------------------------------


@pytest.mark.long  # it polls every two seconds; the recipe in Python is a quick test
def test_the_live_tail_shows_new_changes(database: Database, tmp_path: Path) -> None:
    (shell,) = (each for each in snippets(COOKBOOK, "console") if each.heading == "A live tail")
    sync(BEFORE, database.engine)
    command = shell.code.removeprefix("$ template-sync ").split()
    variables = environment(DATABASE_URL=database.url)
    tail = [sys.executable, "-u", "-m", "sync", *command, "--since", "4"]
    with subprocess.Popen(tail, cwd=tmp_path, env=variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        seen = [json.loads(process.stdout.readline())["seq"]]
        sync(AFTER, database.engine)
        seen += [json.loads(process.stdout.readline())["seq"] for _ in range(3)]
        process.kill()
    assert seen == [5, 6, 7, 8]


@pytest.mark.long  # starts a server
def test_the_agent_of_the_cookbook_has_the_documented_result(database: Database) -> None:
    fill(database.engine)
    (agent,) = (each for each in snippets(COOKBOOK, "python") if each.heading == AGENT)
    here = agent.code.replace("/srv/templates/.venv/bin/", f"{Path(sys.executable).parent}/")
    here = here.replace("sqlite:////srv/templates/templates.db", "sqlite:///templates.db")  # which run_python replaces
    assert run_python(replace(agent, code=here), database.url) == agent.shown

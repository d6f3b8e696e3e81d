"""Tools of apps open a synchronised database, with the results that docs/database.md describes.

The tools are large, so they are installed by hash into a separate environment, and only for the long tests.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sync.store.tables import VIEWS, metadata
from tests.faults import AFTER, BEFORE, at, sync
from tests.installed import python_with

if TYPE_CHECKING:
    from tests.builders import Database

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.long


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the tools; if they cannot be installed, the tests are skipped with the reason."""
    return python_with(ROOT / "tests" / "tools" / "requirements.txt", tmp_path_factory.mktemp("tools"))


@pytest.fixture
def filled(database: Database) -> Database:
    """A database after two runs: template 3 costs 400 and has one new tag, 5 is removed, the others cost 166.5 at least."""
    for source, minute in ((BEFORE, 0), (AFTER, 1)):
        assert sync(source, database.engine, clock=at(minute)).error is None
    return database


def opened(python: Path, tool: str, database: Database) -> dict[str, Any]:
    """Open the database with a tool in another process; return its output."""
    file = database.url.removeprefix("sqlite:///")
    plain = f"{database.kind}://{database.url.split('://', 1)[1].split('?')[0]}"
    script = ["tests.tools.django_app"] if tool == "django" else ["tests.tools.readers", tool]
    command = [str(python), "-m", *script, file if tool in {"datasette", "sqlite_utils"} else plain]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert result.returncode == 0, result.stderr
    read: dict[str, Any] = json.loads(result.stdout)
    return read


def test_inspectdb_of_django_maps_prices_to_decimals_and_its_models_read_the_views(python: Path, filled: Database) -> None:
    seen = opened(python, "django", filled)
    inspected = seen.pop("inspected")
    assert inspected.keys() >= VIEWS.keys() | metadata.tables.keys()
    exact = {"sqlite": "TextField"}.get(filled.kind, "DecimalField")  # on SQLite it has no type for DOUBLE and guesses one
    assert (inspected["current_prices"]["credit"], inspected["picker"]["lowest_credit"]) == (exact, exact)
    assert inspected["consume_items"]["pk"] == "CompositePrimaryKey"
    assert inspected["picker"]["prices"] == {"postgresql": "JSONField"}.get(filled.kind, "TextField")
    stored = ("picker", "current_templates")  # on SQLite the computed times of `sync_status` have no type
    assert {inspected[view][name] for view in stored for name in VIEWS[view] if name.endswith("_at")} == {"DateTimeField"}
    assert seen == {
        "cheap": ["1", "2", "4", "6"],
        "third": [
            "400.000000000000000",
            [{"resolution": "720p", "credit": 400}],
            [{"name": "新", "name_en": "New"}],
            "2026-05-22T03:37:31+00:00",
        ],
        "problems": [[], [], ["models.E042"]],
        "price": "166.5",
    }


def test_automap_maps_every_table_and_views_with_a_declared_key(python: Path, filled: Database) -> None:
    seen = opened(python, "automap", filled)
    assert seen.pop("mapped") == sorted({*metadata.tables, "sync_alembic_version", "picker", "current_prices"})
    number = {"sqlite": "float"}.get(filled.kind, "Decimal")
    assert seen == {
        "tags": ["🔥Seedance2.0 Model", "Trending"],
        "third": [400.0, number, {"postgresql": "list"}.get(filled.kind, "str")],
        "price": [166.5, number],
    }


def test_pandas_reads_prices_as_numbers_and_times_as_utc_with_declared_types(python: Path, filled: Database) -> None:
    seen = opened(python, "pandas", filled)
    texts = "str" if filled.kind != "postgresql" else "object"
    times = {"sqlite": "str", "postgresql": "datetime64[us, UTC]", "mariadb": "datetime64[us]"}[filled.kind]
    assert seen == {
        "as it comes": {"lowest_credit": "float64", "input_num": "int64", "prices": texts, "released_at": times},
        "declared": {"credit": "float64", "valid_from": "datetime64[us, UTC]", "valid_until": "datetime64[us, UTC]"},
        "iso": "datetime64[us, UTC]",
        "lowest": {"1": 166.5, "2": 166.5, "3": 400.0, "4": 166.5, "6": 166.5},
        "sum": 3530.2,
    }


on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@on_sqlite
def test_datasette_serves_views_and_tables_filters_by_price_and_counts_ratios(python: Path, filled: Database) -> None:
    seen = opened(python, "datasette", filled)
    assert (seen["keys"]["consume_items"], seen["keys"]["templates"]) == (["template_id", "resolution"], ["template_id"])
    assert seen["views"] == sorted(VIEWS)
    assert seen["cheap"] == [["1"], ["2"], ["4"], ["6"]]
    assert [(each["value"], each["count"]) for each in seen["ratios"]] == [("1:1", 5), ("9:16", 5)]
    assert seen["pages"] == [200, 200, 200]


@on_sqlite
def test_sqlite_utils_finds_keys_and_reads_views(python: Path, filled: Database) -> None:
    seen = opened(python, "sqlite_utils", filled)
    assert (seen["views"], seen["keys"]) == (sorted(VIEWS), [["template_id", "resolution"], ["template_id"]])
    assert tuple(seen["types"]) == VIEWS["picker"]
    assert (seen["cheap"], seen["new"]) == (["1", "2", "4", "6"], [{"template_id": "3"}])

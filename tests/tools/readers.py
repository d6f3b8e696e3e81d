"""Open a synchronised database with tools of apps; Django has a file of its own.

Run as `python -m tests.tools.readers TOOL DATABASE`; prints one JSON object. DATABASE is a URL, or a file of SQLite.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa

DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}


def engine_of(url: str) -> sa.Engine:
    """Open a database as an app does."""
    kind, _, rest = url.partition("://")
    return sa.create_engine(f"{DRIVERS[kind]}://{rest}")


def automap(url: str) -> dict[str, Any]:
    """Map the tables and views with SQLAlchemy's automap, which maps tables, and views with declared keys."""
    from sqlalchemy.ext.automap import automap_base
    from sqlalchemy.orm import Session

    engine, base = engine_of(url), automap_base()
    for view, keys in {"picker": ["template_id"], "current_prices": ["template_id", "resolution"]}.items():
        key = [sa.Column(name, sa.String(255), primary_key=True) for name in keys]
        sa.Table(view, base.metadata, *key, autoload_with=engine)
    base.prepare(autoload_with=engine)
    with Session(engine) as session:
        first = session.get_one(base.classes.templates, "1")
        third = session.get_one(base.classes.picker, "3")
        price = session.get_one(base.classes.current_prices, ("1", "480p"))
        return {
            "mapped": sorted(base.classes.keys()),
            "tags": [placed.tags.name_en for placed in first.template_tags_collection],
            "third": [float(third.lowest_credit), type(third.lowest_credit).__name__, type(third.prices).__name__],
            "price": [float(price.credit), type(price.credit).__name__],
        }


def pandas(url: str) -> dict[str, Any]:
    """Read the views into data frames; return the types of their columns and some values."""
    import pandas as pd

    engine = engine_of(url)
    picker = pd.read_sql("SELECT * FROM picker ORDER BY template_id", engine)
    times = {name: {"utc": True} for name in ("valid_from", "valid_until")}
    history = pd.read_sql("SELECT * FROM price_history", engine, parse_dates=times)
    return {
        "as it comes": {name: str(picker[name].dtype) for name in ("lowest_credit", "input_num", "prices", "released_at")},
        "declared": {name: str(history[name].dtype) for name in ("credit", "valid_from", "valid_until")},
        "iso": str(pd.to_datetime(picker["released_at_iso"]).dtype),
        "lowest": dict(zip(picker["template_id"], picker["lowest_credit"], strict=True)),
        "sum": float(history["credit"].sum()),
    }


def datasette(file: str) -> dict[str, Any]:
    """Serve the file with Datasette; request its most common pages as a browser does."""
    from datasette.app import Datasette

    patient = {"sql_time_limit_ms": 30_000, "facet_time_limit_ms": 30_000}  # the speed of the machine is not tested
    served, name = Datasette([file], settings=patient), Path(file).stem

    async def get(page: str) -> Any:
        answer = await served.client.get(f"/{name}{page}")
        return answer.status_code if page.endswith("_html") else answer.json()

    async def read() -> dict[str, Any]:
        await served.invoke_startup()
        database = await get(".json")
        return {
            "keys": {table["name"]: table["primary_keys"] for table in database["tables"]},
            "views": sorted(view["name"] for view in database["views"]),
            "cheap": (await get("/picker.json?lowest_credit__lt=400&_sort=template_id&_col=template_id"))["rows"],
            "ratios": (await get("/picker.json?_facet_array=aspect_ratios"))["facet_results"]["aspect_ratios"]["results"],
            "pages": [await get(f"/{page}?_html") for page in ("picker", "consume_items", "change_feed")],
        }

    return asyncio.run(read())


def sqlite_utils(file: str) -> dict[str, Any]:
    """Run the most common queries of a script with sqlite-utils."""
    from sqlite_utils import Database

    database = Database(file)
    picker = database["picker"]
    return {
        "views": sorted(database.view_names()),
        "keys": [database["consume_items"].pks, database["templates"].pks],
        "types": {column.name: column.type for column in picker.columns},
        "cheap": [row["template_id"] for row in picker.rows_where("lowest_credit < ?", [400], order_by="template_id")],
        "new": list(database.query("SELECT template_id FROM current_tags WHERE name_en = :name", {"name": "New"})),
    }


if __name__ == "__main__":
    json.dump(globals()[sys.argv[1]](sys.argv[2]), sys.stdout)

"""Map the tables and views with SQLAlchemy's automap, which maps tables, and views with declared keys.

Run as `python -m tests.tools.automap URL`; prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.automap import automap_base
from sqlalchemy.orm import Session

DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}


def main(url: str) -> dict[str, Any]:
    """Map the tables and views, and query them."""
    kind, _, rest = url.partition("://")
    engine = sa.create_engine(f"{DRIVERS[kind]}://{rest}")
    base = automap_base()
    for view, keys in {"picker": ["template_id"], "current_prices": ["template_id", "resolution"]}.items():
        key = [sa.Column(name, sa.String(255), primary_key=True) for name in keys]
        sa.Table(view, base.metadata, *key, autoload_with=engine)
    base.prepare(autoload_with=engine)
    with Session(engine) as session:
        first = session.get(base.classes.templates, "1")
        third = session.get(base.classes.picker, "3")
        price = session.get(base.classes.current_prices, ("1", "480p"))
        assert first is not None
        assert third is not None
        assert price is not None
        found = {
            "mapped": sorted(base.classes.keys()),
            "tags": [placed.tags.name_en for placed in first.template_tags_collection],
            "third": [float(third.lowest_credit), type(third.lowest_credit).__name__, type(third.prices).__name__],
            "price": [float(price.credit), type(price.credit).__name__],
        }
    engine.dispose()
    return found


if __name__ == "__main__":
    json.dump(main(sys.argv[1]), sys.stdout)

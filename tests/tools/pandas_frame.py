"""Read the views into data frames.

Run as `python -m tests.tools.pandas_frame URL`; prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pandas as pd
import sqlalchemy as sa

from tests.tools.automap import DRIVERS


def main(url: str) -> dict[str, Any]:
    """Read the views, and print the types of the columns."""
    kind, _, rest = url.partition("://")
    engine = sa.create_engine(f"{DRIVERS[kind]}://{rest}")
    picker = pd.read_sql("SELECT * FROM picker ORDER BY template_id", engine)
    times = {name: {"utc": True} for name in ("valid_from", "valid_until")}
    history = pd.read_sql("SELECT * FROM price_history", engine, parse_dates=times)
    parsed = pd.to_datetime(picker["released_at_iso"])
    engine.dispose()
    return {
        "as it comes": {name: str(picker[name].dtype) for name in ("lowest_credit", "input_num", "prices", "released_at")},
        "declared": {name: str(history[name].dtype) for name in ("credit", "valid_from", "valid_until")},
        "iso": str(parsed.dtype),
        "lowest": dict(zip(picker["template_id"], picker["lowest_credit"], strict=True)),
        "sum": float(history["credit"].sum()),
    }


if __name__ == "__main__":
    json.dump(main(sys.argv[1]), sys.stdout)

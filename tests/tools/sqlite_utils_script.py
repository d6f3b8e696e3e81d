"""Read the file with sqlite-utils.

Run as `python -m tests.tools.sqlite_utils_script FILE`; prints one JSON object.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from sqlite_utils import Database


def main(file: str) -> dict[str, Any]:
    """Run the most common queries of a script."""
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
    json.dump(main(sys.argv[1]), sys.stdout)

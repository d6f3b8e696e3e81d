"""Serve the file with Datasette, and request pages as a browser does.

Run as `python -m tests.tools.datasette_app FILE`; prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from datasette.app import Datasette


async def main(file: str) -> dict[str, Any]:
    """Request the most common pages."""
    patient = {"sql_time_limit_ms": 30_000, "facet_time_limit_ms": 30_000}  # the speed of the machine is not tested
    served, name = Datasette([file], settings=patient), Path(file).stem

    async def get(page: str) -> Any:
        answer = await served.client.get(f"/{name}{page}")
        return answer.status_code if page.endswith("_html") else answer.json()

    await served.invoke_startup()
    tables = {table["name"]: table["primary_keys"] for table in (await get(".json"))["tables"]}
    return {
        "keys": tables,
        "views": sorted(view["name"] for view in (await get(".json"))["views"]),
        "cheap": (await get("/picker.json?lowest_credit__lt=400&_sort=template_id&_col=template_id"))["rows"],
        "ratios": (await get("/picker.json?_facet_array=aspect_ratios"))["facet_results"]["aspect_ratios"]["results"],
        "pages": [await get(f"/{page}?_html") for page in ("picker", "consume_items", "change_feed")],
    }


if __name__ == "__main__":
    json.dump(asyncio.run(main(sys.argv[1])), sys.stdout)

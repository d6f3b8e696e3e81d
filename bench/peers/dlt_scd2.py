"""A peer: dlt with history (slowly changing dimensions, type 2): a row that is missing from the API is closed.

    python bench/peers/dlt_scd2.py BASE_URL DATABASE_URL FOLDER

FOLDER contains the state of the pipeline. Nested lists become tables. Pages are requested one after another by dlt's client,
which retries. There are no safety rules for the walk, and each merge compares the whole catalog in the database.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")

import dlt  # type: ignore[import-not-found]  # in another environment
from dlt.sources.helpers import requests  # type: ignore[import-not-found]

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "/api/v1/client/job/bytedance-templates"


def pages(base_url: str) -> Iterator[list[dict[str, Any]]]:
    """Return every page's records."""
    session = requests.Client().session
    page, served, total = 1, 0, 1
    while served < total:
        params = {"page": page, "page_size": 50}
        data = session.get(base_url + PATH, params=params, headers={"x-api-key": "k"}).json()["data"]
        yield data["templates"]
        page, served, total = page + 1, served + len(data["templates"]), data["total"]


def main(base_url: str, database_url: str, folder: str) -> None:
    """Synchronise once."""
    sqlite = database_url.startswith("sqlite")
    destination = dlt.destinations.sqlalchemy(database_url) if sqlite else dlt.destinations.postgres(database_url)
    pipeline = dlt.pipeline(
        "catalog", destination=destination, dataset_name="main" if sqlite else "catalog", pipelines_dir=f"{folder}/pipelines"
    )
    disposition = {"disposition": "merge", "strategy": "scd2"}
    pipeline.run(dlt.resource(pages(base_url), name="templates", write_disposition=disposition))
    print(pipeline.last_trace.last_normalize_info.row_counts)


if __name__ == "__main__":
    main(*sys.argv[1:4])

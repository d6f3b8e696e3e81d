"""A peer: a usual script with sqlite-utils; it writes only records whose hash differs.

    python bench/peers/sqlite_utils_script.py BASE_URL sqlite:///FILE

Pages are requested one after another, without retries and safety rules; the feed has kinds and ids, without old values; there
is no history.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx
import sqlite_utils

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "/api/v1/client/job/bytedance-templates"


def records(base_url: str) -> Iterator[dict[str, Any]]:
    """Return every record, page after page."""
    with httpx.Client(headers={"x-api-key": "k"}) as client:
        page, served, total = 1, 0, 1
        while served < total:
            data = client.get(base_url + PATH, params={"page": page, "page_size": 50}).json()["data"]
            yield from data["templates"]
            page, served, total = page + 1, served + len(data["templates"]), data["total"]


def digest(record: dict[str, Any]) -> str:
    """Hash a record without the order of its keys."""
    return hashlib.sha1(json.dumps(record, sort_keys=True, ensure_ascii=False).encode(), usedforsecurity=False).hexdigest()


def main(base_url: str, database_url: str) -> None:
    """Synchronise once."""
    db = sqlite_utils.Database(database_url.removeprefix("sqlite:///"))
    db.enable_wal()
    now = int(time.time())
    known: dict[str, tuple[str, int | None]] = {}
    if db["templates"].exists():
        known = {key: (hashed, gone) for key, hashed, gone in db.execute("select TemplateId, hash, removed_at from templates")}
    served: set[str] = set()
    differing: list[tuple[str, dict[str, Any]]] = []
    for record in records(base_url):
        hashed = digest(record)
        served.add(record["TemplateId"])
        if known.get(record["TemplateId"]) != (hashed, None):
            differing.append((hashed, record))
    gone = [key for key, (_, removed) in known.items() if removed is None and key not in served]
    feed = [
        {"at": now, "id": record["TemplateId"], "kind": "changed" if record["TemplateId"] in known else "added"}
        for _, record in differing
    ]
    feed += [{"at": now, "id": key, "kind": "removed"} for key in gone]
    with db.conn:
        if differing:
            store(db, differing, known=bool(known))
        if gone:
            db.conn.executemany("update templates set removed_at = ? where TemplateId = ?", [(now, key) for key in gone])
        if feed:
            db["changes"].insert_all(feed, batch_size=1000)
    print(f"{len(differing)} written, {len(gone)} removed")


def store(db: Any, differing: list[tuple[str, dict[str, Any]]], *, known: bool) -> None:
    """Write new and changed records."""
    parts = {"Tags", "Tags_en", "ConsumeItems"}
    rows = (
        {**{name: value for name, value in record.items() if name not in parts}, "hash": hashed, "removed_at": None}
        for hashed, record in differing
    )
    db["templates"].upsert_all(rows, pk="TemplateId", batch_size=1000)
    if known:
        for table in ("prices", "template_tags"):
            db.conn.executemany(f"delete from {table} where id = ?", [(record["TemplateId"],) for _, record in differing])  # noqa: S608 - our own words
    prices = ({"id": record["TemplateId"], **price} for _, record in differing for price in record["ConsumeItems"])
    db["prices"].insert_all(prices, pk=("id", "Resolution"), batch_size=1000)
    tags = {name: name_en for _, record in differing for name, name_en in zip(record["Tags"], record["Tags_en"], strict=True)}
    db["tags"].upsert_all(({"name": name, "name_en": name_en} for name, name_en in tags.items()), pk="name")
    placed = (
        {"id": record["TemplateId"], "place": place, "name": name}
        for _, record in differing
        for place, name in enumerate(record["Tags"])
    )
    db["template_tags"].insert_all(placed, pk=("id", "place"), batch_size=1000)


if __name__ == "__main__":
    main(*sys.argv[1:3])

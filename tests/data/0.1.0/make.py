"""Make one database of each engine with the code of 0.1.0, and dump it as SQL. README.md has the command."""  # noqa: INP001 - a script with its data

from __future__ import annotations

import importlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HERE = Path(__file__).parent
SERVERS = {"postgresql": "SYNC_TEST_POSTGRES_URL", "mariadb": "SYNC_TEST_MARIADB_URL"}
NAME = "template_sync_0_1_0"

sys.path.insert(0, str(Path.cwd()))  # the checkout of 0.1.0, whose modules have other names than today's
db: Any = importlib.import_module("sync.db.engine")
schema: Any = importlib.import_module("sync.db.schema")
process: Any = importlib.import_module("sync.db.process")
builders: Any = importlib.import_module("tests.builders")
hostile: Any = importlib.import_module("tests.hostile")


# Served catalogs --------------------------------------------------------------------------------------------------------


def record(template_id: str, **fields: Any) -> dict[str, Any]:
    """Make a small record; `fields` replace its own, and `...` drops one."""
    whole = {
        "TemplateId": template_id,
        "MediaId": f"m{template_id}",
        "Title": "战斗游戏",
        "Title_en": "Battle Game",
        "Cover": f"https://media.example/{template_id}.jpeg?x-signature=1",
        "Duration": 10123,
        "Tags": ["热门", "🔥新"],
        "Tags_en": ["Trending", "🔥New"],
        "InputNum": 1,
        "ReleaseOnlineTime": 1779421051,
        "ConsumeItems": [{"Resolution": "480p", "Credit": 166.5}, {"Resolution": "720p", "Credit": 355.2}],
        "SupportAspectRatio": "9:16,1:1",
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not ...}


ODD = record(
    "104",
    Title='O\'Brien; "50 %" \\ back — naïve Ünïcode 👩‍👩‍👧',
    Title_en="  spaces at both ends  ",
    Tags=["hot", "Hot", "hot ", "café", "cafe"],
    Tags_en=["hot", "Hot", "hot ", "café", "cafe"],
    ConsumeItems=[{"Resolution": "1080p", "Credit": 123456789.012345}, {"Resolution": "4k", "Credit": 0}],
    Cover=None,
    ReleaseOnlineTime=None,
    InputNum=...,
    Mood={"level": [1, 2.5, 1e22, -7], "on": True, "off": False, "none": None, "url": "https://media.example/x?sig=1"},
)
"""Values that databases may confuse or change."""
ONE, TWO, THREE, FIVE = record("101"), record("102"), record("103", Mood="calm"), record("105")
DEARER = record("101", ConsumeItems=[{"Resolution": "480p", "Credit": 170}, {"Resolution": "720p", "Credit": 355.2}])
RETITLED, RETAGGED = record("102", Title_en="Renamed"), record("103", Mood="calm", Tags=["热门"], Tags_en=["Trending"])
SIGNED = {**ODD, "PreviewVideo": "https://media.example/preview.mp4?x-signature=2"}
SIX, BAD, NINE = record("106", MediaId=...), record("107", Duration="long"), record("109", ConsumeItems=None, Tags_en=...)
LAST = [
    *({**each, "Level": {"min": 1}} for each in (record("101", Duration=9999), RETITLED, RETAGGED, SIGNED)),
    record("105", Title_en="Back again", Level={"min": 2}),
    {**SIX, "Level": None},
]


def history() -> Iterator[Callable[[], Any]]:
    """Yield the script of the server for each run."""
    for served in (
        [ONE, TWO, THREE, ODD, FIVE, NINE],  # all are new
        [ONE, TWO, THREE, ODD, FIVE, NINE],  # no change
        [DEARER, RETITLED, RETAGGED, SIGNED, FIVE, SIX, NINE],  # a price, a title and tags change, a URL is signed, one is added
        [DEARER, RETITLED, RETAGGED, SIGNED, SIX],  # two are removed
        [DEARER, RETITLED, record("103"), {**SIGNED, "Mood": ...}, SIX],  # unknown fields disappear; their values are kept
        [{**DEARER, "Title": 5}, RETITLED, RETAGGED, SIGNED, SIX, BAD, record("108", TemplateId=...)],  # bad records
        LAST,  # a removed template returns with another title; all get a new field
    ):
        yield hostile.catalog([{name: value for name, value in each.items() if value is not ...} for each in served])
    yield hostile.one_after_another(hostile.failure(455))  # deferred
    yield hostile.catalog([])  # all removals are held
    yield hostile.catalog([], total=9)  # a walk with a count mismatch


# Databases --------------------------------------------------------------------------------------------------------------


def fill(url: str) -> None:
    """Create the tables and make the runs with 0.1.0, with a fixed host name and clock."""
    process.name, process.mark = lambda: "somewhere (pid 1)", lambda: None
    engine = db.open_engine(url)
    schema.upgrade(engine)
    for day, script in enumerate(history()):
        begin, seconds = datetime(2026, 11, 1, 12, 0, 0, 123456, tzinfo=UTC) + timedelta(days=day), count()
        with hostile.Hostile(script) as server:
            builders.run_against(server.url, engine, clock=lambda: begin + timedelta(seconds=next(seconds)), lanes=1)  # noqa: B023 - it ends before the next one begins
    engine.dispose()


def on_server(url: str, *statements: str) -> None:
    """Run statements outside a transaction."""
    engine = db.open_engine(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def of_sqlite() -> str:
    """Make the SQLite database and write it down."""
    with tempfile.TemporaryDirectory() as folder:
        fill(f"sqlite:///{folder}/templates.db")
        with closing(sqlite3.connect(f"{folder}/templates.db")) as connection:
            return "\n".join(connection.iterdump())


def of_server(kind: str) -> str:
    """Make a server's database, let its own client write it down, and leave out whose it was."""
    server = os.environ[SERVERS[kind]]
    url = db.open_engine(server).url.set(database=NAME)
    on_server(server, f"DROP DATABASE IF EXISTS {NAME}", f"CREATE DATABASE {NAME}")
    try:
        fill(url.render_as_string(hide_password=False))
        where = {"-h": url.host, "-U" if kind == "postgresql" else "-u": url.username}
        reached = [f"{flag}{value}" for flag, value in where.items() if value]
        return {"postgresql": _pg_dump, "mariadb": _mariadb_dump}[kind](reached, url.port)
    finally:
        on_server(server, f"DROP DATABASE IF EXISTS {NAME}")


def _pg_dump(reached: Sequence[str], port: int | None) -> str:
    written = _output("pg_dump", *reached, f"-p{port or 5432}", "--inserts", "--no-owner", "--no-privileges", NAME)
    return re.sub(r"^(--|\\).*\n", "", written, flags=re.MULTILINE)  # commands of psql, and the name of the server


def _mariadb_dump(reached: Sequence[str], port: int | None) -> str:
    written = _output(
        "mariadb-dump", *reached, f"-P{port or 3306}", "--protocol=tcp", "--default-character-set=utf8mb4", "--compact",
        "--skip-extended-insert", NAME,
    )  # fmt: skip
    settings = r"^(/\*M?!\d+\\?-? )?(SET|enable the sandbox mode) .*\n"  # comments of the client
    plain = re.sub(r"DEFINER=\S+ ", "", re.sub(settings, "", written, flags=re.MULTILINE))
    return f"SET FOREIGN_KEY_CHECKS = 0;\n{plain}"


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout


if __name__ == "__main__":
    for kind in ("sqlite", *SERVERS):
        dumped = of_sqlite() if kind == "sqlite" else of_server(kind)
        (HERE / f"{kind}.sql").write_text(re.sub(r"\n{2,}", "\n\n", dumped).strip() + "\n", encoding="utf-8")
    (HERE / "served.json").write_text(json.dumps(LAST, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

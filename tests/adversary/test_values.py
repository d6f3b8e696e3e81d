"""Every value of the tables, on every engine, stored by one run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from sync.commands.export import as_json_lines
from sync.sandbox.server import SANDBOX_KEY
from tests.adversary.attack import with_form_hash
from tests.adversary.values import BAD, COLUMNS, GOOD, PAGE, Value, key_of, serving
from tests.builders import DOCUMENT, run_against
from tests.conftest import KINDS, fresh
from tests.faults import anomalies, exported_documents
from tests.hostile import Hostile

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUES = [*GOOD, *BAD]
PLACES = {value.name: place for place, value in enumerate(VALUES)}
PLAIN = {name: json.dumps(value, ensure_ascii=False) for name, value in DOCUMENT.items()} | {
    "media_id": "null", "consume_items": "[]", "tags": '[{"name": "x", "name_en": "x"}]', "aspect_ratios": "[]",
}  # fmt: skip
"""A line of `export` without the value of the table: JSON as text."""


@dataclass(frozen=True)
class Stored:
    """The lines of `export` and the rejected records after the run, both by id."""

    code: int
    lines: dict[str, bytes]
    rejected: dict[str, dict[str, Any]]
    everything: str
    again: str


@pytest.fixture(scope="module", params=KINDS)
def stored(
    request: pytest.FixtureRequest, migrated: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stored]:
    """Each engine in turn, after two runs against all values."""
    for database in fresh(request.param, migrated, tmp_path_factory.mktemp("values")):
        with Hostile(serving(VALUES)) as server:
            outcome, second = (run_against(server.url, database.engine) for _ in range(2))
        assert anomalies(database) == []
        written = "".join(as_json_lines(exported_documents(database.engine))).encode().splitlines(keepends=True)
        first = [row for row in database.rows("rejected_templates") if row["run_id"] == 1]
        rejected = {f"v{(row['page'] - 1) * PAGE + row['position']:03}": row for row in first}
        again = f"+{second.run.added} ~{second.run.changed} -{second.run.removed}"
        code = outcome.error.exit_code if outcome.error else 0
        yield Stored(code, {json.loads(line)["template_id"]: line for line in written}, rejected, str(database.dump()), again)


def line_of(value: Value) -> bytes:
    column = COLUMNS.get(value.field, "extra")
    parts = {**PLAIN, "template_id": json.dumps(key_of(value, PLACES[value.name]), ensure_ascii=False), column: value.stored}
    if value.stored.startswith('{"ConsumeItems.'):
        parts |= {"extra": value.stored, "consume_items": '[{"resolution": "1p", "credit": 1}]'}
    return with_form_hash("{" + ", ".join(f'"{name}": {written}' for name, written in parts.items()) + "}").encode()


def test_every_valid_value_is_stored_and_exported_exactly(stored: Stored) -> None:
    expected = {key_of(value, PLACES[value.name]): line_of(value) for value in GOOD}
    different = {key: (stored.lines.get(key), line) for key, line in expected.items() if stored.lines.get(key) != line}
    assert different == {}
    assert (stored.code, len(stored.lines)) == (76, len(GOOD))  # more than a tenth of the records are rejected


def test_an_invalid_value_rejects_its_record_alone(stored: Stored) -> None:
    found = {place: row["reason"] for place, row in stored.rejected.items()}
    assert found == {f"v{PLACES[value.name]:03}": value.reason for value in BAD}
    assert all(row["payload"].isascii() and len(row["payload"]) < 4100 for row in stored.rejected.values())


def test_a_second_run_changes_nothing(stored: Stored) -> None:
    assert stored.again == "+0 ~0 -0"


def test_no_table_contains_the_key(stored: Stored) -> None:
    assert SANDBOX_KEY not in stored.everything

"""What a document has where it is printed, and not where it is stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sync.forms.form import Form
from sync.reader import feed
from tests.builders import record, run_with
from tests.catalog.runs import document_of
from tests.command_line import template_sync

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders import Database

PRICES = [{"Resolution": "720p", "Credit": 355.2}, {"Resolution": "480p", "Credit": 100}]


def test_the_form_hash_is_printed_and_not_stored(database: Database) -> None:
    before, after = record("1"), record("1", ConsumeItems=PRICES)
    run_with([before, record("2")], database.engine)
    run_with([after], database.engine)
    changes = feed.changes(database.engine)
    assert [(each["kind"], each["template_id"]) for each in changes] == [
        ("added", "1"), ("added", "2"), ("changed", "1"), ("removed", "2"),
    ]  # fmt: skip
    shown = [(each["document"] or each["before"])["form_hash"] for each in changes]
    expected = [Form(document_of(each)).hash for each in (before, record("2"), after, record("2"))]
    assert shown == expected
    assert all("form_hash" not in row["document"] for row in database.rows("template_versions"))


def test_a_document_has_the_same_hash_in_every_command(sqlite: Database, tmp_path: Path) -> None:
    run_with([record("1")], sqlite.engine)
    run_with([record("1", ConsumeItems=PRICES)], sqlite.engine)

    def printed(*arguments: str) -> Any:
        return json.loads(template_sync(*arguments, folder=tmp_path, variables={"DATABASE_URL": sqlite.url}).out)

    hashed = Form(document_of(record("1", ConsumeItems=PRICES))).hash
    assert printed("show", "1", "--json")["form_hash"] == hashed
    assert printed("export")["form_hash"] == hashed
    for command in (["list", "--json"], ["export", "--json"]):
        assert [each["form_hash"] for each in printed(*command)] == [hashed]
    for command in (["changes", "--since", "1", "--json"], ["diff", "1", "2", "--json"]):
        assert [each["document"]["form_hash"] for each in printed(*command)] == [hashed]

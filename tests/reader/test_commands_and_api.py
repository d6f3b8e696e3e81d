"""A command prints what the method of the reading API returns."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sync import Catalog, Template
from sync.forms.form import Form
from sync.reader import feed
from tests.builders import record
from tests.catalog.runs import document_of
from tests.command_line import template_sync
from tests.faults import AFTER, BEFORE, at, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.builders import Database

pytestmark = pytest.mark.long_on_servers


def documents(found: Iterable[Template]) -> list[dict[str, Any]]:
    """Return what `list` prints: without the times that `show` adds."""
    times = {"first_seen_at", "changed_at", "removed_at"}
    return [{name: value for name, value in each.as_json().items() if name not in times} for each in found]


def nested(catalog: list[dict[str, Any]], number: float) -> list[dict[str, Any]]:
    return [*catalog, record("9", New={"deep": [1, {"er": number}]})]


def filled(database: Database, folder: Path, *catalogs: Any) -> tuple[Callable[..., Any], Catalog]:
    for number, source in enumerate(catalogs or (nested(BEFORE, 2.5), nested(AFTER, 3.5))):
        assert sync(source, database.engine, clock=at(number)).error is None

    def run(*arguments: str) -> Any:
        done = template_sync(*arguments, "--json", folder=folder, variables={"DATABASE_URL": database.url})
        assert done.code == 0, done.err
        return json.loads(done.out)

    return run, Catalog(database.engine)


LISTED: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    ("--tag trending", {"tag": "Trending"}),
    ("--type omni_reference", {"type": "OMNI_REFERENCE"}),
    ("--tag trending --tag 🔥Seedance2.0模型", {"tag": ["Trending", "🔥Seedance2.0模型"]}),
    ("--requirement single_person --images 1", {"requirement": "SINGLE_PERSON", "images": 1}),
    ("--input single_person", {"requirement": "SINGLE_PERSON"}),
    ("--search bättle~trending", {"search": "bättle trending"}),
    ("--resolution 480p --max-price 200", {"resolution": "480p", "max_price": 200}),
    ("--min-price 166.5 --ratio 9:16", {"min_price": Decimal("166.5"), "ratio": "9:16"}),
    ("--sort price -n 2", {"sort": "price", "limit": 2}),
    ("--sort newest --text battle", {"sort": "newest", "search": "battle"}),
    ("--tag none", {"tag": "none"}),
]


@pytest.mark.parametrize("moment", [None, 1, 2], ids=["now", "after run 1", "after run 2"])
def test_list_and_show_print_what_the_methods_return(moment: int | None, database: Database, tmp_path: Path) -> None:
    run, catalog = filled(database, tmp_path)
    then = catalog if moment is None else catalog.as_of(moment)
    as_of = [] if moment is None else ["--as-of", str(moment)]
    printed = [run("list", *(flag.replace("~", " ") for flag in flags.split()), *as_of) for flags, _ in LISTED]
    assert printed == [documents(then.templates(**selection)) for _, selection in LISTED]
    assert len({json.dumps(each) for each in printed}) >= 3, "the filters select different templates"
    for template_id in ("3", "5", "9"):
        assert run("show", template_id, *as_of) == then.template(template_id).as_json()


def test_changes_and_diff_print_what_the_methods_return(database: Database, tmp_path: Path) -> None:
    run, catalog = filled(database, tmp_path)
    whole, cursor = catalog.changes(), catalog.changes()[2].cursor
    assert run("changes", "--since", "0") == [each.as_json() for each in whole]
    assert {each.kind for each in whole} == {"added", "changed", "removed"}
    assert run("changes", "--since", cursor, "-n", "3") == [each.as_json() for each in whole[3:6]]
    assert catalog.changes(since=cursor, limit=3) == whole[3:6]
    between = run("diff", "1", "2")
    net = [each.as_json() for each in catalog.diff(1, 2)]
    assert between == [{name: each[name] for name in printed} for each, printed in zip(net, between, strict=True)] != []


def test_form_history_and_status_print_what_the_methods_return(database: Database, tmp_path: Path) -> None:
    run, catalog = filled(database, tmp_path)
    form = catalog.form("3")
    assert (run("form", "3"), run("form", "3", "--example")) == (form.schema, form.example())
    assert run("show", "3")["form_hash"] == form.hash
    prices = [move for change in run("history", "3") for move in change["prices"]]
    moves = [move for change in catalog.changes() if change.template_id == "3" for move in change.prices]
    assert [(each["resolution"], str(each["new"])) for each in prices] == [(each.resolution, str(each.new)) for each in moves]
    shown, status = run("status"), catalog.status()
    names = ("present", "held", "unconfirmed", "feed_epoch", "oldest_seq", "last_seq", "cursor")
    assert [shown[name] for name in names] == [getattr(status, name) for name in names]


# The form hash ----------------------------------------------------------------------------------------------------------


CHANGED = record("1", ConsumeItems=[{"Resolution": "720p", "Credit": 355.2}, {"Resolution": "480p", "Credit": 100}])


def form_hash(served: dict[str, Any]) -> str:
    return Form(document_of(served)).hash


def test_the_form_hash_is_printed_and_not_stored(database: Database) -> None:
    sync([record("1"), record("2")], database.engine)
    sync([CHANGED], database.engine)
    found = feed.changes(database.engine)
    expected = [("added", record("1")), ("added", record("2")), ("changed", CHANGED), ("removed", record("2"))]
    assert [(each["kind"], (each["document"] or each["before"])["form_hash"]) for each in found] == [
        (kind, form_hash(served)) for kind, served in expected
    ]
    assert [each["template_id"] for each in found] == ["1", "2", "1", "2"]
    assert all("form_hash" not in row["document"] for row in database.rows("template_versions"))


def test_a_document_has_the_same_hash_in_every_command(sqlite: Database, tmp_path: Path) -> None:
    run, _ = filled(sqlite, tmp_path, [record("1")], [CHANGED])
    printed = [run("show", "1"), *run("list"), *run("export")]
    printed += [each["document"] for each in (*run("changes", "--since", "1"), *run("diff", "1", "2"))]
    line = template_sync("export", folder=tmp_path, variables={"DATABASE_URL": sqlite.url}).out
    assert [each["form_hash"] for each in (*printed, json.loads(line))] == [form_hash(CHANGED)] * 6

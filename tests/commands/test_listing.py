"""`tags`, `types`, and `-n` on every listing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sync.store.engine import open_engine
from sync.store.schema import upgrade
from tests.builders import record, records, run_with
from tests.command_line import command, template_sync

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders import Database

VIDEO, STILL = {"TemplateType": "VIDEO"}, {"TemplateType": "\x1b[31mSTILL", "Tags": ["\x1b[2J"], "Tags_en": ["Odd"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three runs: 1 to 4 are added, 1 is renamed and 5 added, 2 and 3 are held."""
    folder = tmp_path_factory.mktemp("listing")
    engine = open_engine(f"sqlite:///{folder / 'templates.db'}")
    upgrade(engine)
    first = [record("1", **VIDEO), record("2", **VIDEO), record("3", **STILL), record("4", TemplateType=5), *records(30)[4:]]
    run_with(first, engine)
    run_with([record("1", Title_en="Renamed", **VIDEO), *first[1:], record("99", **VIDEO)], engine)
    run_with([record("1", Title_en="Renamed", **VIDEO)], engine, max_removed=0)
    engine.dispose()
    return folder


def shown(folder: Path, *arguments: str) -> Any:
    result = command(folder, [*arguments, "--json"])
    assert (result.code, result.err) == (0, "")
    return json.loads(result.out)


def followed(folder: Path, *arguments: str) -> list[Any]:
    done = template_sync("changes", "--follow", "--since", "0", "--json", *arguments, folder=folder)
    assert done.code == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


def test_tags_and_types_show_how_many_templates_have_each(folder: Path) -> None:
    assert shown(folder, "types")[0] == {"type": "BEGIN_END_FRAME", "templates": 26}
    assert shown(folder, "types", "-n", "9")[1:] == [{"type": "VIDEO", "templates": 3}, {"type": "\x1b[31mSTILL", "templates": 1}]
    assert shown(folder, "tags")[-1] == {"name": "\x1b[2J", "name_en": "Odd", "templates": 1}
    types = command(folder, ["types"])
    assert types.out.splitlines() == [
        "TYPE             TEMPLATES", "BEGIN_END_FRAME  26", "VIDEO            3", r"\x1b[31mSTILL    1",
    ]  # fmt: skip
    assert types.err == "3 types\n"
    assert r"\x1b[2J" in command(folder, ["tags"]).out


def test_an_empty_listing_has_no_heading(sqlite: Database, tmp_path: Path) -> None:
    messages = {"tags": "0 tags; ", "types": "0 types", "list": "0 templates", "runs": "no runs yet; ", "changes": "no changes"}
    for word, beginning in messages.items():
        result = command(tmp_path, [word], DATABASE_URL=sqlite.url)
        assert (result.code, result.out, result.err.startswith(beginning)) == (0, "", True)
        assert json.loads(command(tmp_path, [word, "--json"], DATABASE_URL=sqlite.url).out) == []


@pytest.mark.parametrize("arguments", [
    "runs", "runs --rejected 1", "changes", "list", "tags", "types", "history 1", "diff 1", "changes --since 0",
    "changes --run 1", "changes --pending",
])  # fmt: skip
@pytest.mark.parametrize("limit", [0, 1])
def test_a_limit_shortens_every_listing(folder: Path, arguments: str, limit: int) -> None:
    assert len(shown(folder, *arguments.split(), "-n", str(limit))) == limit
    text = command(folder, [*arguments.split(), f"--limit={limit}"])
    assert (text.code, "Traceback" in text.err) == (0, False)
    assert (text.out == "") == (limit == 0)


def test_a_limit_keeps_the_newest_or_the_first_rows(folder: Path) -> None:
    seqs = {
        arguments: [change["seq"] for change in shown(folder, *arguments.split(), "-n", "2")]
        for arguments in ("changes", "changes --since 0", "changes --since 28", "changes --run 1", "history 1")
    }
    newest = shown(folder, "changes")[-1]["seq"]
    assert seqs["changes"] == [newest - 1, newest]
    assert seqs["changes --since 0"] == [1, 2]
    assert seqs["changes --since 28"] == [29, 30]
    assert seqs["changes --run 1"] == [1, 2]
    assert [run["run_id"] for run in shown(folder, "runs", "-n", "2")] == [3, 2]
    assert shown(folder, "runs", "--most", "2") == shown(folder, "runs", "-n", "2"), "the name of the option in 0.1.0"


def test_a_limited_feed_is_reported_with_the_command_that_continues(folder: Path) -> None:
    newest = command(folder, ["changes", "-n", "1"])
    assert newest.err == "only the newest 1 are shown; `template-sync changes --since 0` shows all\n"
    cut = command(folder, ["changes", "--since", "0", "-n", "3"]).err
    assert cut.startswith("only the first 3 are shown; `template-sync changes --since ")
    arguments = cut.partition("`template-sync ")[2].partition("`")[0].split()
    assert shown(folder, *arguments)[0]["seq"] == 4
    assert command(folder, ["changes", "--since", "0"]).err == ""
    assert "only the first 1 of " in command(folder, ["diff", "1", "-n", "1"]).err


def test_an_unknown_tag_is_reported_for_the_feed(folder: Path) -> None:
    result = command(folder, ["changes", "--tag", "trendin", "--json"])
    assert (result.code, result.out) == (0, "[]\n")
    assert result.err == "No template has the tag 'trendin'; did you mean 'Trending'?\n"
    assert command(folder, ["changes", "--tag", "trending", "-n", "1", "--json"]).err == ""


def test_following_ends_at_the_limit(folder: Path) -> None:
    assert [change["seq"] for change in followed(folder, "-n", "2")] == [1, 2]


@pytest.mark.parametrize(("flags", "matches"), [
    ("--kind changed", lambda change: change["kind"] == "changed"),
    ("--tag odd", lambda change: change["template_id"] == "3"),
    ("--kind added --kind changed --field title_en", lambda change: "title_en" in [each["field"] for each in change["fields"]]),
])  # fmt: skip
def test_filters_select_the_same_changes_with_every_option(folder: Path, flags: str, matches: Any) -> None:
    whole = shown(folder, "changes", "--since", "0")
    expected = [change for change in whole if matches(change)]
    assert 0 < len(expected) < len(whole)
    arguments = flags.split()
    assert shown(folder, "changes", "--since", "0", *arguments) == expected
    assert shown(folder, "changes", *arguments) == expected
    assert shown(folder, "changes", "--run", "2", *arguments) == [change for change in expected if change["run_id"] == 2]
    assert shown(folder, "changes", "--since", "0", "-n", "1", *arguments) == expected[:1]
    assert followed(folder, "-n", str(len(expected)), *arguments) == expected


@pytest.mark.parametrize("arguments", [(), ("--follow",)])
def test_a_lost_cursor_exits_with_65_and_prints_its_reason_as_json(folder: Path, arguments: tuple[str, ...]) -> None:
    lost = template_sync("changes", "--since", "99999", "--json", *arguments, folder=folder)
    printed = json.loads(lost.out)
    assert (lost.code, printed["error"], printed["reason"]) == (65, "cursor-lost", "ahead")
    assert printed["message"] in lost.err
    assert shown(folder, "changes", "--since", printed["cursor"]) == []
    plain = template_sync("changes", "--since", "99999", *arguments, folder=folder)
    assert (plain.code, plain.out) == (65, "")
    assert template_sync("changes", "--since", "x", "--json", *arguments, folder=folder).code == 2

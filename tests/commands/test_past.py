"""`--as-of`, and `list` with its orders: what the commands print of now and then."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sync.sandbox.server import Sandbox
from tests.builders import record
from tests.command_line import of_sandbox, template_sync

if TYPE_CHECKING:
    from pathlib import Path


def priced(template_id: str, credit: float, **more: Any) -> dict[str, Any]:
    return record(template_id, Title_en=f"Number {template_id}", ConsumeItems=[{"Resolution": "720p", "Credit": credit}], **more)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which three catalogs were synchronised, one after the other."""
    folder = tmp_path_factory.mktemp("past")
    with Sandbox([priced("1", 5), priced("2", 3, InputNum=2)]) as server:
        for served in ([priced("1", 5), priced("2", 3, InputNum=2)], [priced("1", 7), priced("3", 4)], [priced("1", 7)]):
            server.replace(served)
            assert template_sync("run", folder=folder, variables=of_sandbox(server)).code == 0
    return folder


def shown(folder: Path, *arguments: str) -> Any:
    result = template_sync(*arguments, "--json", folder=folder)
    assert (result.code, result.err) == (0, "")
    return json.loads(result.out)


def ends(folder: Path) -> list[str]:
    """Give the instants at which the runs ended, oldest first."""
    return [str(run["finished_at"]) for run in reversed(shown(folder, "runs"))]


def ids(folder: Path, *arguments: str) -> list[str]:
    return [each["template_id"] for each in shown(folder, "list", *arguments)]


def test_the_commands_show_the_catalog_as_it_was_after_a_run_and_at_an_instant(filled: Path) -> None:
    assert [ids(filled, "--as-of", run) for run in "123"] == [["1", "2"], ["1", "3"], ["1"]]
    first, second, third = ends(filled)
    assert ids(filled, "--as-of", first) == ["1", "2"]
    assert ids(filled, "--as-of", second, "--max-price", "4") == ["3"]
    assert ids(filled, "--as-of", third) == ids(filled) == ["1"]
    exported = [template_sync("export", *as_of, folder=filled).out for as_of in ((), ("--as-of", "3"), ("--as-of", "1"))]
    assert exported[0] == exported[1] != exported[2]
    then = shown(filled, "show", "2", "--as-of", "1")
    assert (then["title_en"], then["removed_at"]) == ("Number 2", None)
    assert shown(filled, "show", "2", "--as-of", "2")["removed_at"] == shown(filled, "show", "2")["removed_at"] == second
    assert shown(filled, "show", "1", "--as-of", "1")["consume_items"] == [{"resolution": "720p", "credit": 5}]


def test_diff_takes_runs_instants_and_the_present(filled: Path) -> None:
    first, second, _ = ends(filled)
    whole = shown(filled, "diff", "1", "3")
    assert [(each["kind"], each["template_id"]) for each in whole] == [("changed", "1"), ("removed", "2")]
    assert shown(filled, "diff", first, "3") == shown(filled, "diff", "1") == whole
    assert shown(filled, "diff", "1", "--as-of", second) == shown(filled, "diff", "1", "2")
    same = template_sync("diff", second, "2", folder=filled)
    assert (same.code, same.out, same.err) == (0, "", "no changes between run 2 and run 2\n")


@pytest.mark.long
@pytest.mark.parametrize(("arguments", "says"), [
    (["export", "--as-of", "2001-01-01"], "There is no catalog of 2001-01-01T00:00:00Z: the first run ended at "),
    (["show", "1", "--as-of", "2026-11-17T10:00"], "has no time zone; write 2026-11-17T10:00Z, or a date alone"),
    (["diff", "1", "yesterday"], "'yesterday' is neither a run nor a date such as 2026-11-17"),
    (["diff", "1", "2", "--as-of", "3"], "a second run or instant, or --as-of, not both"),
])  # fmt: skip
def test_a_moment_of_which_there_is_none_is_one_clear_line(filled: Path, arguments: list[str], says: str) -> None:
    result = template_sync(*arguments, folder=filled)
    assert (result.code, result.out) == (2, "")
    assert says in result.err
    assert "Traceback" not in result.err


def test_a_date_means_its_first_moment_in_utc(filled: Path) -> None:
    today = ends(filled)[0][:10]
    result = template_sync("list", "--as-of", today, folder=filled)
    assert f"There is no catalog of {today}T00:00:00Z" in result.err, "the first run was later on that day"


def test_list_is_filtered_sorted_and_cut(filled: Path) -> None:
    assert ids(filled, "--as-of", "1", "--images", "2") == ["2"]
    assert ids(filled, "--as-of", "1", "--sort", "price") == ["2", "1"]
    assert ids(filled, "--as-of", "1", "--sort", "price", "-n", "1") == ["2"]
    assert ids(filled, "--as-of", "1", "--min-price", "4") == ["1"]
    assert ids(filled, "--min-price", "7", "--max-price", "7", "--ratio", "9:16", "--text", "NUMBER") == ["1"]
    assert template_sync("list", "-n", "0", folder=filled).err == "0 templates\n"


def test_a_word_that_no_template_has_is_named_with_the_one_that_was_perhaps_meant(filled: Path) -> None:
    asked = ["list", "--tag", "trendy", "--requirement", "SINGLE_PERSN", "--resolution", "480p", "--type", "x"]
    says = [
        "No template has the tag 'trendy'; did you mean 'Trending'?",
        "No template has the type 'x'. `template-sync types` shows all.",
        "No template has the requirement 'SINGLE_PERSN'; did you mean 'SINGLE_PERSON'?",
        "No template has the resolution '480p'.",
    ]
    result = template_sync(*asked, folder=filled)
    assert (result.code, result.out, result.err.splitlines()) == (0, "", ["0 templates", *says])
    for_a_script = template_sync(*asked, "--json", folder=filled)
    assert (for_a_script.code, for_a_script.out, for_a_script.err.splitlines()) == (0, "[]\n", says)


def test_a_run_that_was_pruned_is_refused_and_the_oldest_that_is_kept_named(tmp_path: Path) -> None:
    with Sandbox([priced("1", 5)]) as server:
        for credit in (5, 6):
            server.replace([priced("1", credit)])
            assert template_sync("run", folder=tmp_path, variables=of_sandbox(server)).code == 0
    first, second = ends(tmp_path)
    assert template_sync("prune", "--keep-runs", "1", folder=tmp_path).code == 0
    for command in (["list"], ["show", "1"], ["diff", "2"]):
        for then in ("1", first):
            result = template_sync(*command, "--as-of", then, folder=tmp_path)
            assert (result.code, result.out) == (2, "")
            assert "The history before the end of run 2 was pruned." in result.err
            assert f"The oldest available run is 2, which ended at {second}." in result.err
    assert ids(tmp_path, "--as-of", "2") == ["1"]

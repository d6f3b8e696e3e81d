"""What a template's page says of it, and that what it offers to copy does what it says."""

from __future__ import annotations

import json
import re
import shlex
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from sync.reader.catalog_dump import read_catalog_dump
from sync.site.cards import page_name
from sync.site.plots import price_plot
from sync.store.prune import prune
from tests.builders import record, run_with, ticking
from tests.command_line import template_sync
from tests.site.sites import FIRST, THEN, WEEKS, Site, weeks

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders import Database

PRICES = {name: [{"Resolution": resolution, "Credit": credit} for resolution, credit in pairs] for name, pairs in {
    "one": [("480p", 10)], "two": [("480p", 10), ("720p", 30)], "dearer": [("480p", 12)],
}.items()}  # fmt: skip


def words(page: str) -> str:
    """Give a page's text, without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", page)))


def copied(page: str, name: str) -> str:
    """Give what a button copies."""
    found = re.search(rf'<pre id="{name}" tabindex="0"><code>(.*?)</code></pre>', page, re.DOTALL)
    assert found is not None
    return unescape(found[1])


def test_every_field_stands_on_the_page(sqlite: Database, tmp_path: Path) -> None:
    rich = record(
        "77", Title="雪夜", Title_en="Snowy Night", Tags=["冬"], Tags_en=["Winter"], MediaId="media-1", ServiceId="service-2",
        Cover="https://media.example/77.jpeg?sig=1", PreviewVideo="https://media.example/77.mp4", CoverAspectRatio="4:3",
        SupportAspectRatio="1:1,21:9", Duration=7300, TemplateType="BEGIN_FRAME", InputRequirement="SINGLE_PET", InputNum=2,
        ConsumeItems=[{"Resolution": "480p", "Credit": 12.5}, {"Resolution": "1080p", "Credit": 800}],
        ReleaseOnlineTime=1779421053, Mood={"calm": True},
    )  # fmt: skip
    run_with([rich], sqlite.engine, clock=ticking(WEEKS[0]))
    site = Site(tmp_path / "site", sqlite.engine)
    site.build()

    told = words(site.text("templates/77.html"))
    document = next(iter(read_catalog_dump(sqlite.engine).stored)).document
    for name, value in document.items():
        assert value not in (None, [], {}), f"{name} is not tried"
    for value in (
        "77", "雪夜", "Snowy Night", "冬", "Winter", "media-1", "service-2", "https://media.example/77.jpeg?sig=1",
        "https://media.example/77.mp4", "4:3", "1:1, 21:9", "7.3 s", "First frame", "One pet", "2 image URLs, in order: one pet",
        "480p", "12.5", "1080p", "800", "2026-05-22 03:37", 'extra.Mood {"calm": true}',
    ):  # fmt: skip
        assert value in told, value


def test_when_it_was_first_seen_changed_and_removed_is_told_with_the_runs(sqlite: Database, tmp_path: Path) -> None:
    weeks(sqlite.engine, FIRST, THEN)
    site = Site(tmp_path / "site", sqlite.engine)
    site.build()

    changed, removed = (words(site.text(f"templates/{name}.html")) for name in ("104909826", "4"))
    assert "First seen 首次见到 2026-01-01 00:00 run 运行 1" in changed
    assert "Last changed 最近变更 2026-01-08 00:00 run 运行 2" in changed
    assert "Removed 移除" not in changed
    assert "Removed 移除 2026-01-08 00:00 run 运行 2" in removed
    assert "no longer listed, and not found by its id" in removed
    assert "This template was removed." in removed


def test_all_that_happened_to_it_stands_in_a_line_of_time(sqlite: Database, tmp_path: Path) -> None:
    weeks(sqlite.engine, FIRST, THEN)
    site = Site(tmp_path / "site", sqlite.engine)
    site.build()

    told = words(site.text("templates/104909826.html").partition("Changes")[2])
    assert (
        "2026-01-08 00:00 run 运行 2 Changed 变更 Price at 480p 480p 价格 166.5 → 149.85 2026-01-01 00:00 run 运行 1 Added 新增"
        in told
    )


@pytest.mark.parametrize("template_id", ["104909826", "4"])
def test_the_lines_to_copy_give_the_template_whether_it_is_present_or_removed(
    template_id: str, sqlite: Database, tmp_path: Path
) -> None:
    weeks(sqlite.engine, FIRST, THEN)
    site = Site(tmp_path / "site", sqlite.engine)
    site.build()
    page = site.text(f"templates/{template_id}.html")

    with sqlite.engine.connect() as connection:
        rows = connection.exec_driver_sql(copied(page, "sql")).mappings().all()
    command = shlex.split(copied(page, "cli"))
    said = template_sync(*command[1:], folder=tmp_path, variables={"DATABASE_URL": sqlite.url})

    assert [row["template_id"] for row in rows] == [template_id]
    assert command[0] == "template-sync"
    assert json.loads(copied(page, "request")) == json.loads(said.out)["body"]


def test_an_id_that_begins_with_dashes_is_no_option_of_the_line_to_copy(sqlite: Database, tmp_path: Path) -> None:
    run_with([record(each) for each in ("--help", "-x", "--", "3")], sqlite.engine, clock=ticking(WEEKS[0]))
    run_with([record(each) for each in ("-x", "--", "3")], sqlite.engine, clock=ticking(WEEKS[1]), max_removed=1)
    site = Site(tmp_path / "site", sqlite.engine)
    site.build()

    for template_id in ("--help", "-x", "--"):
        command = shlex.split(copied(site.text(f"templates/{page_name(template_id)}"), "cli"))
        said = template_sync(*command[1:], folder=tmp_path, variables={"DATABASE_URL": sqlite.url})
        assert said.code == 0, said.err
        assert json.loads(said.out)["body"]["input"]["template_id"] == template_id


def test_a_price_whose_beginning_was_pruned_is_marked_in_plot_and_table(sqlite: Database, tmp_path: Path) -> None:
    moved = [{"Resolution": "480p", "Credit": 14}]
    weeks(sqlite.engine, *([record("1", ConsumeItems=each), record("2")] for each in (PRICES["two"], PRICES["dearer"], moved)))
    before = read_catalog_dump(sqlite.engine).periods["1"]
    prune(sqlite.engine, before=None, keep_runs=1)
    after = read_catalog_dump(sqlite.engine).periods["1"]
    site = Site(tmp_path / "site", sqlite.engine)
    site.build()

    assert [period.cut for period in before] == [False] * 4
    assert [(period.resolution, period.cut) for period in after] == [("480p", True), ("480p", False)]
    page = site.text("templates/1.html")
    assert page.count("<circle") == 1
    assert page.count(" ○</td>") == 1
    assert "Earlier prices of this resolution may have been pruned." in words(page)
    assert "may have been pruned" not in site.text("templates/2.html")
    assert "All of them were pruned." in words(site.text("templates/2.html"))


def plot_of(database: Database, *catalogs: list[dict[str, Any]]) -> Any:
    """Draw the prices of template 1 after these catalogs, one a week."""
    weeks(database.engine, *([*catalog, *(record(f"{number}") for number in range(2, 5))] for catalog in catalogs))
    found = read_catalog_dump(database.engine)
    (stored,) = [one for one in found.stored if one.document["template_id"] == "1"]
    return price_plot(stored, found.periods["1"])


def priced(name: str) -> list[dict[str, Any]]:
    return [record("1", ConsumeItems=PRICES[name])]


def test_a_price_that_moved_is_drawn(sqlite: Database) -> None:
    plot = plot_of(sqlite, priced("one"), priced("dearer"))
    assert [(line.name, line.first, line.last) for line in plot.lines] == [("480p", "10", "12")]


def test_a_price_that_came_or_went_is_drawn(sqlite: Database) -> None:
    plot = plot_of(sqlite, priced("one"), priced("two"), priced("one"))
    assert [(line.name, line.first, line.last) for line in plot.lines] == [("480p", "10", "10"), ("720p", "30", "")]


def test_prices_that_never_moved_are_not_drawn_and_a_removal_moves_none(sqlite: Database) -> None:
    assert plot_of(sqlite, priced("two"), []) is None


def test_a_template_whose_removal_waits_says_so(sqlite: Database, tmp_path: Path) -> None:
    run_with([record(f"{number}") for number in range(1, 31)], sqlite.engine, clock=ticking(WEEKS[0]))
    run_with([record(f"{number}") for number in range(1, 16)], sqlite.engine, clock=ticking(WEEKS[1]))
    site = Site(tmp_path / "site", sqlite.engine)
    site.build()

    assert "its removal is held since run" in site.text("templates/30.html")
    assert "its removal waits" not in site.text("templates/1.html")
    assert 'data-template-id="30"' in site.text("index.html")


def test_a_template_that_asks_for_a_million_images_has_a_page_like_any_other(sqlite: Database, tmp_path: Path) -> None:
    """It took 54 MB, and the daemon would have filled the disk with such pages."""
    run_with([record("1", InputNum=10**6), record("2", InputNum=50)], sqlite.engine)
    Site(tmp_path / "site", sqlite.engine).build()
    page, other = ((tmp_path / "site" / "templates" / name).read_text() for name in ("1.html", "2.html"))
    assert len(page) < 50_000
    assert "too long to be shown" in words(page)
    assert "image-50.png" in copied(other, "request")

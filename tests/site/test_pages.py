"""The page of a template and the page of changes; the commands to copy work."""

from __future__ import annotations

import json
import re
import shlex
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING

import pytest

from sync.reader.catalog_dump import MAX_REJECTED_SHOWN, read_catalog_dump
from sync.site.cards import page_name
from sync.store.prune import prune
from tests.builders import record, records, run_with, ticking
from tests.command_line import template_sync
from tests.site.sites import FIRST, HELD, THEN, WEEKS, Site

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders import Database


def words(page: str) -> str:
    """Return the text of a page without its markup."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", page)))


def copied(page: str, name: str) -> str:
    """Return the text that a button copies."""
    found = re.search(rf'<pre id="{name}" tabindex="0"><code>(.*?)</code></pre>', page, re.DOTALL)
    assert found is not None
    return unescape(found[1])


# The page of a template


def test_the_page_of_a_template_shows_every_field(site: Site) -> None:
    rich = record(
        "77", Title="雪夜", Title_en="Snowy Night", Tags=["冬"], Tags_en=["Winter"], MediaId="media-1", ServiceId="service-2",
        Cover="https://media.example/77.jpeg?sig=1", PreviewVideo="https://media.example/77.mp4", CoverAspectRatio="4:3",
        SupportAspectRatio="1:1,21:9", Duration=7300, TemplateType="BEGIN_FRAME", InputRequirement="SINGLE_PET", InputNum=2,
        ConsumeItems=[{"Resolution": "480p", "Credit": 12.5}, {"Resolution": "1080p", "Credit": 800}],
        ReleaseOnlineTime=1779421053, Mood={"calm": True},
    )  # fmt: skip
    shown = words(site.after([rich]).text("templates/77.html"))

    for name, value in next(iter(read_catalog_dump(site.engine).stored)).document.items():
        assert value not in (None, [], {}), f"{name} is not tested"
    for value in (
        "77", "雪夜", "Snowy Night", "冬", "Winter", "media-1", "service-2", "https://media.example/77.jpeg?sig=1",
        "https://media.example/77.mp4", "4:3", "1:1, 21:9", "7.3 s", "First frame", "One pet", "2 image URLs, in order: one pet",
        "480p", "12.5", "1080p", "800", "2026-05-22 03:37", 'extra.Mood {"calm": true}',
    ):  # fmt: skip
        assert value in shown, value


def test_a_url_whose_scheme_is_in_upper_case_is_used_unchanged(site: Site) -> None:
    urls = {"Cover": "HTTPS://MEDIA.EXAMPLE/1.webp", "PreviewVideo": "Https://media.example/1.mp4"}
    page = site.after([record("1", **urls)]).text("templates/1.html")
    for url in urls.values():
        assert f'src="{url}"' in page


def test_the_page_of_a_template_shows_its_times_runs_and_changes(site: Site) -> None:
    site.after(FIRST, THEN)

    changed, removed = (words(site.text(f"templates/{name}.html")) for name in ("104909826", "4"))
    assert "First seen 首次见到 2026-01-01 00:00 run 运行 1" in changed
    assert "Last changed 最近变更 2026-01-08 00:00 run 运行 2" in changed
    assert "Removed 移除" not in changed
    assert "Removed 移除 2026-01-08 00:00 run 运行 2" in removed
    assert "no longer listed, and not found by its id" in removed
    assert "This template was removed." in removed
    assert (
        "2026-01-08 00:00 run 运行 2 Changed 变更 Price at 480p 480p 价格 166.5 → 149.85 2026-01-01 00:00 run 运行 1 Added 新增"
        in words(site.text("templates/104909826.html").partition("Changes")[2])
    )


@pytest.mark.parametrize("template_id", ["104909826", "4"])
def test_the_commands_to_copy_print_a_present_or_removed_template(
    template_id: str, site: Site, sqlite: Database, tmp_path: Path
) -> None:
    page = site.after(FIRST, THEN).text(f"templates/{template_id}.html")
    with sqlite.engine.connect() as connection:
        rows = connection.exec_driver_sql(copied(page, "sql")).mappings().all()
    command = shlex.split(copied(page, "cli"))
    result = template_sync(*command[1:], folder=tmp_path, variables={"DATABASE_URL": sqlite.url})
    assert [row["template_id"] for row in rows] == [template_id]
    assert command[0] == "template-sync"
    assert json.loads(copied(page, "request")) == json.loads(result.out)["body"]


def test_an_id_that_begins_with_dashes_is_not_an_option_in_the_commands_to_copy(
    site: Site, sqlite: Database, tmp_path: Path
) -> None:
    site.after([record(each) for each in ("--help", "-x", "--", "3")], [record(each) for each in ("-x", "--", "3")])
    for template_id in ("--help", "-x", "--"):
        command = shlex.split(copied(site.text(f"templates/{page_name(template_id)}"), "cli"))
        result = template_sync(*command[1:], folder=tmp_path, variables={"DATABASE_URL": sqlite.url})
        assert result.code == 0, result.err
        assert json.loads(result.out)["body"]["input"]["template_id"] == template_id


def test_a_price_with_a_pruned_start_is_marked_in_plot_and_table(site: Site) -> None:
    prices = [[("480p", 10), ("720p", 30)], [("480p", 12)], [("480p", 14)]]
    items = ([{"Resolution": resolution, "Credit": credit} for resolution, credit in each] for each in prices)
    site.after(*([record("1", ConsumeItems=each), record("2")] for each in items))
    before = read_catalog_dump(site.engine).periods["1"]
    prune(site.engine, before=None, keep_runs=1)
    after = read_catalog_dump(site.engine).periods["1"]
    site.build()

    assert [period.cut for period in before] == [False] * 4
    assert [(period.resolution, period.cut) for period in after] == [("480p", True), ("480p", False)]
    page = site.text("templates/1.html")
    assert page.count("<circle") == 1
    assert page.count(" ○</td>") == 1
    assert "Earlier prices of this resolution may have been pruned." in words(page)
    assert "may have been pruned" not in site.text("templates/2.html")
    assert "All of them were pruned." in words(site.text("templates/2.html"))


def test_the_command_that_lists_older_changes_begins_after_the_pruned_ones(
    site: Site, sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.after(records(3), records(4), records(5))
    assert "template-sync changes" not in words(site.text("changes.html"))
    monkeypatch.setattr("sync.site.pages.MAX_CHANGES", 1)
    for since in (0, 3):
        (site.folder / "changes.html").unlink()  # nothing else has changed
        site.build()
        command = re.search("template-sync (changes --since [0-9]+)", words(site.text("changes.html")))
        assert command is not None
        assert command[1] == f"changes --since {since}"
        listed = template_sync(*command[1].split(), "--json", folder=tmp_path, variables={"DATABASE_URL": sqlite.url})
        assert [change["seq"] for change in json.loads(listed.out)] == list(range(since + 1, 6))
        prune(site.engine, before=None, keep_runs=2)


def test_the_history_of_a_price_is_a_plot_and_a_table(site: Site) -> None:
    page = site.after(FIRST, THEN).text("templates/104909826.html")
    assert page.count('class="line line') == 2
    assert "<td>149.85</td>" in page
    assert "<td>166.5</td>" in page
    assert "line line" not in site.text("templates/1.html")  # its price did not change


def test_the_page_of_a_template_with_a_million_images_is_small(site: Site) -> None:
    """Such a page had 54 MB, so a daemon could fill the disk."""
    site.after([record("1", InputNum=10**6), record("2", InputNum=50)])
    page, other = (site.text(f"templates/{number}.html") for number in (1, 2))
    assert len(page) < 50_000
    assert "too long to be shown" in words(page)
    assert "image-50.png" in copied(other, "request")


# The page of changes


def test_the_feed_is_grouped_by_day_and_run_newest_first(site: Site) -> None:
    site.after(FIRST, THEN)
    run_with([*THEN, record("6")], site.engine, clock=ticking(WEEKS[1] + timedelta(hours=5)))
    site.build()
    heads = re.findall(
        r"<h2>(2026-\d\d-\d\d)</h2>|<h3>.*?</span> (\d+) <span>(\d\d:\d\d) UTC</span></h3>", site.text("changes.html")
    )
    assert [day or f"run {run} at {time}" for day, run, time in heads] == [
        "2026-01-08", "run 3 at 05:00", "run 2 at 00:00", "2026-01-01", "run 1 at 00:00",
    ]  # fmt: skip


def test_pages_list_held_removals_and_rejected_records(site: Site) -> None:
    site.after(HELD[0])
    assert "wait" not in words(site.text("changes.html"))

    run_with(HELD[1], site.engine, clock=ticking(WEEKS[1]))
    site.build()
    page = site.text("changes.html")
    assert "Held removals" in words(page)
    assert page.count("since run") == 15
    assert "Rejected records" in words(page)
    assert "15 – InputNum" in words(page)
    assert '"held":15,"rejected":1,' in site.text("freshness.js")
    assert "its removal is held since run" in site.text("templates/30.html")
    assert "its removal waits" not in site.text("templates/1.html")
    assert 'data-template-id="30"' in site.text("index.html")

    run_with(HELD[0], site.engine, clock=ticking(WEEKS[2]))
    assert site.build().written > 1
    assert "wait" not in words(site.text("changes.html"))
    assert '"held":0,"rejected":0,' in site.text("freshness.js")


def test_the_number_of_listed_rejected_records_is_limited(site: Site) -> None:
    site.after([*records(5), *(record(f"{number}", InputNum="many") for number in range(6, 36))])
    assert read_catalog_dump(site.engine).rejected.count == 30
    assert site.text("changes.html").count("– <bdi>InputNum") == MAX_REJECTED_SHOWN
    assert "runs --rejected" in site.text("changes.html")

"""What the page of changes says beside the feed: how the catalog moved, and what waits for a person."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from sync.reader.catalog_dump import MAX_REJECTED_SHOWN, read_catalog_dump
from sync.site.plots import catalog_plots
from tests.builders import record, records, run_with, ticking
from tests.site.sites import FIRST, THEN, WEEKS, Site, weeks
from tests.site.test_template_page import words

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders import Database


def test_size_additions_removals_and_price_levels_are_drawn_over_time(sqlite: Database) -> None:
    weeks(sqlite.engine, FIRST, THEN, [*THEN, record("6")])

    plots = {title: plot for plot, title, _ in catalog_plots(read_catalog_dump(sqlite.engine))}

    lines = {title: {line.name: (line.first, line.last) for line in plot.lines} for title, plot in plots.items()}
    assert lines == {
        "Templates in the catalog": {"": ("4", "5")},
        "Added and removed since the first run": {"added": ("0", "2"), "removed": ("0", "1")},
        "Median credits per resolution": {"480p": ("166.5", "166.5"), "720p": ("355.2", "355.2"), "1080p": ("800", "800")},
    }


def test_the_feed_stands_by_day_and_run_newest_first(sqlite: Database, tmp_path: Path) -> None:
    weeks(sqlite.engine, FIRST, THEN)
    run_with([*THEN, record("6")], sqlite.engine, clock=ticking(WEEKS[1] + timedelta(hours=5)))
    site = Site(tmp_path / "site", sqlite.engine)
    site.build()

    heads = re.findall(
        r"<h2>(2026-\d\d-\d\d)</h2>|<h3>.*?</span> (\d+) <span>(\d\d:\d\d) UTC</span></h3>", site.text("changes.html")
    )
    assert [day or f"run {run} at {time}" for day, run, time in heads] == [
        "2026-01-08", "run 3 at 05:00", "run 2 at 00:00", "2026-01-01", "run 1 at 00:00",
    ]  # fmt: skip


def test_after_one_run_there_is_nothing_to_draw(sqlite: Database) -> None:
    weeks(sqlite.engine, FIRST)
    assert catalog_plots(read_catalog_dump(sqlite.engine)) == []


def test_removals_that_wait_and_records_that_were_set_aside_are_named_until_they_are_no_more(
    sqlite: Database, tmp_path: Path
) -> None:
    site = Site(tmp_path / "site", sqlite.engine)
    run_with(records(30), sqlite.engine, clock=ticking(WEEKS[0]))
    site.build()
    assert "wait" not in words(site.text("changes.html"))

    run_with([*records(14), record("15", InputNum="many")], sqlite.engine, clock=ticking(WEEKS[1]))
    site.build()
    told = words(site.text("changes.html"))
    assert "Held removals" in told
    assert site.text("changes.html").count("since run") == 15
    assert "Rejected records" in told
    assert "15 – InputNum" in told
    assert '"held":15,"rejected":1,' in site.text("freshness.js")

    run_with(records(30), sqlite.engine, clock=ticking(WEEKS[2]))
    assert site.build().written > 1
    assert "wait" not in words(site.text("changes.html"))
    assert '"held":0,"rejected":0,' in site.text("freshness.js")


def test_of_many_records_that_were_set_aside_the_first_are_named(sqlite: Database, tmp_path: Path) -> None:
    run_with([*records(5), *(record(f"{number}", InputNum="many") for number in range(6, 36))], sqlite.engine)
    site = Site(tmp_path / "site", sqlite.engine)
    site.build()

    assert read_catalog_dump(sqlite.engine).rejected.count == 30
    assert site.text("changes.html").count("– <bdi>InputNum") == MAX_REJECTED_SHOWN
    assert "runs --rejected" in site.text("changes.html")

"""Plots: coordinates computed by hand, and the plots of a catalog and of the prices of a template."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.reader.catalog_dump import read_catalog_dump
from sync.site.plots import Plot, catalog_plots, price_plot, step_plot
from sync.store.tables import price_periods
from tests.builders import record, run_with, ticking
from tests.site.sites import FIRST, THEN, WEEKS, weeks

if TYPE_CHECKING:
    from tests.builders import Database

DAY = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 12)]


def drawn(until: datetime, **lines: Any) -> Plot:
    plot = step_plot(lines, until)
    assert plot is not None
    return plot


def test_a_value_is_drawn_until_the_next_one_and_the_last_to_the_end() -> None:
    plot = drawn(DAY[10], p480=[(DAY[0], 10), (DAY[5], 40)])
    assert [tick for _, tick in plot.up] == ["10", "20", "30", "40"]
    assert plot.lines[0].path == "M48.0 154.0H191.4V12.0H352.0"
    assert (plot.lines[0].first, plot.lines[0].last, plot.lines[0].place) == ("10", "40", 12.0)
    assert [text for _, text in plot.across] == ["2026-01-01", "2026-01-11"]


def test_a_removed_price_ends_its_line_and_a_returned_one_begins_another() -> None:
    line = drawn(DAY[10], p480=[(DAY[0], 10), (DAY[2], None), (DAY[4], 10), (DAY[5], None)], p720=[(DAY[0], 40)]).lines[0]
    assert line.path.count("M") == 2
    assert (line.name, line.last) == ("p480", "")  # its label is at its end


def test_labels_at_the_ends_do_not_overlap() -> None:
    plot = drawn(DAY[1], **{name: [(DAY[0], value), (DAY[1], value)] for name, value in (("a", 100), ("b", 100.5), ("c", 10))})
    places = sorted(line.place for line in plot.lines)
    assert all(after - before >= 15 for before, after in itertools.pairwise(places))
    assert places[-1] < plot.height


def test_integers_have_integer_ticks_and_without_values_there_is_no_plot() -> None:
    assert [tick for _, tick in drawn(DAY[1], size=[(DAY[0], 280), (DAY[1], 281)]).up] == ["280", "281"]
    assert drawn(DAY[0], p480=[(DAY[0], 0.05)]).lines[0].path.startswith("M48.0")
    assert step_plot({"": [(DAY[0], None)]}, DAY[1]) is None
    assert step_plot({}, DAY[1]) is None


def test_size_additions_removals_and_price_levels_are_drawn_over_time(sqlite: Database) -> None:
    weeks(sqlite.engine, FIRST, THEN, [*THEN, record("6")])
    plots = {title: plot for plot, title, _ in catalog_plots(read_catalog_dump(sqlite.engine))}
    lines = {title: {line.name: (line.first, line.last) for line in plot.lines} for title, plot in plots.items()}
    assert lines == {
        "Templates in the catalog": {"": ("4", "5")},
        "Added and removed since the first run": {"added": ("0", "2"), "removed": ("0", "1")},
        "Median credits per resolution": {"480p": ("166.5", "166.5"), "720p": ("355.2", "355.2"), "1080p": ("800", "800")},
    }


def test_a_price_that_was_replaced_at_the_time_of_its_start_is_not_drawn(sqlite: Database) -> None:
    for credit, week in ((1, 0), (2, 0), (3, 1)):
        prices = [{"Resolution": "480p", "Credit": credit}]
        run_with([record("1", ConsumeItems=prices)], sqlite.engine, clock=ticking(WEEKS[week], step=0))
    *_, (levels, _, _) = catalog_plots(read_catalog_dump(sqlite.engine))
    assert [(line.first, line.last) for line in levels.lines] == [("2", "3")]


def test_after_one_run_there_is_no_plot(sqlite: Database) -> None:
    weeks(sqlite.engine, FIRST)
    assert catalog_plots(read_catalog_dump(sqlite.engine)) == []


ONE, TWO, DEARER = {"480p": 10}, {"480p": 10, "720p": 30}, {"480p": 12}


@pytest.mark.parametrize(
    ("prices", "lines"),
    [
        pytest.param([ONE, DEARER], [("480p", "10", "12")], id="a price that moved"),
        pytest.param([ONE, TWO, ONE], [("480p", "10", "10"), ("720p", "30", "")], id="a price that came and went"),
        pytest.param([TWO, None], None, id="prices that never moved, and a removal"),
    ],
)
def test_the_prices_of_a_template_are_drawn_if_they_changed(
    sqlite: Database, prices: list[dict[str, float] | None], lines: list[tuple[str, str, str]] | None
) -> None:
    others = [record(f"{number}") for number in range(2, 5)]
    items = ([{"Resolution": name, "Credit": credit} for name, credit in (each or {}).items()] for each in prices)
    catalogs = [[*([record("1", ConsumeItems=each)] if each else []), *others] for each in items]
    weeks(sqlite.engine, *catalogs)
    found = read_catalog_dump(sqlite.engine)
    (stored,) = [one for one in found.stored if one.document["template_id"] == "1"]
    plot = price_plot(stored, found.periods["1"])
    assert (plot and [(line.name, line.first, line.last) for line in plot.lines]) == lines


def test_the_median_ignores_a_price_that_ended_before_it_began(sqlite: Database) -> None:
    """Runs of this version store no such price; rows of an old version or of another program must not end the build."""
    for day, credit in enumerate((10, 20, 30)):
        run_with([record("1", ConsumeItems=[{"Resolution": "480p", "Credit": credit}])], sqlite.engine, clock=ticking(DAY[day]))
    with sqlite.engine.begin() as connection:
        early = sa.update(price_periods).where(price_periods.c.credit == 20)
        connection.execute(early.values(valid_until=DAY[0]))
    (median,) = [plot for plot, title, _ in catalog_plots(read_catalog_dump(sqlite.engine)) if title.startswith("Median")]
    assert [(line.first, line.last) for line in median.lines] == [("10", "30")]

"""Lines over time, worked out by hand."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from sync.site.plots import step_plot

DAY = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 12)]


def test_a_value_holds_until_the_next_one_and_on_to_the_end() -> None:
    plot = step_plot({"480p": [(DAY[0], 10), (DAY[5], 40)]}, DAY[10])

    assert plot is not None
    assert [tick for _, tick in plot.up] == ["10", "20", "30", "40"]
    assert plot.lines[0].path == "M48.0 154.0H191.4V12.0H352.0"
    assert (plot.lines[0].first, plot.lines[0].last, plot.lines[0].place) == ("10", "40", 12.0)
    assert [text for _, text in plot.across] == ["2026-01-01", "2026-01-11"]


def test_a_price_that_is_gone_ends_its_line_and_one_that_returns_begins_another() -> None:
    plot = step_plot({"480p": [(DAY[0], 10), (DAY[2], None), (DAY[4], 10), (DAY[5], None)], "720p": [(DAY[0], 40)]}, DAY[10])

    assert plot is not None
    assert plot.lines[0].path.count("M") == 2
    assert (plot.lines[0].name, plot.lines[0].last) == ("480p", "")  # its name stands where it ended


def test_words_at_the_ends_do_not_stand_on_each_other() -> None:
    plot = step_plot({name: [(DAY[0], value), (DAY[1], value)] for name, value in (("a", 100), ("b", 100.5), ("c", 10))}, DAY[1])

    assert plot is not None
    places = sorted(line.place for line in plot.lines)
    assert all(after - before >= 15 for before, after in itertools.pairwise(places))
    assert places[-1] < plot.height


def test_whole_numbers_have_whole_ticks_and_nothing_has_no_plot() -> None:
    plot = step_plot({"": [(DAY[0], 280), (DAY[1], 281)]}, DAY[1])

    assert plot is not None
    assert [tick for _, tick in plot.up] == ["280", "281"]
    assert step_plot({"": [(DAY[0], None)]}, DAY[1]) is None
    assert step_plot({}, DAY[1]) is None


def test_one_value_that_never_moved_is_a_level_line() -> None:
    plot = step_plot({"480p": [(DAY[0], 0.05)]}, DAY[0])

    assert plot is not None
    assert plot.lines[0].path.startswith("M48.0")

"""The metrics' names, and the textfile; their values are in tests/golden/metrics.txt."""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING

import pytest

from sync.monitoring.metrics import METRIC_NAMES, Metrics

if TYPE_CHECKING:
    from pathlib import Path


def test_the_names_are_those_of_the_families() -> None:
    assert set(re.findall(r"^# TYPE (\S+)", Metrics("1.2.3").text().decode(), re.MULTILINE)) == set(METRIC_NAMES)


def test_a_textfile_replaces_the_old_one_and_leaves_no_other_file(tmp_path: Path) -> None:
    metrics = Metrics("1.2.3")
    target = tmp_path / "template_sync.prom"
    target.write_text("old")
    metrics.write_textfile(str(target))
    assert target.read_bytes().startswith(b"# HELP template_sync_last_success_timestamp_seconds ")
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [target]


def test_a_textfile_that_cannot_be_put_in_place_leaves_nothing_behind(tmp_path: Path) -> None:
    in_the_way = tmp_path / "template_sync.prom"
    in_the_way.mkdir()
    with pytest.raises(OSError, match=r"template_sync\.prom"):
        Metrics("1.2.3").write_textfile(in_the_way)
    assert list(tmp_path.iterdir()) == [in_the_way]

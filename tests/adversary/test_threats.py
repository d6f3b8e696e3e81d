"""Every test that docs/threats.md names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", (TESTS.parent / "docs" / "threats.md").read_text())))


@pytest.mark.parametrize(("file", "name"), NAMED, ids=["::".join(filter(None, each)) for each in NAMED])
def test_every_test_named_in_the_document_exists(file: str, name: str) -> None:
    found = TESTS / file if "/" in file or file.startswith("test_") else TESTS / "adversary" / file
    assert f"def {name}(" in found.read_text() if name else found.exists()

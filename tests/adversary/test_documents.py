"""The documents about faults and attacks: their results in verification.md, and the tests that threats.md names.

`python -m tests.adversary.test_documents` runs every fault and writes the section "Faults" of docs/verification.md.
"""

from __future__ import annotations

import re
import tempfile
import textwrap
from dataclasses import replace
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sync.store import schema
from sync.store.engine import open_engine
from tests.adversary.answers import ENVELOPES, STORED
from tests.adversary.attack import fill, rows, run_against_attack
from tests.adversary.faults import FAULTS
from tests.adversary.transport import ATTACKS
from tests.builders import Database

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.adversary.attack import Attack

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "verification.md"
BEGIN, END = "<!-- faults: written by `python -m tests.adversary.test_documents` -->\n", "<!-- end of faults -->\n"
TABLE = [*FAULTS, *STORED, *ENVELOPES, *ATTACKS]


GROUPS = {
    "code": "codes in the body, and HTTP statuses",
    "page": "pages",
    "total": "the reported total",
    "look-ups": "look-ups of the missing template",
    "record": "records",
    "walk": "the whole walk",
    "envelope": "the JSON object around the records",
    "framing": "HTTP messages",
    "connection": "connections",
    "encoding": "content encoding and character set",
    "direction": "redirects and other servers",
    "patience": "requests to retry later",
}
"""First word of the name of a fault -> name of the group in the document."""


def section(faults: Sequence[Attack]) -> str:
    """Group the rows by result, then by the first word of their names; of a large group the document has the number."""
    groups: dict[str, dict[str, list[str]]] = {}
    for fault in faults:
        where, _, what = fault.name.partition(": ")
        result = f"**`{fault.status}`, exit code {fault.code}, `{fault.rows}`**"
        groups.setdefault(result, {}).setdefault(where, []).append(what)
    return "\n".join(f"{result}\n\n" + "".join(starmap(item, named.items())) for result, named in sorted(groups.items()))


def item(where: str, what: Sequence[str]) -> str:
    more = f"; and {len(what) - 4} more" if len(what) > 5 else ""
    line = f"- {GROUPS[where]}: {'; '.join(what[:4] if more else what)}{more}"
    return textwrap.fill(line, 130, subsequent_indent="  ", break_on_hyphens=False) + "\n"


def written_section() -> str:
    return DOCUMENT.read_text().partition(BEGIN)[2].partition(END)[0]


def test_the_section_faults_is_current() -> None:
    """`test_attacks.py` compares each row with a run; this test compares the document with the rows."""
    assert written_section() == section(TABLE)


NAMED = sorted(set(re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", (ROOT / "docs" / "threats.md").read_text())))


@pytest.mark.parametrize(("file", "name"), NAMED, ids=["::".join(filter(None, each)) for each in NAMED])
def test_every_test_named_in_the_document_exists(file: str, name: str) -> None:
    found = ROOT / "tests" / file if "/" in file or file.startswith("test_") else ROOT / "tests" / "adversary" / file
    assert f"def {name}(" in found.read_text() if name else found.exists()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        url = f"sqlite:///{temporary}/templates.db"
        database = Database("sqlite", url, open_engine(url))
        schema.upgrade(database.engine)

        def observed(fault: Attack) -> Attack:
            outcome = run_against_attack(fault, fill(database))
            code = outcome.error.exit_code if outcome.error else 0
            return replace(fault, ended=str(outcome.run.status), code=code, rows=rows(outcome))

        DOCUMENT.write_text(DOCUMENT.read_text().replace(written_section(), section([observed(fault) for fault in TABLE])))

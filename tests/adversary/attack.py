"""One line of a table: what somebody does, and all that may come of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sync.commands.export import as_json_lines
from sync.reader.catalog import catalog
from sync.reader.feed import changes
from sync.reader.stored_templates import printed
from sync.sandbox.server import SANDBOX_KEY
from tests.adversary.server import SIZE, exported
from tests.builders import HASTY, QUICK, run_against
from tests.faults import anomalies
from tests.hostile import Hostile
from tests.json_forms import check

if TYPE_CHECKING:
    from sync.synchronise import Outcome
    from tests.builders import Database
    from tests.hostile import Script

NOTHING = "+0 ~0 -0"
KEPT = "+1 ~1 -0"
"""All that happened but the removal, which was not believed."""
ALL = "+1 ~1 -1"
"""All that happened: 13 came, 11 changed, 12 went."""


@dataclass(frozen=True)
class Attack:
    """What a server does, and what the run must make of it.

    Attributes:
        code: the exit code.
        rows: added, changed, removed, and how many records were set aside. The bytes of `export` follow from it.
        settings: of the run.
    """

    name: str
    script: Script
    code: int
    rows: str = NOTHING
    settings: tuple[tuple[str, Any], ...] = ()


def strike(attack: Attack, database: Database) -> Outcome:
    """Run once against the attack, over a database that holds what was true before."""
    with Hostile(attack.script) as server:
        settings = {
            "page_size": SIZE,
            "retry_policy": replace(HASTY, attempts=2),
            "timeouts": replace(QUICK, read=5.0),
            **dict(attack.settings),
        }
        return run_against(server.url, database.engine, **settings)


def rows(outcome: Outcome) -> str:
    """Write down what a run did to the rows."""
    run = outcome.run
    return f"+{run.added} ~{run.changed} -{run.removed}" + (f", {run.rejected} rejected" if run.rejected else "")


def withstood(attack: Attack, database: Database) -> None:
    """Check the exit code, the rows, the bytes and everything that must never be."""
    outcome = strike(attack, database)
    code = outcome.error.exit_code if outcome.error else 0
    assert (code, rows(outcome)) == (attack.code, attack.rows), outcome.run.error
    assert as_json_lines(catalog(database.engine)).encode() == exported(attack.rows)
    check("export", [printed(document) for document in catalog(database.engine)])
    check("changes", changes(database.engine))
    assert anomalies(database) == []
    assert len(outcome.run.error or "") < MOST_SAID
    assert SANDBOX_KEY not in str(database.dump())
    (row,) = [row for row in database.rows("sync_runs") if row["run_id"] == outcome.run.run_id]
    assert (row["status"], row["error"]) == (str(outcome.run.status), outcome.run.error)


MOST_SAID = 600
"""Characters of an error, whatever the server said."""

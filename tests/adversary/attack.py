"""One row of the table of faults and attacks: what a server does, and the result of a run against it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sync.commands.export import as_json_lines
from sync.reader.catalog import catalog
from sync.reader.feed import changes
from sync.reader.stored_templates import printed
from sync.sandbox.server import SANDBOX_KEY
from tests.adversary.server import HONEST, SIZE, exported
from tests.builders import HASTY, QUICK, run_against
from tests.faults import anomalies
from tests.hostile import Hostile, faulty
from tests.json_forms import check

if TYPE_CHECKING:
    from sync.synchronise import Outcome
    from tests.builders import Database
    from tests.hostile import Reply, Script

NOTHING = "+0 ~0 -0"
KEPT = "+1 ~1 -0"
"""All changes except the removal, which was not confirmed."""
ALL = "+1 ~1 -1"
"""All changes: 13 was added, 11 changed, 12 was removed."""


@dataclass(frozen=True)
class Attack:
    """What a server does, and the result that the run must have.

    Attributes:
        code: the exit code.
        rows: added, changed, removed, and the number of rejected records.
        settings: of the run.
        exact: the bytes of `export` follow from `rows`; otherwise only the ids and titles do.
        ended: the run's status, where it does not follow from the exit code and the rows.
    """

    name: str
    script: Script
    code: int
    rows: str = NOTHING
    settings: tuple[tuple[str, Any], ...] = ()
    exact: bool = True
    ended: str = ""

    @property
    def status(self) -> str:
        """The run's status."""
        late = "failed" if dict(self.settings).get("deadline") else "deferred"
        verdict = "failed" if self.rows == NOTHING else "incomplete"
        return self.ended or {0: "succeeded", 4: "held", 75: late, 76: verdict, 77: "failed"}[self.code]

    def ends(self, status: str) -> Attack:
        """Copy the attack with this status."""
        return replace(self, ended=status)


def in_place_of_2(name: str, reply: Reply, code: int, rows: str = NOTHING, **settings: Any) -> Attack:
    """Send this reply for the second of three pages; the other pages and the look-ups are valid."""
    return Attack(name, faulty(HONEST, {2: reply}), code, rows, tuple(settings.items()))


def unread_2(name: str, reply: Reply) -> Attack:
    """Make page 2 unreadable: the records of the other pages are applied, and nothing is removed."""
    return in_place_of_2(name, reply, 76, KEPT)


def strike(attack: Attack, database: Database) -> Outcome:
    """Run once against the attack, over a database that holds the previous catalog."""
    with Hostile(attack.script) as server:
        settings = {
            "page_size": SIZE,
            "retry_policy": replace(HASTY, attempts=2),
            "timeouts": replace(QUICK, read=5.0),
            **dict(attack.settings),
        }
        return run_against(server.url, database.engine, **settings)


def rows(outcome: Outcome) -> str:
    """Return the changes of a run in the form of `Attack.rows`."""
    run = outcome.run
    return f"+{run.added} ~{run.changed} -{run.removed}" + (f", {run.rejected} rejected" if run.rejected else "")


def withstood(attack: Attack, database: Database) -> None:
    """Check the status, the exit code, the rows, the bytes of `export`, and the invariants."""
    unchanged = attack.status in {"failed", "deferred"}
    before = database.catalog_dump() if unchanged else {}
    outcome = strike(attack, database)
    code = outcome.error.exit_code if outcome.error else 0
    found = (str(outcome.run.status), code, rows(outcome))
    assert found == (attack.status, attack.code, attack.rows), outcome.run.error
    kept = list(catalog(database.engine))
    expected = exported(attack.rows)
    if attack.exact:
        assert "".join(as_json_lines(kept)).encode() == expected
    else:
        wanted = [json.loads(line) for line in expected.splitlines()]
        assert [(each["template_id"], each["title_en"]) for each in kept] == [
            (each["template_id"], each["title_en"]) for each in wanted
        ]
        check("export", [printed(document) for document in kept])
        check("changes", changes(database.engine))
    assert anomalies(database) == []
    assert len(outcome.run.error or "") < LONGEST_ERROR
    everything = database.dump()
    assert SANDBOX_KEY not in str(everything)
    assert len(everything["rejected_templates"]) == outcome.run.rejected
    if unchanged:
        assert {name: everything[name] for name in before} == before
    (row,) = [row for row in database.rows("sync_runs") if row["run_id"] == outcome.run.run_id]
    assert (row["status"], row["error"], row["finished_at"] is None) == (attack.status, outcome.run.error, False)


LONGEST_ERROR = 600
"""Characters of an error."""

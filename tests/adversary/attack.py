"""A row of the tables of faults and attacks: what a hostile server sends, and the result of a run against it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sync.commands.export import as_json_lines
from sync.forms.form import Form
from sync.reader.feed import changes
from sync.reader.stored_templates import printed
from sync.sandbox.server import SANDBOX_KEY
from tests.builders import DOCUMENT, HASTY, QUICK, record, run_against
from tests.faults import anomalies, exported_documents
from tests.hostile import Hostile, Reply, Request, catalog, faulty, success
from tests.json_forms import check

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sync.synchronise import Outcome
    from tests.builders import Database
    from tests.hostile import Script

SIZE = 4
"""Records on a page."""
BEFORE = [record(str(number), Title_en=f"Number {number}") for number in range(1, 13)]
"""The catalog in the database before every attack: three pages of four."""
AFTER = [*BEFORE[:10], record("11", Title_en="changed"), record("13", Title_en="Number 13")]
"""The true catalog during the attack: 12 is removed, 11 changed, 13 is new."""
CORRECT = catalog(AFTER)


def exported(rows: str) -> bytes:
    """Return the output of `export` after a run with these changes; `+1 ~1 -1` are all of them."""
    titles = {str(number): f"Number {number}" for number in range(1, 14)}
    if "+1" not in rows:
        del titles["13"]
    if "-1" in rows:
        del titles["12"]
    if "~1" in rows:
        titles["11"] = "changed"
    documents = ({**DOCUMENT, "template_id": key, "title_en": titles[key]} for key in sorted(titles))
    return "".join(with_form_hash(json.dumps(each, ensure_ascii=False)) for each in documents).encode()


def with_form_hash(document: str) -> str:
    """Write a line of `export`: a document as JSON, and its `form_hash`."""
    return f'{document[:-1]}, "form_hash": "{Form(json.loads(document)).hash}"}}\n'


def body(records: Sequence[Any], total: Any = 12, **more: Any) -> bytes:
    """Write the body of a response; `more` are further keys of the envelope."""
    return json.dumps({"code": 200, "message": "success", "data": {"total": total, "templates": list(records)}, **more}).encode()


def page(number: int) -> bytes:
    """Write the correct body of one page."""
    return body(AFTER[(number - 1) * SIZE : number * SIZE])


def http(*lines: str | bytes, end: str = "close") -> Reply:
    """Send these lines as head; a last line of bytes is the body. No header is added, not even a length."""
    content = lines[-1] if isinstance(lines[-1], bytes) else b""
    head = [line for line in lines if isinstance(line, str)]
    return Reply(raw="\r\n".join([*head, "", ""]).encode("latin-1") + content, end=end)


def sized(content: bytes, *headers: str, status: str = "200 OK", version: str = "HTTP/1.1", end: str = "keep") -> Reply:
    """Send a body with its correct length and any headers."""
    return http(f"{version} {status}", *headers, f"content-length: {len(content)}", content, end=end)


def with_pages_changed(change: Callable[[bytes], bytes], script: Script = CORRECT) -> Script:
    """Change the correct body of every page; look-ups stay correct."""

    def changed(request: Request) -> Reply:
        reply = script(request)
        return Reply(change(reply.body)) if request.page else reply

    return changed


def with_bytes_replaced(old: bytes, new: bytes) -> Script:
    """Replace these bytes in every page."""

    def change(content: bytes) -> bytes:
        assert old in content, "the page does not contain these bytes"
        return content.replace(old, new)

    return with_pages_changed(change)


def looked_up(gone: Reply, impossible: Reply | None = None, known: Callable[[Request], Reply] = CORRECT) -> Script:
    """Serve valid pages; send these replies to look-ups of 12 (removed), of an impossible id, and of present templates."""

    def script(request: Request) -> Reply:
        template_id = request.query.get("template_id")
        if template_id == "12":
            return gone
        if template_id is not None and len(template_id) > len("12"):
            return gone if impossible is None else impossible
        return known(request) if template_id is not None else CORRECT(request)

    return script


def always(reply: Reply) -> Script:
    """Serve valid pages, and send one reply to every look-up."""
    return looked_up(reply, reply, lambda _request: reply)


def correct_until(correct: int, script: Script) -> Script:
    """Send valid replies to the first look-ups, then those of the other script."""
    look_ups = 0

    def turning(request: Request) -> Reply:
        nonlocal look_ups
        look_ups += request.page == 0
        return (CORRECT if request.page or look_ups <= correct else script)(request)

    return turning


def found(template_id: str, **changes: Any) -> Reply:
    """Reply to a look-up with one record."""
    return success([record(template_id, **changes)])


# Rows ----------------------------------------------------------------------------------------------------------------

NOTHING = "+0 ~0 -0"
KEPT = "+1 ~1 -0"
"""All changes except the removal, which was not confirmed."""
ALL = "+1 ~1 -1"
"""All changes: 13 was added, 11 changed, 12 was removed."""


LONGEST_ERROR = 600
"""Characters of an error."""


@dataclass(frozen=True)
class Attack:
    """The responses of a server, and the required result of the run.

    Attributes:
        code: the exit code.
        rows: added, changed, removed, and the number of rejected records.
        settings: of the run.
        exact: the bytes of `export` follow from `rows`; otherwise only the ids and titles do.
        ended: the status of the run, if it does not follow from the exit code and the rows.
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


def second_page(name: str, reply: Reply, code: int, rows: str = NOTHING, **settings: Any) -> Attack:
    """Send this reply for the second of three pages; the other pages and the look-ups are valid."""
    return Attack(name, faulty(CORRECT, {2: reply}), code, rows, tuple(settings.items()))


def unreadable_second_page(name: str, reply: Reply) -> Attack:
    """Make page 2 unreadable: the records of the other pages are applied, and nothing is removed."""
    return second_page(name, reply, 76, KEPT)


_filled: list[bytes] = []
"""The SQLite file after a run over BEFORE, from the first test that needs it."""


def fill(database: Database) -> Database:
    """Store the previous catalog in a new database: by a run, or on SQLite with a copy of the file after such a run."""
    file = Path(database.engine.url.database or "")
    if database.kind == "sqlite" and _filled:
        database.engine.dispose()
        file.write_bytes(_filled[0])
        return database
    with Hostile(catalog(BEFORE)) as server:
        assert run_against(server.url, database.engine, page_size=SIZE).error is None
    if database.kind == "sqlite":
        database.engine.dispose()
        _filled.append(file.read_bytes())
    return database


def run_against_attack(attack: Attack, database: Database) -> Outcome:
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


def check_result(attack: Attack, database: Database) -> None:
    """Check the status, the exit code, the rows, the bytes of `export`, and the invariants."""
    unchanged = attack.status in {"failed", "deferred"}
    before = database.catalog_dump() if unchanged else {}
    outcome = run_against_attack(attack, database)
    code = outcome.error.exit_code if outcome.error else 0
    found = (str(outcome.run.status), code, rows(outcome))
    assert found == (attack.status, attack.code, attack.rows), outcome.run.error
    kept = exported_documents(database.engine)
    expected = exported(attack.rows)
    if attack.exact:
        assert "".join(as_json_lines(kept)).encode() == expected
    else:
        expected_documents = [json.loads(line) for line in expected.splitlines()]
        assert [(each["template_id"], each["title_en"]) for each in kept] == [
            (each["template_id"], each["title_en"]) for each in expected_documents
        ]
        check("export", [printed(document) for document in kept])
        check("changes", changes(database.engine))
    assert anomalies(database) == []
    assert len(outcome.run.error or "") < LONGEST_ERROR
    tables = database.dump()
    assert SANDBOX_KEY not in str(tables)
    assert len(tables["rejected_templates"]) == outcome.run.rejected
    if unchanged:
        assert {name: tables[name] for name in before} == before
    (row,) = [row for row in database.rows("sync_runs") if row["run_id"] == outcome.run.run_id]
    assert (row["status"], row["error"], row["finished_at"] is None) == (attack.status, outcome.run.error, False)

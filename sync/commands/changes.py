"""`changes`: the feed, and the removals that wait."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import click

from sync.commands.arguments import NUMBER
from sync.commands.edge import DATABASE_FLAGS, Context, sync_command

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sync.commands.output import Output

NEWEST = 50
FOLLOW_SECONDS = 2.0


@sync_command(
    f"Show what was added, changed and removed, oldest first: the newest {NEWEST} changes, or those asked for.", *DATABASE_FLAGS
)
@click.option("--since", type=NUMBER, metavar="SEQ", help="Only changes after this one; 0 is from the beginning.")
@click.option("--run", "run_id", type=NUMBER, metavar="ID", help="Only this run's changes.")
@click.option("--follow", is_flag=True, help="Go on showing changes as they come; with --json one object a line.")
@click.option("--pending", is_flag=True, help="Show the removals that are held instead.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(context: Context, *, since: int | None, run_id: int | None, follow: bool, pending: bool, as_json: bool) -> None:
    """Show the feed."""
    from sync.reader import feed, status
    from sync.reader import runs as run_reader

    engine = context.engine()
    if pending:
        _show_pending(context.out, feed.pending(engine), as_json=as_json)
        return
    if follow:
        start = status.overview(engine).last_seq if since is None else since
        _follow(context.out, feed.follow(engine, start, pause=_pauses()), as_json=as_json)
        return
    if run_id is not None:
        run_reader.require_run(engine, run_id)
    most = NEWEST if since is None and run_id is None else None
    found = feed.changes(engine, since=since, run_id=run_id, most=most)
    if as_json:
        context.out.json(found)
    elif found:
        _show(context.out, found)
        if most is not None and found[0]["seq"] > status.overview(engine).oldest_seq:
            context.out.message(f"these are the newest {len(found)}; `template-sync changes --since 0` shows all")
    else:
        context.out.message("no changes")


def _pauses() -> Iterator[None]:
    yield None
    for _ in itertools.count():
        time.sleep(FOLLOW_SECONDS)
        yield None


def _follow(out: Output, changes: Iterator[dict[str, Any]], *, as_json: bool) -> None:
    from sync.text import json_text

    run_id = None
    for change in changes:
        if as_json:
            out.data(json_text(change) + "\n")
        else:
            _show(out, [change], heading=change["run_id"] != run_id)
        if out.failure:  # nobody reads any more
            return
        run_id = change["run_id"]


def _show(out: Output, changes: Iterable[dict[str, Any]], *, heading: bool = True) -> None:
    from sync.terminal.changes import change_lines
    from sync.terminal.paint import mark

    for run_id, group in itertools.groupby(changes, key=lambda change: change["run_id"]):
        listed = list(group)
        if heading:
            out.lines([mark(f"run {run_id}, {listed[0]['at']}, from seq {listed[0]['seq']}", "bold")])
        for change in listed:
            out.lines([f"  {line}" for line in change_lines(change, mark)])


def _show_pending(out: Output, held: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        out.json(held)
        return
    if not held:
        out.message("no removals are held")
        return
    from sync.catalog.removals import RUNS_THAT_AGREE
    from sync.terminal.changes import change_lines
    from sync.terminal.paint import mark

    for row in held:
        agree = f"  (since run {row['since_run_id']}, {row['runs']} of {RUNS_THAT_AGREE} runs agree)"
        out.lines([line + agree for line in change_lines({**row, "kind": "removed", "fields": [], "evidence": None}, mark)])
    out.message(f"{len(held)} removals are held; `template-sync run --accept-removals` removes what is then still gone.")

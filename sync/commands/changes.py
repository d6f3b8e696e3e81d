"""`changes`: the feed, and the removals that wait."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

import click

from sync.commands.edge import DATABASE_FLAGS, Context, emit_json, painter, print_lines, sync_command, tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NEWEST = 50
FOLLOW_SECONDS = 2.0


@sync_command(
    f"Show what was added, changed and removed, oldest first: the newest {NEWEST} changes, or those asked for.", *DATABASE_FLAGS
)
@click.option("--since", type=click.IntRange(0), metavar="SEQ", help="Only changes after this one; 0 is from the beginning.")
@click.option("--run", "run_id", type=int, metavar="ID", help="Only this run's changes.")
@click.option("--follow", is_flag=True, help="Go on showing changes as they come; with --json one object a line.")
@click.option("--pending", is_flag=True, help="Show the removals that are held instead.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(context: Context, *, since: int | None, run_id: int | None, follow: bool, pending: bool, as_json: bool) -> None:
    """Show the feed."""
    from sync.db import queries

    engine = context.engine()
    if pending:
        _show_pending(queries.pending(engine), as_json=as_json)
        return
    if follow:
        start = queries.overview(engine).last_seq if since is None else since
        _follow(queries.follow(engine, start, pause=_pauses()), as_json=as_json)
        return
    if run_id is not None:
        queries.require_run(engine, run_id)
    most = NEWEST if since is None and run_id is None else None
    found = queries.changes(engine, since=since, run_id=run_id, most=most)
    if as_json:
        emit_json(found)
    elif found:
        _show(found)
        if most is not None and found[0]["seq"] > queries.overview(engine).oldest_seq:
            tell(f"these are the newest {len(found)}; `template-sync changes --since 0` shows all")
    else:
        tell("no changes")


def _pauses() -> Iterator[None]:
    yield None
    for _ in itertools.count():
        time.sleep(FOLLOW_SECONDS)
        yield None


def _follow(changes: Iterator[dict[str, Any]], *, as_json: bool) -> None:
    from sync.decode import json_text

    run_id = None
    for change in changes:
        if as_json:
            click.echo(json_text(change))
        else:
            _show([change], heading=change["run_id"] != run_id)
        run_id = change["run_id"]


def _show(changes: Iterable[dict[str, Any]], *, heading: bool = True) -> None:
    from sync.report import change_lines

    paint = painter()
    for run_id, group in itertools.groupby(changes, key=lambda change: change["run_id"]):
        listed = list(group)
        if heading:
            print_lines([paint(f"run {run_id}, {listed[0]['at']}, from seq {listed[0]['seq']}", "bold")])
        for change in listed:
            print_lines([f"  {line}" for line in change_lines(change, paint)])


def _show_pending(held: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        emit_json(held)
        return
    if not held:
        tell("no removals are held")
        return
    from sync.removals import RUNS_THAT_AGREE
    from sync.report import change_lines

    paint = painter()
    for row in held:
        agree = f"  (since run {row['since_run_id']}, {row['runs']} of {RUNS_THAT_AGREE} runs agree)"
        print_lines([line + agree for line in change_lines({**row, "kind": "removed", "fields": [], "evidence": None}, paint)])
    tell(f"{len(held)} removals are held; `template-sync run --accept-removals` removes what is then still gone.")

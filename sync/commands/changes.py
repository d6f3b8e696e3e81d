"""`changes`: the change feed, and pending removals."""

from __future__ import annotations

import itertools
import time
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from sync.catalog.selection import Selection
from sync.commands.base import AS_JSON, DATABASE_FLAGS, Context, sync_command
from sync.commands.listing import FEED_POSITION, NUMBER, limit, report_unknown_words
from sync.errors import CursorLost, UsageError
from sync.reader import feed, status
from sync.terminal.lines import change_lines, mark
from sync.text import count_of, escape_control_characters, json_text
from sync.webhooks.endpoints import KINDS, Rules, contradiction, is_field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Engine

    from sync.commands.output import Output

NEWEST = 50
FOLLOW_SECONDS = 2.0


@sync_command(
    f"List added, changed and removed templates, oldest first: by default the newest {NEWEST}, with --since or --run all.",
    *DATABASE_FLAGS,
    json=AS_JSON,
)
@click.option(
    "--since", type=FEED_POSITION, metavar="CURSOR|SEQ",
    help="Only changes after this cursor or sequence number; 0 means all, and fails if some were pruned.",
)  # fmt: skip
@click.option("--run", "run_id", type=NUMBER, metavar="RUN", help="Only changes of this run.")
@click.option(
    "--tag", "tags", multiple=True, metavar="TAG", help="Only templates that have or lost this tag, in Chinese or English."
)
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only changes of this kind.")
@click.option("--field", "fields", multiple=True, metavar="NAME", help="Only changes of this field, such as consume_items.720p.")
@limit(f"Only the newest N changes, by default {NEWEST}; with --since, --run, --follow or --pending the first N, by default all.")
@click.option("--follow", is_flag=True, help="Print changes as they are recorded, up to N; with --json one object per line.")
@click.option("--pending", is_flag=True, help="List instead the missing templates that are held or unconfirmed.")
def command(
    context: Context, *, since: str | None, run_id: int | None, limit: int | None, follow: bool, pending: bool, **wanted: Any
) -> None:
    """Show the feed. Different filters are combined with AND, repeated ones with OR."""
    rules = _rules(**wanted)
    if pending and (since is not None or run_id is not None or follow or rules != Rules()):
        raise click.UsageError(
            "--pending lists the current pending removals; it cannot be combined with filters, --since, --run or --follow."
        )
    if follow and run_id is not None:
        raise click.UsageError("--follow and --run cannot be combined: a finished run records no more changes.")
    engine = context.engine()
    with _lost_cursor_as_json(context):
        if pending:
            _show_pending(context, feed.pending(engine), limit)
        elif follow:
            start = status.overview(engine).cursor if since is None else since
            matching = filter(rules.matches, feed.follow(engine, start, pause=_pauses()))
            _follow(context, itertools.islice(matching, limit))
        else:
            found = _select(engine, rules, since, run_id, limit)
            for tag in () if found else rules.tags:
                report_unknown_words(context.out, engine, Selection(tag=(tag,)))
            if context.as_json:
                context.out.json_parts([], found)
                return
            _show(context.out, found)
            cut = rules == Rules() or len(found) == (limit or NEWEST)
            _report_truncation(context.out, engine, found, newest=since is None, whole_feed=run_id is None and cut)


@contextmanager
def _lost_cursor_as_json(context: Context) -> Iterator[None]:
    try:
        yield
    except CursorLost as lost:
        if context.as_json:
            from sync.outputs.commands import LostCursor

            context.out.json(LostCursor(lost.code, lost.reason, str(lost), lost.oldest_seq, lost.last_seq, lost.cursor))
        raise


def _select(engine: Engine, rules: Rules, since: str | None, run_id: int | None, limit: int | None) -> list[dict[str, Any]]:
    if run_id is not None:
        status.require_run(engine, run_id)
    elif since is None:
        most = NEWEST if limit is None else limit
        return feed.changes(engine, most=most) if rules == Rules() else _newest(engine, rules, most)
    if rules == Rules():
        return feed.changes(engine, since=since, run_id=run_id, limit=limit)
    return list(itertools.islice(filter(rules.matches, feed.changes(engine, since=since, run_id=run_id)), limit))


def _report_truncation(out: Output, engine: Engine, found: list[dict[str, Any]], *, newest: bool, whole_feed: bool) -> None:
    if not found:
        out.message("no changes")
    elif whole_feed:
        end = status.overview(engine)
        if newest and found[0]["seq"] > end.oldest_seq:
            shows_all = f"`template-sync changes --since {end.oldest_seq - 1}` shows all"
            out.message(f"only the newest {len(found)} are shown; {shows_all}")
        elif not newest and found[-1]["seq"] < end.last_seq:
            continues = f"`template-sync changes --since {found[-1]['cursor'] or found[-1]['seq']}` continues"
            out.message(f"only the first {len(found)} are shown; {continues}")


def _newest(engine: Engine, rules: Rules, most: int) -> list[dict[str, Any]]:
    """Read the newest changes that match the rules, oldest first; this can scan the whole feed."""
    whole = feed.follow(engine, status.overview(engine).oldest_seq - 1, pause=iter([None]))
    return list(deque(filter(rules.matches, whole), maxlen=most))


def _rules(*, tags: Sequence[str], kinds: Sequence[str], fields: Sequence[str]) -> Rules:
    for name in fields:
        if not is_field(name):
            hint = "Use a field name as `changes` shows it, such as title or tags."
            raise UsageError(f"--field: no change has a field {name!r}.", hint=hint)
    rules = Rules(kinds=frozenset(kinds), tags=frozenset(tags), fields=frozenset(fields))
    if why := contradiction(rules):
        raise UsageError(f"--kind: {why}.")
    return rules


def _pauses() -> Iterator[None]:
    yield None
    for _ in itertools.count():
        time.sleep(FOLLOW_SECONDS)
        yield None


def _follow(context: Context, changes: Iterable[dict[str, Any]]) -> None:
    out, run_id = context.out, None
    for change in changes:
        if context.as_json:
            out.data(json_text(change) + "\n")
        else:
            _show(out, [change], heading=change["run_id"] != run_id)
        if out.failure:  # the reader has closed the pipe
            return
        run_id = change["run_id"]


def _show(out: Output, changes: Iterable[dict[str, Any]], *, heading: bool = True) -> None:
    for run_id, group in itertools.groupby(changes, key=lambda change: change["run_id"]):
        listed = list(group)
        if heading:
            out.lines([mark(f"run {run_id}, {listed[0]['at']}, from seq {listed[0]['seq']}", "bold")])
        for change in listed:
            out.lines([f"  {line}" for line in change_lines(change)])


def _show_pending(context: Context, missing: list[dict[str, Any]], limit: int | None) -> None:
    out = context.out
    if context.as_json:
        from sync.outputs.commands import PendingRemoval

        out.json([PendingRemoval(**row) for row in missing[:limit]])
        return
    if not missing:
        out.message("no removals are held or unconfirmed")
        return
    for row in missing[:limit]:
        why = f"  ({row['state']} since run {row['since_run_id']}, {row['since_at']}: {escape_control_characters(row['reason'])})"
        out.lines([line + why for line in change_lines({**row, "kind": "removed", "fields": [], "evidence": None})])
    held = sum(row["state"] == "held" for row in missing)
    answered = sum(row["state"] == "unconfirmed" and row["answered"] for row in missing)
    summary = [f"{count_of(held, 'removal')} held"] if held else []
    if unconfirmed := len(missing) - held:
        summary.append(f"{count_of(unconfirmed, 'missing template')} unconfirmed, {answered} of them can be accepted")
    out.message(
        f"{'; '.join(summary)}; `template-sync run --accept-removals` applies held removals, and unconfirmed ones "
        "whose look-up is answered without the template"
    )

"""`status`: how things stand, on one screen, without the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sync.commands.edge import DATABASE_FLAGS, Context, emit_json, painter, print_lines, sync_command

if TYPE_CHECKING:
    from datetime import datetime

    from sync.db.queries import Overview
    from sync.runs import Run
    from sync.settings import Settings


@sync_command("Show on one screen how things stand. Reads the database only.", *DATABASE_FLAGS)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(context: Context, *, as_json: bool) -> None:
    """Show how things stand."""
    from sync.commands.synchronising import now
    from sync.db.queries import overview

    found, moment = overview(context.engine()), now()
    if as_json:
        emit_json(status_json(found, context.settings, moment))
    else:
        print_lines(status_lines(found, context.settings, moment))


def status_json(found: Overview, settings: Settings, now: datetime) -> dict[str, Any]:
    """Give the status as JSON; ages in seconds."""
    from sync.snapshot import iso

    def age(moment: datetime | None) -> float | None:
        return None if moment is None else round((now - moment).total_seconds(), 3)

    success = found.last_success.finished_at if found.last_success else None
    return {
        "present": found.present,
        "held": found.held,
        "rejected": found.last_attempt.rejected if found.last_attempt else 0,
        "last_attempt": found.last_attempt.as_json() if found.last_attempt else None,
        "last_success": found.last_success.as_json() if found.last_success else None,
        "last_attempt_age_seconds": age(found.last_attempt.started_at) if found.last_attempt else None,
        "last_success_age_seconds": age(success),
        "last_change_at": iso(found.last_change_at) if found.last_change_at else None,
        "last_change_age_seconds": age(found.last_change_at),
        "next_run_at": iso(found.next_run_at) if found.next_run_at else None,
        "stale": success is None or (now - success).total_seconds() > settings.staleness_budget,
        "stale_after_seconds": settings.staleness_budget,
        "lease": {"active": found.holder.active, "holder": found.holder.name, "seconds_left": round(found.holder.seconds_left, 1)}
        if found.holder.active
        else {"active": False, "holder": None, "seconds_left": 0},
        "oldest_seq": found.oldest_seq,
        "last_seq": found.last_seq,
    }


_LATER = "nothing: the next run tries again, and what is stored is the last good catalog"
_TO_DO = {
    "401": "put a valid key into CRUN_API_KEY or its file; a daemon reads the file anew for every run",
    "402": "top the account up",
    "403": "check CRUN_API_KEY and what the account may use",
    "404": "check CRUN_BASE_URL",
    "422": "look for a newer version: the interface may have changed",
    "505": "ask Crun's support to enable the catalog",
    "held": "look at them (template-sync changes --pending), then accept them (template-sync run --accept-removals) or wait",
    "deadline": "raise SYNC_DEADLINE if the server is merely slow",
    "lease-lost": "raise SYNC_LEASE_TTL if the machine was not paused",
    "schema": "template-sync db upgrade",
    "database": "template-sync doctor",
    "unexpected": "report it: SYNC_LOG_LEVEL=debug template-sync run shows where it happened",
}


def what_to_do(run: Run) -> str:
    """Say what a person can do about a run that was no success: the second question at 3 a.m."""
    from sync.runs import Status

    code = run.error_code or ""
    if code in _TO_DO:
        return _TO_DO[code]
    if run.status in {Status.DEFERRED, Status.INTERRUPTED, Status.SKIPPED, Status.INCOMPLETE}:
        return _LATER
    return f"{_LATER}; if it stays, template-sync doctor tests each step"


def status_lines(found: Overview, settings: Settings, now: datetime) -> list[str]:
    """Give the status as text."""
    from sync.decode import visible
    from sync.report import age, pad, since, whose_fault
    from sync.runs import Status

    paint = painter()
    attempt, success = found.last_attempt, found.last_success
    ended = success.finished_at if success else None
    stale = ended is None or (now - ended).total_seconds() > settings.staleness_budget
    fresh = paint("stale", "red") if stale else paint("fresh", "green")
    lines = [
        ("catalog", f"{found.present} templates, {fresh} (stale after {age(settings.staleness_budget)})"),
        ("last success", since(ended, now) + (f", run {success.run_id}" if success else "")),
        ("last change", since(found.last_change_at, now)),
    ]
    if attempt:
        lines.append(("last attempt", f"{since(attempt.started_at, now)}, run {attempt.run_id}: {attempt.status}"))
        if attempt.error and attempt.status is not Status.SUCCEEDED:
            lines += [("  what", visible(attempt.error)), ("  whose fault", whose_fault(attempt)), ("  do", what_to_do(attempt))]
        if attempt.status is Status.RUNNING and not found.holder.active:
            lines.append(("  what", "its process ended without a word; nothing of it was applied, the next run goes on"))
        if attempt.rejected:
            lines.append(("rejected", f"{attempt.rejected} records; template-sync runs --rejected {attempt.run_id} shows them"))
    if found.held:
        lines.append(("held", f"{found.held} removals; template-sync changes --pending shows them"))
    if found.next_run_at:
        late = (now - found.next_run_at).total_seconds()
        when = f"overdue by {age(late)}: is the daemon running?" if late > 60 else f"in {age(-late)}"  # noqa: PLR2004 - a minute's grace
        lines.append(("next run", f"{found.next_run_at:%Y-%m-%d %H:%M:%S} UTC ({when})"))
    else:
        lines.append(("next run", "none is planned: no daemon is at work; cron or a timer may be"))
    if found.holder.active:
        lines.append(("at work now", f"{found.holder.name}, lease ends in {found.holder.seconds_left:.0f} s unless renewed"))
    some = found.last_seq >= found.oldest_seq
    lines.append(
        ("feed", f"seq {found.oldest_seq} to {found.last_seq}" if some else f"empty, the next change is {found.last_seq + 1}")
    )
    return [f"{paint(pad(name, 13), 'bold')} {text}" for name, text in lines]

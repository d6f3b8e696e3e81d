"""`status`: how things stand, on one screen, without the network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sync.commands.edge import DATABASE_FLAGS, Context, emit_json, painter, print_lines, sync_command

if TYPE_CHECKING:
    from datetime import datetime

    from sync.db.queries import Overview
    from sync.settings import Settings


@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@sync_command("Show on one screen how things stand. Reads the database only.", *DATABASE_FLAGS)
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
            lines += [("  what", visible(attempt.error)), ("  whose fault", whose_fault(attempt))]
        if attempt.rejected:
            lines.append(("rejected", f"{attempt.rejected} records; template-sync runs --rejected {attempt.run_id} shows them"))
    if found.held:
        lines.append(("held", f"{found.held} removals; template-sync changes --pending shows them"))
    if found.next_run_at:
        late = (now - found.next_run_at).total_seconds()
        when = f"overdue by {age(late)}: is the daemon running?" if late > 60 else f"in {age(-late)}"  # noqa: PLR2004 - a minute's grace
        lines.append(("next run", f"{found.next_run_at:%Y-%m-%d %H:%M:%S} UTC ({when})"))
    if found.holder.active:
        lines.append(("at work now", f"{found.holder.name}, lease ends in {found.holder.seconds_left:.0f} s unless renewed"))
    lines.append(("feed", f"seq {found.oldest_seq} to {found.last_seq}" if found.last_seq else "empty"))
    return [f"{paint(pad(name, 13), 'bold')} {text}" for name, text in lines]

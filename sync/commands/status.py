"""`status`: the state of the catalog, the runs, the feed, webhooks and gallery, from the database."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sync.catalog import run_record
from sync.catalog.run_record import advise
from sync.commands.base import AS_JSON, DATABASE_FLAGS, Context, now, sync_command
from sync.commands.lease import lease_output
from sync.errors import ConfigurationError
from sync.reader.status import is_stale
from sync.terminal.lines import mark, pad
from sync.text import age, count_of, escape_control_characters, since

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Engine

    from sync.config.settings import Settings
    from sync.outputs.commands import SiteState, Status
    from sync.reader.status import Overview
    from sync.webhooks.endpoints import Position

MAX_PROBLEMS = 3


@sync_command("Show the status of the catalog, the runs and the feed.", *DATABASE_FLAGS, json=AS_JSON)
def command(context: Context) -> None:
    """Show the status."""
    from sync.reader.status import overview

    engine = context.engine()
    found, moment = overview(engine), now()
    delivery_positions = _endpoint_positions(engine, context.settings)
    if context.as_json:
        context.out.json(_status_output(found, context.settings, moment, delivery_positions))
    else:
        context.out.lines(status_lines(found, context.settings, moment, delivery_positions))


def _endpoint_positions(engine: Engine, settings: Settings) -> list[Position]:
    """Read the positions of the endpoints in SYNC_WEBHOOKS_FILE, or of all endpoints if that file cannot be read."""
    from sync.webhooks.outbox import positions

    known = positions(engine)
    if known and settings.webhooks_file is not None:
        from sync.webhooks.configuration import endpoints_in

        with suppress(ConfigurationError):
            names = {endpoint.name for endpoint in endpoints_in(settings.webhooks_file)}
            return [position for position in known if position.name in names]
    return known


def _status_output(found: Overview, settings: Settings, now: datetime, delivery_positions: Sequence[Position] = ()) -> Status:
    from sync.outputs.catalog import Run, built
    from sync.outputs.commands import EndpointPosition, LeaseState, Standby, Status

    def seconds(moment: datetime | None) -> float | None:
        return None if moment is None else round((now - moment).total_seconds(), 3)

    attempt, success = found.last_attempt, found.last_success
    succeeded_at = success.finished_at if success else None
    return built(
        Status,
        found,
        rejected=attempt.rejected if attempt else 0,
        last_attempt=Run(**attempt.as_json()) if attempt else None,
        last_success=Run(**success.as_json()) if success else None,
        last_attempt_age_seconds=seconds(attempt.started_at) if attempt else None,
        last_success_age_seconds=seconds(succeeded_at),
        last_change_age_seconds=seconds(found.last_change_at),
        stale=is_stale(succeeded_at, now, settings.staleness_budget),
        stale_after_seconds=settings.staleness_budget,
        lease=lease_output(LeaseState, found.holder),
        standby=None if found.standby is None else Standby(found.standby.seconds),
        site=_site_state(found, settings),
        webhooks=[built(EndpointPosition, each) for each in delivery_positions],
    )


def status_lines(found: Overview, settings: Settings, now: datetime, delivery_positions: Sequence[Position] = ()) -> list[str]:
    """Format the status as lines of text."""
    attempt, success = found.last_attempt, found.last_success
    ended = success.finished_at if success else None
    stale = is_stale(ended, now, settings.staleness_budget)
    fresh = mark("stale", "red") if stale else mark("fresh", "green")
    lines = [
        ("catalog", f"{count_of(found.present, 'template')}, {fresh} (stale after {age(settings.staleness_budget)})"),
        ("last success", since(ended, now) + (f", run {success.run_id}" if success else "")),
        ("last change", since(found.last_change_at, now)),
    ]
    if attempt:
        lines += _attempt_lines(attempt, now, active=found.holder.active)
    if found.held:
        lines.append(("held", f"{count_of(found.held, 'removal')}; template-sync changes --pending shows them"))
    if found.unconfirmed:
        kept = count_of(found.unconfirmed, "missing template")
        lines.append(("unconfirmed", f"{kept} kept; template-sync changes --pending shows the reasons"))
    if found.next_run_at:
        late = (now - found.next_run_at).total_seconds()
        when = f"overdue by {age(late)}: check whether the daemon runs" if late > 60 else f"in {age(-late)}"  # noqa: PLR2004 - a minute's grace
        lines.append(("next run", f"{found.next_run_at:%Y-%m-%d %H:%M:%S} UTC ({when})"))
    else:
        lines.append(("next run", "not scheduled by a daemon; cron or a timer may start it"))
    if found.holder.active:
        lines.append(("lease holder", f"{found.holder.name}, expires in {found.holder.seconds_left:.0f} s unless renewed"))
    some = found.last_seq >= found.oldest_seq
    feed = f"seq {found.oldest_seq} to {found.last_seq}" if some else f"empty, the next change is {found.last_seq + 1}"
    lines += [("feed", feed), ("cursor", found.cursor)]
    if found.standby is not None:
        how_late = "" if found.standby.seconds is None else f": its newest transaction is {age(found.standby.seconds)} old"
        lines.append(("server", f"a standby or replica, which may lag{how_late}"))
    lines += _webhook_lines(delivery_positions, now)
    if (site := _site_state(found, settings)) is not None:
        stands = "up to date" if site.current else "not up to date: see the log of the last run"
        lines.append(("gallery", f"{site.folder}, {stands}"))
    return [f"{mark(pad(name, 13), 'bold')} {text}" for name, text in lines]


def _attempt_lines(attempt: run_record.Run, now: datetime, *, active: bool) -> list[tuple[str, str]]:
    lines = [("last attempt", f"{since(attempt.started_at, now)}, run {attempt.run_id}: {attempt.status}")]
    if attempt.error and attempt.status is not run_record.Status.SUCCEEDED:
        fault, to_do = advise(attempt)
        lines += [("  what", escape_control_characters(attempt.error)), ("  cause", fault), ("  action", to_do)]
    if attempt.status is run_record.Status.RUNNING and not active:
        what = "its process ended without reporting a result; nothing was applied, the next run starts again"
        lines.append(("  what", what))
    if attempt.rejected:
        records = count_of(attempt.rejected, "record")
        lines.append(("rejected", f"{records}; template-sync runs --rejected {attempt.run_id} shows them"))
    return lines


def _site_state(found: Overview, settings: Settings) -> SiteState | None:
    """Return the folder of the gallery and whether it shows every change; None if SYNC_SITE_DIR is not set."""
    if settings.site_dir is None:
        return None
    from pathlib import Path

    from sync.outputs.commands import SiteState
    from sync.site.folder import cursor_of

    return SiteState(folder=settings.site_dir, current=cursor_of(Path(settings.site_dir)) == found.cursor)


def _webhook_lines(delivery_positions: Sequence[Position], now: datetime) -> list[tuple[str, str]]:
    """Format the number of endpoints, and one line for each of the first that need attention."""
    from sync.terminal.tables import describe_problem

    if not delivery_positions:
        return []
    behind = sum(not each.at_end for each in delivery_positions)
    count = f"{count_of(len(delivery_positions), 'endpoint')}, {f'{behind} behind' if behind else 'all up to date'}"
    problems = [why for each in delivery_positions if (why := describe_problem(each, now))]
    if (more := len(problems) - MAX_PROBLEMS) > 0:
        problems[MAX_PROBLEMS:] = [f"and {more} more; template-sync webhooks list shows all"]
    return [("webhooks", count), *(("  check", why) for why in problems)]

"""`doctor`: check everything that a run needs, in the order in which a run would fail; each check has its advice."""

from __future__ import annotations

import shutil
import ssl
import sys
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sync.client.api_client import ApiClient
from sync.client.backend import addresses
from sync.client.http import certificate
from sync.client.network import Network, Timeouts, TransportFailure
from sync.commands.base import AS_JSON, ASKING_FLAGS, RUN_FLAGS, Context, now, sync_command
from sync.errors import OtherOrigin, SyncError
from sync.reader.status import Overview, is_stale, overview
from sync.retry_policy import REQUESTS
from sync.store.database_url import sqlite_file
from sync.store.doctor import rehearse_run, server_state
from sync.store.schema import HEAD
from sync.store.state import require_origin
from sync.terminal.lines import mark
from sync.terminal.tables import describe_problem
from sync.text import age, ago
from sync.webhooks.configuration import load_endpoints
from sync.webhooks.outbox import positions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sqlalchemy import Engine

    from sync.config.load_settings import Loaded
    from sync.config.settings import Settings


MIN_FREE_BYTES = 100 * 2**20
MAX_CLOCK_SKEW = 300.0  # seconds
CERTIFICATE_DAYS = 14  # one that expires earlier is a warning
SECONDS = 10.0  # timeout of each network check
_NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mysql": "MariaDB/MySQL"}


class Result(StrEnum):
    """The result of a check."""

    FINE, WARNING, FAILED = "ok", "warning", "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """One check: the finding, the advice, and the exit code of a run that fails there; the file that was read, and its age."""

    name: str
    result: Result
    seen: str
    advice: str = ""
    exit_code: int = 0
    file: str | None = None
    age_seconds: float | None = None


def checks_of(loaded: Loaded, engine: Engine, now: Callable[[], datetime]) -> Iterator[Check]:
    """Run the checks in the order in which a run would fail; yield each as soon as it is done."""
    settings = loaded.settings
    yield _settings(loaded)
    yield from _secret_files(loaded, now())
    yield _name_resolves(settings)
    if settings.base_url.startswith("https://") and not settings.proxy:
        yield from _until_error("tls", _certificate(settings, now))
    if settings.api_key is not None:
        yield from _until_error("catalog", _catalog(settings, settings.api_key, now))
    if (disk := _disk(engine)) is not None:
        yield disk
    yield from _until_error("database", _database(settings, engine, now))


def _until_error(name: str, checks: Iterator[Check]) -> Iterator[Check]:
    """Yield checks; an error of the program ends them with a failed one."""
    try:
        yield from checks
    except SyncError as error:
        yield _failed(name, error)


def _failed(name: str, error: SyncError) -> Check:
    return Check(name, Result.FAILED, " ".join(str(error).splitlines()), error.hint, error.exit_code)


def _settings(loaded: Loaded) -> Check:
    if loaded.settings.api_key is None:
        return Check("settings", Result.FAILED, "CRUN_API_KEY is not set", "Set it, or CRUN_API_KEY_FILE.", 78)
    if loaded.warnings:
        return Check("settings", Result.WARNING, " ".join(loaded.warnings), "`template-sync config` shows each setting.")
    given = sum(origin.source not in {"default", "not set"} for origin in loaded.origins.values())
    return Check("settings", Result.FINE, f"all valid, {given} set, the others have their defaults")


def _secret_files(loaded: Loaded, now: datetime) -> Iterator[Check]:
    """Show each file that a secret was read from, and its age: the age shows whether a rotated secret has arrived."""
    for field, name in (("api_key", "key file"), ("database_url", "url file")):
        source, _, variable = loaded.origins[field].source.partition(", ")
        if not variable:
            continue
        file = loaded.files[variable]
        try:
            written = Path(file).stat().st_mtime
        except OSError:  # a pipe that has ended
            continue
        seconds = now.timestamp() - written
        seen = f"{file} ({source}, {variable}), written {ago(seconds)}"
        yield Check(name, Result.FINE, seen, file=file, age_seconds=round(seconds, 1))


def _name_resolves(settings: Settings) -> Check:
    host = urlsplit(settings.proxy or settings.base_url).hostname or ""
    try:
        found = addresses(host, SECONDS)
    except TransportFailure as failure:
        return Check("name", Result.FAILED, f"{host}: {failure}", _advice(failure, "Check the network and CRUN_BASE_URL."), 75)
    return Check("name", Result.FINE, f"{host} is {', '.join(sorted(found)[:3])}")


def _advice(failure: TransportFailure, usual: str) -> str:
    # No check of the network finds a limit of this process.
    return failure.limit.hint if failure.limit is not None else usual


def _certificate(settings: Settings, now: Callable[[], datetime]) -> Iterator[Check]:
    try:
        found = certificate(settings.base_url, Network.of(settings), SECONDS)
    except TransportFailure as failure:
        advice = _advice(failure, "Check the clock, a proxy, or SYNC_CA_BUNDLE.")
        yield Check("tls", Result.FAILED, f"no trusted connection: {failure}", advice, 75)
        return
    days = (ssl.cert_time_to_seconds(str(found["notAfter"])) - now().timestamp()) / 86400
    seen = f"certificate verified, valid for {days:.0f} more days"
    yield _fine_or_warning("tls", seen, fine=days > CERTIFICATE_DAYS, advice="Report it to Crun.")


def _fine_or_warning(name: str, seen: str, *, fine: bool, advice: str) -> Check:
    return Check(name, Result.FINE, seen) if fine else Check(name, Result.WARNING, seen, advice)


def _catalog(settings: Settings, key: str, now: Callable[[], datetime]) -> Iterator[Check]:
    once, timeouts = replace(REQUESTS, attempts=1), Timeouts(SECONDS, SECONDS, SECONDS)
    with ApiClient(replace(settings, deadline=2 * SECONDS), key, retry_policy=once, timeouts=timeouts) as api:
        yield from _until_error("catalog", _answer(api))
        if api.statistics.date is None:
            return
        try:
            theirs = parsedate_to_datetime(api.statistics.date)
            skew = (now() - theirs.replace(tzinfo=theirs.tzinfo or UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return
    where = f"{age(abs(skew))} {'ahead of' if skew > 0 else 'behind'} the server's"
    yield _fine_or_warning("clock", where, fine=abs(skew) <= MAX_CLOCK_SKEW, advice="Set this machine's clock (NTP).")


def _answer(api: ApiClient) -> Iterator[Check]:
    total = api.get({"page": 1, "page_size": 1}).total
    yield Check("catalog", Result.FINE, f"the API key is accepted; the catalog reports {total} templates")


def _database(settings: Settings, engine: Engine, now: Callable[[], datetime]) -> Iterator[Check]:
    found = overview(engine)
    if (server := server_state(engine)) is not None:
        yield _fine_or_warning("server", server.summary, fine=not server.warnings, advice=f"{'; '.join(server.warnings)}.")
    if not found.holder.active:  # the write check would wait for that run
        rehearse_run(engine)
    name = _NAMES[engine.dialect.name]
    yield Check("database", Result.FINE, f"{name} is reachable, schema {HEAD}, {found.present} templates present")
    try:
        require_origin(engine, settings.base_url)
    except OtherOrigin as error:
        yield _failed("origin", error)
    yield _lease(found)
    yield _freshness(settings, found, now())
    if settings.webhooks_file is not None:
        yield from _until_error("webhooks", _webhooks(settings.webhooks_file, engine, now()))
    if found.held:
        yield Check("held", Result.WARNING, f"{found.held} removals are held", "`template-sync changes --pending` shows them.", 4)
    if found.unconfirmed:
        seen = f"{found.unconfirmed} removals are unconfirmed"
        yield Check("unconfirmed", Result.WARNING, seen, "`template-sync changes --pending` shows the reasons.")


def _webhooks(file: str, engine: Engine, now: datetime) -> Iterator[Check]:
    """Read the file with all secrets, as a delivery does; report the endpoints that need attention."""
    names = [each.endpoint.name for each in load_endpoints(file)]
    known = [position for position in positions(engine) if position.name in names]
    if problems := [why for position in known if (why := describe_problem(position, now))]:
        advice = "Test with `template-sync webhooks test NAME`, then resume with `webhooks resume NAME`."
        yield Check("webhooks", Result.WARNING, "; ".join(problems), advice)
    else:
        yield Check("webhooks", Result.FINE, f"{len(names)} endpoints, {sum(not each.at_end for each in known)} behind")


def _disk(engine: Engine) -> Check | None:
    file = sqlite_file(engine)
    if file is None:
        return None
    folder = file.absolute().parent
    try:
        free = shutil.disk_usage(folder).free
    except FileNotFoundError:
        return Check("disk", Result.FAILED, f"the folder {folder} does not exist", "Create it, or change DATABASE_URL.", 69)
    except OSError as error:
        return Check("disk", Result.FAILED, f"the folder {folder}: {error.strerror}", "Correct it, or change DATABASE_URL.", 69)
    seen = f"{free // 2**20} MiB free in {folder}"
    return _fine_or_warning("disk", seen, fine=free > MIN_FREE_BYTES, advice="Free some space.")


def _lease(found: Overview) -> Check:
    holder = found.holder
    if holder.active:
        return Check("lease", Result.FINE, f"held by {holder.name}, expires in {holder.seconds_left:.0f} s unless renewed")
    return Check("lease", Result.FINE, f"free: {holder.name} ended without releasing it" if holder.dead else "free")


def _freshness(settings: Settings, found: Overview, now: datetime) -> Check:
    ended = found.last_success.finished_at if found.last_success else None
    if ended is None:
        return Check("freshness", Result.WARNING, "no successful run yet", "Run `template-sync run` and check its output.")
    seen = f"the last success was {ago((now - ended).total_seconds())}"
    why = found.last_attempt.error if found.last_attempt else None
    advice = why or "Check the daemon or the schedule."
    if ended > now:
        advice = "Set this machine's clock; the next run then updates the status."
    return _fine_or_warning("freshness", seen, fine=not is_stale(ended, now, settings.staleness_budget), advice=advice)


_SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red")}


@sync_command(
    "Check settings, DNS, TLS, API key, clock, disk, database, schema, lease, freshness and webhooks. Tests a write and rolls it "
    "back. The exit code is that of the first failed check; 0 if no check failed.",
    "webhooks_file",
    *ASKING_FLAGS, unused=RUN_FLAGS, quiet=True, shows_key=True, has_effect=True, json=AS_JSON,
)  # fmt: skip
def command(context: Context) -> None:
    """Run and print all checks."""
    engine = context.engine()
    context.start_logging()
    checks = []
    for check in checks_of(context.loaded, engine, now):
        checks.append(check)
        if not context.as_json:
            context.out.lines([f"{mark(*_SIGNS[check.result])} {check.name:10} {check.seen}"])
            if check.advice:
                context.out.lines([f"    → {check.advice}"])
    if context.as_json:
        from sync.outputs.commands import Check

        context.out.json([Check(each.name, each.result, each.seen, each.advice, each.file, each.age_seconds) for each in checks])
    sys.exit(next((check.exit_code for check in checks if check.result is Result.FAILED), 0))

"""Logging through structlog: one pipeline for this program and for httpx, SQLAlchemy, Alembic and APScheduler.

Output goes to stderr, as JSON or, on a terminal, as text. The last step removes all known secrets from the finished line, because
a library's message can contain one.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, TextIO

import structlog

from sync.catalog.run_record import Status
from sync.config.redaction import Redactor
from sync.text import MAX_NAMES, escape_control_characters

if TYPE_CHECKING:
    from collections.abc import Iterable

    from structlog.typing import EventDict, Processor, WrappedLogger

    from sync.synchronise import Outcome

_WARNINGS = {Status.HELD, Status.INCOMPLETE, Status.DEFERRED, Status.SKIPPED, Status.INTERRUPTED}


def configure(*, style: str, level: str, secrets: Iterable[str], stream: TextIO | None = None) -> None:
    """Configure logging for the process: values of SYNC_LOG_FORMAT and SYNC_LOG_LEVEL, and what to remove from every line."""
    stream, redactor = stream or sys.stderr, Redactor(secrets)

    def redact(_logger: WrappedLogger, _method: str, line: Any) -> Any:
        return redactor(line) if isinstance(line, str) else line

    console = style == "console" or (style == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_for_people(stream) if console else _for_machines()),
                redact,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # At info these libraries log every request, job and migration step.
    for name in ("httpx", "httpcore", "hpack", "sqlalchemy", "alembic", "apscheduler", "mcp"):
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False  # a closed stderr must not fail a run


def get_logger() -> Any:
    """Return the program's structlog logger."""
    return structlog.get_logger("sync")


def log_run(outcome: Outcome) -> None:
    """Log the result of a run as one line."""
    run = outcome.run
    shown = {name: value for name, value in run.as_json().items() if name not in {"started_at", "finished_at", "fence"}}
    for name in ("fields_appeared", "fields_vanished"):
        if len(shown[name]) > MAX_NAMES:
            shown[name] = [*shown[name][:MAX_NAMES], f"and {len(shown[name]) - MAX_NAMES} more"]
    if outcome.unrecorded:
        shown["unrecorded"] = str(outcome.unrecorded)
    if outcome.error and outcome.error.hint:
        shown["hint"] = outcome.error.hint
    shown = {name: value for name, value in shown.items() if value not in (None, (), [])}
    level = "info" if run.status is Status.SUCCEEDED else "warning" if run.status in _WARNINGS else "error"
    getattr(get_logger(), level)("run_finished", **shown)


def _for_machines() -> list[Processor]:
    return [
        # Tracebacks without local variables, because one of them is the key.
        structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
        structlog.processors.JSONRenderer(ensure_ascii=True, default=str),
    ]


def _for_people(stream: TextIO) -> list[Processor]:
    colors = stream.isatty()
    return [_make_visible, structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)]


def _make_visible(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape control characters, because titles come from outside."""
    return {name: escape_control_characters(value) if isinstance(value, str) else value for name, value in event.items()}

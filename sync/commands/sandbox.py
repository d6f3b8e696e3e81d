"""`sandbox`: serve the sample catalog, or a recording, for app development."""

from __future__ import annotations

import signal
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import click

from sync.commands.base import Context, sync_command
from sync.commands.listing import Parsed, whole_number
from sync.config.settings import parse_duration
from sync.errors import UsageError
from sync.text import count_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync.commands.listing import FC
    from sync.recording.replay import Replay
    from sync.sandbox.responses import Fault
    from sync.sandbox.server import Sandbox


def _number(name: str, default: int, type_: Parsed[int] | type[int], help_text: str, metavar: str = "N") -> Callable[[FC], FC]:
    return click.option(name, default=default, show_default=True, type=type_, metavar=metavar, help=help_text)


def catalog_size(minimum: int = 0) -> Callable[[FC], FC]:
    """Make the option `--templates`."""
    return _number("--templates", 280, whole_number(minimum, 100_000), "Number of templates in the catalog.")


SEED = _number("--seed", 7, int, "Seed of the generated catalog.", metavar="NUMBER")


def _faults(text: str) -> list[Fault]:
    from sync.sandbox.responses import parse_faults

    return parse_faults(text)


@sync_command("Serve a sample catalog on a loopback address, as the API does, until Ctrl-C.", has_effect=True)
@_number("--port", 8455, whole_number(0, 65535), "Port to listen on; 0 selects a free port.", metavar="PORT")
@catalog_size()
@SEED
@_number("--latency-ms", 0, whole_number(0, 60_000), "Delay of each response in milliseconds.")
@click.option(
    "--evolve-every", type=Parsed(parse_duration, "expected {error}."), metavar="DURATION",
    help="Interval, such as 30s, after which the catalog changes as in one week.",
)  # fmt: skip
@click.option(
    "--fault", "faults", multiple=True, type=Parsed(_faults, "expected {error}."), metavar="KIND[:COUNT]",
    help="Fault of the next COUNT requests, or of all: an error code such as 429, 455 or 500; `short`, a page without its last "
    "template; `failed`, a task that fails. Repeatable; see docs/cookbook.md.",
)  # fmt: skip
@click.option("--replay", metavar="FILE", help="Serve a recording of `run --record FILE` instead.")
def command(
    context: Context, *, templates: int, seed: int, evolve_every: float | None, faults: list[list[Fault]], replay: str | None,
    **how: Any,
) -> None:  # fmt: skip
    """Serve the sample catalog, or a recording; `how`: port and latency_ms."""
    from sync.sandbox.catalog import make_catalog
    from sync.sandbox.media_files import MEDIA_PORT
    from sync.sandbox.server import Sandbox

    if replay is None:
        served = make_catalog(templates, seed)
        all_faults = [fault for given in faults for fault in given]
        sandbox = Sandbox(served, evolve_seed=seed, evolve_every=evolve_every, faults=all_faults, media_port=MEDIA_PORT, **how)
        lines = _catalog_lines(sandbox, templates)
    else:
        from sync.recording.replay import open_recording

        _refuse_unused_flags()
        recording = open_recording(replay)
        sandbox = Sandbox((), replay=recording, **how)
        lines = _recording_lines(sandbox, recording, replay)

    stopped: SimpleQueue[None] = SimpleQueue()  # `Event.set` can wait forever in a signal handler that interrupts `Event.wait`
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.put(None))
    with sandbox:
        # If these lines were pasted before, the key is in the settings and would be masked; it is valid for sandboxes only.
        context.out.message("\n".join(lines), reveal=True)
        stopped.get()


def _catalog_lines(sandbox: Sandbox, templates: int) -> list[str]:
    from sync.sandbox.media_files import MEDIA_PORT, MEDIA_URL

    no_media = f"Port {MEDIA_PORT} is in use: unless another sandbox uses it, covers and previews are not served."
    return [
        f"The sample catalog of {count_of(templates, 'template')} is served on {sandbox.url} until Ctrl-C. In another terminal:",
        f"  export CRUN_BASE_URL={sandbox.url} CRUN_API_KEY={sandbox.key}",
        "  template-sync run",
        f"  curl -X POST {sandbox.url}/sandbox/evolve       # one week of changes: additions, removals, prices, titles, tags",
        f"  curl -d 429:3 {sandbox.url}/sandbox/faults      # the next three requests get a 429; all faults: docs/cookbook.md",
        "  template-sync form 104909826 --request                 # a generation request; the sandbox accepts it without cost",
        f"Covers and previews are served under {MEDIA_URL}." if sandbox.serves_media else no_media,
    ]


def _recording_lines(sandbox: Sandbox, recording: Replay, file: str) -> list[str]:
    settings = "".join(f" SYNC_{name.upper()}={value}" for name, value in recording.run.settings.items())
    run = recording.run
    source = f"{file} ({run.started_at}, version {run.program})"
    return [
        f"{count_of(recording.count, 'response')} of {source} are served on {sandbox.url} until Ctrl-C. In another terminal:",
        f"  export CRUN_BASE_URL={sandbox.url} CRUN_API_KEY={sandbox.key}{settings}",
        "  template-sync run --dry-run",
    ]


def _refuse_unused_flags() -> None:
    given = click.get_current_context().get_parameter_source
    flags = {"templates": "--templates", "seed": "--seed", "evolve_every": "--evolve-every", "faults": "--fault"}
    if wrong := [flag for name, flag in flags.items() if given(name) is not click.core.ParameterSource.DEFAULT]:
        raise UsageError(f"{' and '.join(wrong)} cannot be combined with --replay: a recording is served unchanged.")

"""`sandbox`: serve the sample catalog, or a recording, for app development."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import click

from sync.commands.base import Context, sync_command
from sync.commands.listing import WholeNumber
from sync.config.options import parse_duration
from sync.errors import UsageError
from sync.text import count_of

if TYPE_CHECKING:
    from sync.recording.replay import Replay
    from sync.sandbox.responses import Fault
    from sync.sandbox.server import Sandbox


def _duration(_context: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    try:
        return parse_duration(value)
    except ValueError as expected:
        raise click.BadParameter(f"expected {expected}.") from None


def _faults(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> list[Fault]:
    from sync.sandbox.responses import parse_faults

    try:
        return parse_faults(",".join(values))
    except ValueError as expected:
        raise click.BadParameter(f"expected {expected}.") from None


@sync_command("Serve the sample catalog on loopback, in the form of the real endpoint, until Ctrl-C.", has_effect=True)
@click.option(
    "--port",
    default=8455,
    show_default=True,
    type=WholeNumber(0, 65535),
    metavar="PORT",
    help="Port to listen on; 0 selects a free port.",
)
@click.option(
    "--templates",
    default=280,
    show_default=True,
    type=WholeNumber(0, 100_000),
    metavar="N",
    help="Number of templates in the catalog.",
)
@click.option(
    "--seed",
    default=7,
    show_default=True,
    type=int,
    metavar="NUMBER",
    help="Seed of the generated catalog.",
)
@click.option(
    "--latency-ms",
    default=0,
    show_default=True,
    type=WholeNumber(0, 60_000),
    metavar="N",
    help="Delay of each response in milliseconds.",
)
@click.option(
    "--evolve-every",
    callback=_duration,
    metavar="DURATION",
    help="Apply one week of changes at the first request after this time, such as 30s.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    callback=_faults,
    metavar="KIND[:COUNT]",
    help=(
        "Fault of the next COUNT requests, or of all: an error code such as 429, 455 or 500; short, a page without its last "
        "template; failed, a task that fails. May be repeated; see docs/cookbook.md."
    ),
)
@click.option("--replay", metavar="FILE", help="Serve a recording of `run --record FILE` instead; see docs/operations.md.")
def command(
    context: Context,
    *,
    port: int,
    templates: int,
    seed: int,
    latency_ms: int,
    evolve_every: float | None,
    faults: list[Fault],
    replay: str | None,
) -> None:
    """Serve the sample catalog, or a recording."""
    from sync.sandbox.catalog import MEDIA_PORT, make_catalog
    from sync.sandbox.server import Sandbox

    if replay is None:
        sandbox = Sandbox(
            make_catalog(templates, seed),
            port=port,
            latency_ms=latency_ms,
            evolve_seed=seed,
            evolve_every=evolve_every,
            faults=faults,
            media_port=MEDIA_PORT,
        )
        lines = _catalog_lines(sandbox, templates)
    else:
        from sync.recording.replay import open_recording

        _refuse_unused_flags()
        recording = open_recording(replay)
        sandbox = Sandbox((), port=port, latency_ms=latency_ms, replay=recording)
        lines = _recording_lines(sandbox, recording, replay)

    def stop(_number: int, _frame: Any) -> None:
        sandbox.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    # If these lines were pasted before, the key is in the settings and would be masked; it is valid for sandboxes only.
    context.out.message("\n".join(lines), reveal=True)
    sandbox.serve_forever()


def _catalog_lines(sandbox: Sandbox, templates: int) -> list[str]:
    from sync.sandbox.catalog import MEDIA_PORT, MEDIA_URL

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
    """Refuse flags that have no effect with --replay."""
    given = click.get_current_context().get_parameter_source
    flags = {"templates": "--templates", "seed": "--seed", "evolve_every": "--evolve-every", "faults": "--fault"}
    if wrong := [flag for name, flag in flags.items() if given(name) is not click.core.ParameterSource.DEFAULT]:
        raise UsageError(f"{' and '.join(wrong)} cannot be combined with --replay: a recording is served unchanged.")

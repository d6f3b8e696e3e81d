"""`sandbox`: serve the sample catalog until stopped, for developers of apps."""

from __future__ import annotations

import signal
from typing import Any

import click

from sync.commands.edge import Context, sync_command


@sync_command("Serve the sample catalog on loopback until stopped (Ctrl-C), as the real endpoint would.", acts=True)
@click.option("--port", default=8455, show_default=True, type=click.IntRange(0, 65535), help="0 takes any free one.")
@click.option("--templates", default=280, show_default=True, type=click.IntRange(0, 100_000), help="How many the catalog has.")
@click.option("--seed", default=7, show_default=True, type=int, help="Another seed, another catalog.")
@click.option(
    "--latency-ms", default=0, show_default=True, type=click.IntRange(0, 60_000), help="Wait so long before each answer."
)
def command(context: Context, *, port: int, templates: int, seed: int, latency_ms: int) -> None:
    """Serve the sample catalog."""
    from sync.sandbox.catalog import make_catalog
    from sync.sandbox.server import Sandbox

    sandbox = Sandbox(make_catalog(templates, seed), port=port, latency_ms=latency_ms, evolve_seed=seed)

    def stop(_number: int, _frame: Any) -> None:
        sandbox.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    lines = [
        f"The sample catalog of {templates} templates is served on {sandbox.url} until Ctrl-C. In another terminal:",
        f"  export CRUN_BASE_URL={sandbox.url} CRUN_API_KEY={sandbox.key}",
        "  template-sync run",
        f"  curl -X POST {sandbox.url}/sandbox/evolve     # a week passes: new, gone, repriced, renamed, retagged",
    ]
    # Once these lines are pasted, this key is a secret of the settings, but it opens nothing else.
    context.out.message("\n".join(lines), reveal=True)
    sandbox.serve_forever()

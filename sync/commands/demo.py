"""`demo`: synchronise a sample catalog twice, served on loopback; no key and no server are needed."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from sync.commands.base import DATABASE_FLAGS, LOG_FLAGS, Context, now, sync_command
from sync.commands.output import progress_on_terminal
from sync.commands.run import changes_output, finish, open_endpoint, outcome_output
from sync.commands.sandbox import SEED, catalog_size
from sync.commands.site import Folder, describe_build, require_renderer, write
from sync.errors import ConfigurationError
from sync.text import count_of

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

    from sync.sandbox.server import Sandbox
    from sync.synchronise import Outcome


@sync_command(
    "Synchronise a sample catalog from a local server, let it change, synchronise again and show the changes.",
    *DATABASE_FLAGS, *LOG_FLAGS, quiet=True, has_effect=True, json="Print both results as JSON.",
)  # fmt: skip
@catalog_size(minimum=1)
@SEED
@click.option("--site", "folder", metavar="DIR", type=Folder(), help="Also write the gallery to DIR.")
def command(context: Context, *, templates: int, seed: int, folder: Path | None) -> None:
    """Run the demo."""
    if folder is not None:
        context.refuse_file_in_use(str(folder))
        _check_site_folder(folder)
    engine = context.engine()
    context.start_logging(only_if_asked=True)
    from sync.reader.status import overview
    from sync.sandbox.catalog import make_catalog
    from sync.sandbox.server import Sandbox
    from sync.store.schema import prepare

    prepare(engine)
    repeated = overview(engine).present > 0
    _refuse_other_catalog(engine, repeated=repeated)
    where = context.loaded.origins["database_url"].shown
    with Sandbox(make_catalog(templates, seed), evolve_seed=seed) as sandbox:
        if not context.as_json:
            context.out.message(
                f"A sample catalog of {count_of(templates, 'template')} is served on {sandbox.url}; the database is {where}."
            )
            known = "this database holds an earlier demo, so the catalog returns to the start of the week"
            context.out.message(f"\nFirst run: {known if repeated else 'everything is new'}.")
        first = _run(context, engine, sandbox, accept_removals=repeated)
        if not context.as_json:
            finish(context.out, first, json=False, list_changes=False)
            context.out.message("\nA week passes in the catalog. Second run: what changed?")
        evolution = sandbox.evolve()
        second = _run(context, engine, sandbox)
    built = None if folder is None else describe_build(write(context.settings, engine, folder, out=context.out), folder)
    if context.as_json:
        from sync.outputs.commands import Demo

        results = (outcome_output(each, changes_output(each)) for each in (first, second))
        context.out.json(Demo(next(results), evolution, next(results)))
        return
    finish(context.out, second, json=False)
    if built is not None:
        context.out.message(f"\nThe gallery: {built}. Open it in a browser.")
    given = f" --database-url {shlex.quote(where)}" if context.loaded.origins["database_url"].source == "flag" else ""
    context.out.message("\nLook around:")
    example = (*evolution.repriced, *evolution.added)[0]
    for arguments in ("changes", "list --tag Trending", f"history {example}", "tags", "status"):
        context.out.message(f"  template-sync {arguments}{given}")


def _check_site_folder(folder: Path) -> None:
    """Fail before the two runs if the gallery cannot be written."""
    from sync.site.folder import errors_of, refuse_foreign_files

    require_renderer("demo --site")
    with errors_of(folder):
        refuse_foreign_files(folder)


def _run(context: Context, engine: Engine, sandbox: Sandbox, *, accept_removals: bool = False) -> Outcome:
    from sync.logs import log_run
    from sync.store.apply import Store
    from sync.synchronise import options_of, synchronise

    overrides: dict[str, Any] = {"base_url": sandbox.url, "api_key": sandbox.key, "rate": 0.0, "proxy": None}
    settings = replace(context.settings, **overrides)
    with open_endpoint(settings) as endpoint:
        outcome = synchronise(
            Store(engine),
            endpoint,
            options_of(settings, accept_removals=accept_removals),
            trigger="demo",
            ttl=settings.lease_ttl,
            clock=now,
            progress=progress_on_terminal(context.out),
        )
    log_run(outcome)
    if outcome.error:
        raise outcome.error
    return outcome


def _refuse_other_catalog(engine: Engine, *, repeated: bool) -> None:
    """Keep the sample catalog out of a database that holds another one, which it would replace."""
    from sync.config.addresses import LOOPBACK_ORIGIN
    from sync.store.state import recorded_origin

    origin = recorded_origin(engine)
    if origin != LOOPBACK_ORIGIN and (origin is not None or repeated):
        raise ConfigurationError(
            [f"The database holds the catalog of {origin or 'an origin that is not recorded'}, not the demo's."],
            hint="Use a separate database: template-sync demo --database-url sqlite:///demo.db",
        )

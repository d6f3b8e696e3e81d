"""`config`: every setting, its value and its source."""

from __future__ import annotations

from sync.commands.base import AS_JSON, RUN_FLAGS, Context, sync_command


@sync_command("Show every setting, its value and its source; secrets are masked.", *RUN_FLAGS, shows_key=True, json=AS_JSON)
def command(context: Context) -> None:
    """Show the settings."""
    from sync.outputs.commands import Setting

    origins = context.loaded.origins.values()

    rows = [["VARIABLE", "VALUE", "FROM", "MEANING"]]
    rows += [[each.option.variable, each.shown or "-", each.source, each.option.help] for each in origins]
    context.print_rows([Setting(each.option.variable, each.shown or None, each.source) for each in origins], rows)

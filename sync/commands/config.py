"""`config`: every setting, its value and its source."""

from __future__ import annotations

from sync.commands.base import RUN_FLAGS, Context, json_flag, sync_command


@sync_command("Show every setting, its value and its source; secrets are masked.", *RUN_FLAGS, shows_key=True)
@json_flag()
def command(context: Context, *, as_json: bool) -> None:
    """Show the settings."""
    origins = context.loaded.origins
    if as_json:
        from sync.outputs.commands import Setting

        context.out.json([Setting(each.option.variable, each.shown or None, each.source) for each in origins])
        return

    rows = [["VARIABLE", "VALUE", "FROM", "MEANING"]]
    rows += [[each.option.variable, each.shown or "-", each.source, each.option.help] for each in origins]
    context.out.table(rows)

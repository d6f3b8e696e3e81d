"""What commands take on the line, refused there where it cannot be meant: with a usage error, not one of the database's."""

from __future__ import annotations

from typing import Any

import click

from sync.catalog.bounds import LONGEST, storage_flaw

NUMBER = click.IntRange(0, 2**63 - 1)
"""A run's number or a `seq`; the databases hold no larger one."""


class TemplateId(click.ParamType[str]):
    """A template's id, as the catalog could have sent it."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what no template can be called."""
        text = str(value)
        if not text or len(text) > LONGEST["TemplateId"]:
            self.fail(f"an id has 1 to {LONGEST['TemplateId']} characters, this one has {len(text)}.", param, ctx)
        if flaw := storage_flaw(text):
            self.fail(f"an id cannot hold {flaw}.", param, ctx)
        return text


TEMPLATE_ID = TemplateId()

"""`form ID`: the JSON Schema of one template's generation request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sync.commands.arguments import TEMPLATE_ID
from sync.commands.edge import DATABASE_FLAGS, Context, sync_command

if TYPE_CHECKING:
    from sync.catalog.template import Document


@sync_command("Give the JSON Schema (2020-12) of the `input` of one template's generation request.", *DATABASE_FLAGS)
@click.argument("template_id", metavar="ID", type=TEMPLATE_ID)
@click.option("--json", is_flag=True, expose_value=False, help="As without it: a schema is JSON.")
def command(context: Context, *, template_id: str) -> None:
    """Print the JSON Schema of one template's generation input."""
    from sync.reader.catalog import template

    context.out.json(schema(template(context.engine(), template_id)))


def schema(document: Document) -> dict[str, Any]:
    """Describe the request's input: exactly so many image URLs as the template takes, and a resolution that has a price."""
    images: dict[str, Any] = {
        "type": "array",
        "title": "Images",
        "description": f"Image URLs, in order. Requirement: {document['input_requirement'] or 'none stated'}.",
        "items": {"type": "string", "format": "uri", "pattern": "^https?://"},
    }
    if document["input_num"] is not None:
        images |= {"minItems": document["input_num"], "maxItems": document["input_num"]}
    resolution: dict[str, Any] = {"type": "string", "title": "Resolution"}
    if document["consume_items"]:
        resolution["oneOf"] = [
            {"const": item["resolution"], "title": f"{item['resolution']} ({item['credit']} credits)"}
            for item in document["consume_items"]
        ]
        resolution["enum"] = [item["resolution"] for item in document["consume_items"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": document["title_en"] or document["title"] or document["template_id"],
        "type": "object",
        "properties": {
            "template_id": {"const": document["template_id"]},
            "img_urls": images,
            "resolution": resolution,
        },
        "required": ["template_id", "img_urls", "resolution"],
        "additionalProperties": False,
    }

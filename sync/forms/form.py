"""PURE. The form of one template: what the `input` of its generation request must be, as a JSON Schema (2020-12).

It says only what the catalog says: so many images, one of the resolutions that have a price. What a template's record leaves out
is left open. It follows from what a template *means*: a catalog that serves the same prices in another order has the same form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sync.catalog.document import plain_hash
from sync.text import some_of

if TYPE_CHECKING:
    from sync.catalog.template import Document
    from sync.forms.validation import Problem

HTTP_URL = r"^(?![\s\S]*\s)https?://[^/?#]"
"""An http or https URL with a host, and no space or line break anywhere; read alike by Python and by JavaScript."""
DOCUMENTED_RESOLUTION = "720p"
"""Stands in an example where a template names no resolution: the one that the vendor's own example has."""


@dataclass(frozen=True, slots=True)
class Form:
    """The form of one template.

    Attributes:
        document: the template, as `sync.catalog.template.document` writes it.
    """

    document: Document

    @property
    def schema(self) -> dict[str, Any]:
        """Write the form as a closed JSON Schema (2020-12); each call gives one of its own."""
        document = self.document
        images: dict[str, Any] = {
            "type": "array",
            "title": "Images",
            "description": f"Image URLs, in order. Requirement: {document['input_requirement'] or 'none stated'}.",
            "items": {"type": "string", "format": "uri", "pattern": HTTP_URL},
        }
        if document["input_num"] is not None:
            images |= {"minItems": document["input_num"], "maxItems": document["input_num"]}
        resolution: dict[str, Any] = {"type": "string", "title": "Resolution"}
        if prices := _cheapest_first(document):
            resolution["oneOf"] = [
                {"const": item["resolution"], "title": f"{item['resolution']} ({item['credit']} credits)"} for item in prices
            ]
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": document["title_en"] or document["title"] or document["template_id"],
            "type": "object",
            "properties": {
                "template_id": {"const": document["template_id"], "readOnly": True},
                "img_urls": images,
                "resolution": resolution,
            },
            "required": ["template_id", "img_urls", "resolution"],
            "additionalProperties": False,
        }

    def example(self, resolution: str | None = None) -> dict[str, Any]:
        """Make an input that fits; its image URLs are placeholders.

        Args:
            resolution: one that has a price; the cheapest if None.

        Raises:
            ValueError: the template has no price at this resolution.
        """
        offered = [item["resolution"] for item in _cheapest_first(self.document)]
        if resolution is not None and offered and resolution not in offered:
            raise ValueError(f"there is no price at {resolution!r}; there is one at {some_of(offered)}")
        number = self.document["input_num"]
        return {
            "template_id": self.document["template_id"],
            "img_urls": [f"https://example.com/image-{place}.png" for place in range(1, 1 + (1 if number is None else number))],
            "resolution": resolution if resolution is not None else next(iter(offered), DOCUMENTED_RESOLUTION),
        }

    def validate(self, input: Any) -> list[Problem]:  # noqa: A002 - the request calls it so
        """Tell what is wrong with an input, one problem a mistake, in the order of the fields; none if it fits.

        Args:
            input: a JSON value, as `json.loads` gives it.

        Raises:
            MissingExtra: the library that checks is not installed.
        """
        from sync.forms.validation import problems

        return problems(self.schema, input)

    @property
    def hash(self) -> str:
        """Hash the schema (SHA-256, in hex, of its JSON with sorted keys and no spaces, in UTF-8): equal hashes, equal forms."""
        return plain_hash(self.schema)


def _cheapest_first(document: Document) -> list[dict[str, Any]]:
    """Sort the prices: the order in which they were served may change without a change to tell, the form's hash may not."""
    return sorted(document["consume_items"], key=lambda item: (item["credit"], item["resolution"]))

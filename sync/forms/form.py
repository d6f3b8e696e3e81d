"""PURE. The form of one template: the JSON Schema (2020-12) of the `input` of its generation request, and the request itself.

The schema contains only facts of the catalog: the number of images, the resolutions with a price. Other values are free.
It does not depend on the order of the prices. The request follows the vendor's page of `bytedance/template`; notes name what that
page leaves open. This program never sends the request, because it costs credits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sync.catalog.document import plain_hash
from sync.text import join_limited

if TYPE_CHECKING:
    from sync.catalog.document import Document
    from sync.forms.validation import Problem


HTTP_URL = r"^(?![\s\S]*\s)https?://[^/?#]"
"""An http or https URL with a host and without whitespace; a pattern with the same meaning in Python and JavaScript."""
API_ORIGIN = "https://api.crun.ai"
"""The origin of the API."""
DOCUMENTED_RESOLUTION = "720p"
"""The resolution of the vendor's example, for a template without prices."""


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a template's generation request: which input the API accepts.

    Attributes:
        document: the template as the database stores it.
        removed_at: when the template was removed, in ISO 8601; None while it is present.
    """

    document: Document
    removed_at: str | None = None

    @property
    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema (2020-12) of the input, a new object for each call.

        For a removed template, which the API no longer accepts, it has `deprecated: true`, and a `$comment` with the time.
        """
        gone = {"deprecated": True, "$comment": f"This template was removed at {self.removed_at}."} if self.removed_at else {}
        return {**self._present, **gone}

    @property
    def _present(self) -> dict[str, Any]:
        """The schema without the removal."""
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
        """Return a valid input with placeholders as image URLs.

        Args:
            resolution: a resolution with a price; None: the cheapest one.

        Raises:
            ValueError: the template has no price at this resolution.
        """
        offered = [item["resolution"] for item in _cheapest_first(self.document)]
        if resolution is not None and offered and resolution not in offered:
            raise ValueError(f"there is no price at {resolution!r}; there is one at {join_limited(offered)}")
        return {
            "template_id": self.document["template_id"],
            "img_urls": _placeholders(self._number_of_images),
            "resolution": resolution if resolution is not None else next(iter(offered), DOCUMENTED_RESOLUTION),
        }

    def validate(self, input: Any) -> list[Problem]:  # noqa: A002 - the request calls it so
        """Return the errors of an input, in the order of the fields; an empty list for a valid input.

        Args:
            input: a JSON value, as `json.loads` returns it.

        Raises:
            MissingExtra: jsonschema is not installed.
        """
        from sync.forms.validation import problems

        return problems(self.schema, input)

    def request(self, input: Mapping[str, Any], *, base_url: str = API_ORIGIN) -> dict[str, Any]:  # noqa: A002 - its name in the API
        """Return the generation request with this input, as `form ID --request --json` prints it. Nothing is sent.

        The keys are `method`, `url`, `headers` (with a placeholder for the key), `body`, `credit` (the price; None if unknown),
        `notes` and `removed_at`.

        Args:
            input: the input; it is not validated.
            base_url: the origin of the API.

        Raises:
            ValueError: the input is not a mapping.
        """
        if not isinstance(input, Mapping):
            raise ValueError(f"input: a mapping, not {type(input).__name__}.")  # noqa: TRY004 - as for every argument
        prices = {item["resolution"]: item["credit"] for item in self.document["consume_items"]}
        wanted = input.get("resolution")
        credit = prices.get(wanted) if isinstance(wanted, str) else None
        given, number = input.get("img_urls"), self._number_of_images
        is_example = isinstance(given, list) and len(given) == number and given == _placeholders(number)
        notes = _notes(self.document, credit, is_example=is_example)
        if self.removed_at:
            notes.append(f"The template was removed at {self.removed_at}; the API does not accept the request.")
        return {
            "method": "POST",
            "url": base_url + JOB_PATH,
            "headers": {"Content-Type": "application/json", "x-api-key": "$CRUN_API_KEY"},
            "body": {"model": MODEL, "input": dict(input)},
            "credit": credit,
            "notes": notes,
            "removed_at": self.removed_at,
        }

    @property
    def _number_of_images(self) -> int:
        number: int | None = self.document["input_num"]
        return 1 if number is None else number

    @property
    def hash(self) -> str:
        """Return the hash of the schema: SHA-256, in hexadecimal, of its JSON with sorted keys, without spaces, in UTF-8.

        The hash ignores `deprecated` and `$comment`, so a removal does not change it.
        """
        return plain_hash(self._present)


def _cheapest_first(document: Document) -> list[dict[str, Any]]:
    """Sort the prices, because their served order must not change the form's hash."""
    return sorted(document["consume_items"], key=lambda item: (item["credit"], item["resolution"]))


JOB_PATH = "/api/v1/client/job/CreateTask"
MODEL = "bytedance/template"
REQUEST_SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "model": {"const": MODEL},
        "input": {"type": "object"},
        "callback_url": {"type": "string", "format": "uri", "pattern": HTTP_URL},
    },
    "required": ["model", "input"],
    "additionalProperties": False,
}
"""The JSON Schema of the request around the input, for every template."""


def _placeholders(number: int) -> list[str]:
    return [f"https://example.com/image-{place}.png" for place in range(1, 1 + number)]


def _notes(document: dict[str, Any], credit: float | None, *, is_example: bool) -> list[str]:
    """Name the placeholders, and what the catalog does not state."""
    notes = ["x-api-key takes your API key; $CRUN_API_KEY is a placeholder."]
    if is_example and document["input_num"] != 0:
        notes.append("The img_urls are placeholders: replace them with public URLs of your images, in order.")
    if is_example and document["input_num"] is None:
        notes.append("The catalog does not state the number of images for this template; one is shown.")
    if document["input_requirement"]:
        notes.append(f"The images must meet this requirement: {document['input_requirement']}.")
    if is_example and not document["consume_items"]:
        notes.append(
            f"The catalog names no resolution for this template; {DOCUMENTED_RESOLUTION} stands in the vendor's own example."
        )
    notes.append("callback_url, next to model and input, is optional: a URL that is called when the task has ended.")
    notes.append("The credits that it spends are unknown." if credit is None else f"A request to Crun spends {credit} credits.")
    return notes

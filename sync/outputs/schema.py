"""PURE. The JSON Schema (2020-12) of every output, made from the structs."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

import msgspec

from sync.outputs import catalog, commands, tools, webhooks
from sync.outputs.catalog import doc

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
VERSION = 1
"""Incremented when a schema rejects what the previous one accepted; a new key does not increment it."""

Sentence = Annotated[str, doc("a sentence")]

NAMED: dict[str, tuple[str, Any]] = {
    "run": ("`run`, `refresh`: the run and its changes", commands.Outcome),
    "demo": ("`demo`: two runs, and the changes of the sample catalog between them", commands.Demo),
    "site": ("`site`: the files written", commands.SiteBuilt),
    "site-catalog": ("`site`: the file `catalog.json`, the catalog", list[catalog.Template]),
    "site-changes": ("`site`: the file `changes.json`, the newest changes, oldest first", list[catalog.Change]),
    "status": ("`status`: the state of the database and of synchronisation", commands.Status),
    "runs": ("`runs`: runs, newest first", list[catalog.Run]),
    "rejected": ("`runs --rejected RUN`: the records that the run rejected", list[commands.RejectedRecord]),
    "changes": ("`changes`: the change feed, oldest first", list[catalog.Change]),
    "change": ("`changes --follow`: one change per line", catalog.Change),
    "cursor-lost": ("`changes --since`: the error of a lost cursor", commands.LostCursor),
    "pending": ("`changes --pending`: missing templates that are kept", list[commands.PendingRemoval]),
    "history": ("`history ID`: the changes of one template, oldest first", list[catalog.Change]),
    "diff": ("`diff`: the differences between the catalogs at two points in time", list[catalog.NetChange]),
    "list": ("`list`: the templates that match the filters", list[catalog.Template]),
    "show": ("`show ID`: one template, present or removed", catalog.ShownTemplate),
    "export": ("`export --format json`: the catalog; `jsonl` has one template per line", list[catalog.Template]),
    "export-with-cursor": ("`export --format json --with-cursor`: the catalog and its cursor", commands.CatalogAt),
    "export-cursor": ("`export --with-cursor`: the first line of `jsonl`", commands.FirstLine),
    "tags": ("`tags`: the tags of present templates, most frequent first", list[commands.TagCount]),
    "types": ("`types`: the types of present templates, most frequent first", list[commands.TypeCount]),
    "form": ("`form ID`: a JSON Schema of the input of a generation request", commands.GenerationForm),
    "form-example": ("`form ID --example`: a valid input", commands.GenerationInput),
    "form-request": ("`form ID --request`: the complete request", commands.GenerationRequest),
    "form-check": ("`form ID --validate FILE`: whether an input is valid", commands.InputCheck),
    "config": ("`config`: the settings", list[commands.Setting]),
    "doctor": ("`doctor`: the checks", list[commands.Check]),
    "db-current": ("`db current`: the schema version of the tables", commands.TablesVersion),
    "db-origin": ("`db origin`: the recorded and the configured origin of the API", commands.CatalogOrigin),
    "db-check": ("`db check`: the differences, one sentence each; empty if there are none", list[Sentence]),
    "lease": ("`lease show`: the lease", commands.Lease),
    "prune": ("`prune`: the number of deleted rows", commands.Pruned),
    "schema": ("`schema`: the names of the schemas", list[commands.SchemaName]),
    "webhooks-list": ("`webhooks list`: the endpoints and their delivery positions", list[webhooks.WebhookEndpoint]),
    "webhooks-deliver": ("`webhooks deliver`: the result of each delivery that was started", list[webhooks.Delivery]),
    "webhooks-test": ("`webhooks test NAME`: the response of the endpoint", webhooks.WebhookAnswer),
    "template.added": ("webhook: a template was added", webhooks.TemplateAdded),
    "template.changed": ("webhook: a template changed", webhooks.TemplateChanged),
    "template.removed": ("webhook: a template was removed", webhooks.TemplateRemoved),
    "catalog.changed": ("webhook: one run changed the catalog", webhooks.CatalogChanged),
    "webhook.test": ("webhook: a test message of `webhooks test`", webhooks.WebhookTest),
    **{f"mcp.{name}": (f"`mcp`: the result of the tool `{name}`", tool.answer) for name, tool in tools.TOOLS.items()},
    **{
        f"mcp.{name}.arguments": (f"`mcp`: the arguments of the tool `{name}`", tool.arguments)
        for name, tool in tools.TOOLS.items()
    },
}
"""Name -> what prints it, and its type."""


def schema(name: str) -> Schema:
    """Return the schema of one output with every definition that it refers to.

    Raises:
        KeyError: there is no such name.
    """
    what, form = NAMED[name]
    return {"$schema": DIALECT, "$id": identifier(name), "$comment": what, **self_contained(form)}


@cache
def self_contained(form: Any) -> Schema:
    """Return the schema of a type with the definitions that it refers to under `$defs`."""
    (root,), found = msgspec.json.schema_components([form])
    found = _with_unions(found)
    if "$ref" in root:  # no struct refers to itself
        root = found.pop(form.__name__)
    written: Schema = _adapted({**root, **({"$defs": found} if found else {})})
    return written


def types() -> Schema:
    """Return the schema of every struct by its name, without those of the kinds of changes."""
    written: Schema = _adapted(msgspec.json.schema_components([form for _, form in NAMED.values()])[1])
    return written


def everything() -> Schema:
    """Return the schemas of all outputs as the `$defs` of one, for generators of types. It describes no output itself."""
    roots, found = msgspec.json.schema_components([form for _, form in NAMED.values()])
    found = _with_unions(found)
    lists = {
        name: {"title": f"{name.title().replace('-', '')}Output", "description": NAMED[name][0], **root}
        for name, root in zip(NAMED, roots, strict=True)
        if "$ref" not in root
    }
    head = {"$schema": DIALECT, "$id": identifier("all"), "title": "Everything", "description": "All JSON outputs."}
    return {**head, "$defs": _adapted({**found, **lists})}


def identifier(name: str) -> str:
    """Return the permanent ID of a schema. It is not a URL: nothing is served there."""
    return f"urn:crun-template-sync:schema:{VERSION}:{name}"


_TEMPLATE, _NULL = {"$ref": "#/$defs/Template"}, {"type": "null"}
_KINDS: dict[str, Schema] = {
    "added": {"document": _TEMPLATE, "before": _NULL},
    "changed": {"document": _TEMPLATE, "before": _NULL},
    "removed": {"document": _NULL, "before": {"anyOf": [_TEMPLATE, _NULL]}},
}


def _with_unions(found: Schema) -> Schema:
    """Replace each type of change by a union of one type for each kind, so that `kind` decides which templates are null."""
    written: Schema = {}
    for name, shape in found.items():
        if not name.endswith("Change") or "kind" not in shape.get("properties", {}):
            written[name] = shape
            continue
        members = {f"{kind.title()}{name}": _narrowed(shape, kind, values) for kind, values in _KINDS.items()}
        union = [{"$ref": f"#/$defs/{member}"} for member in members]
        written |= {name: {"title": name, "description": shape["description"], "anyOf": union}, **members}
    return written


def _narrowed(shape: Schema, kind: str, values: Schema) -> Schema:
    """Return the type of a change for one kind, with the values of its templates."""
    properties = dict(shape["properties"])
    properties["kind"] = {"enum": [kind], "description": "kind of change", "type": "string"}
    for name, value in values.items():
        properties[name] = {"description": properties[name]["description"], **value}
    return {**shape, "title": f"{kind.title()}{shape['title']}", "properties": properties}


def _adapted(shape: Any) -> Any:
    """Put a description beside an `allOf`: next to a `$ref` generators of types take it for a type of its own."""
    if not isinstance(shape, dict):  # a list has no described reference
        return shape
    if "$ref" in shape and len(shape) > 1:
        return {"allOf": [{"$ref": shape["$ref"]}], **{name: value for name, value in shape.items() if name != "$ref"}}
    return {name: _adapted(value) for name, value in shape.items()}

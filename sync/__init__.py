"""Synchronise Crun's catalog of ByteDance video-effect templates into a database.

For apps that read it:

    from sync import Catalog

    with Catalog("sqlite:///templates.db") as catalog:
        for template in catalog.templates(tag="Festival", max_price=200, sort="price"):
            print(template.template_id, template.title_en, template.prices)

Each name is imported at its first use, so `import sync` is fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sync.api import Catalog  # noqa: I001 - as in the table below
    from sync.errors import (
        CatalogError, ConfigurationError, CursorLost, DatabaseError, LeaseBusy, MissingExtra, NoSuchPast, Pruned, SchemaError,
        SyncError, TryLater, UnknownRun, UnknownTemplate,
    )  # fmt: skip
    from sync.forms.form import Form
    from sync.forms.validation import Problem
    from sync.reader.values import (
        CatalogStatus, Change, FieldChange, Page, Price, PricePeriod, Tag, TagCount, Template, TypeCount,
    )  # fmt: skip

__version__ = "1.0.0"

_EXPORTS = {
    "sync.api": ("Catalog",),
    "sync.forms.form": ("Form",),
    "sync.forms.validation": ("Problem",),
    "sync.errors": (
        "CatalogError", "ConfigurationError", "CursorLost", "DatabaseError", "LeaseBusy", "MissingExtra", "NoSuchPast", "Pruned",
        "SchemaError", "SyncError", "TryLater", "UnknownRun", "UnknownTemplate",
    ),
    "sync.reader.values": (
        "CatalogStatus", "Change", "FieldChange", "Page", "Price", "PricePeriod", "Tag", "TagCount", "Template", "TypeCount",
    ),
}  # fmt: skip
_MODULE_OF = {name: module for module, names in _EXPORTS.items() for name in names}

__all__ = [  # noqa: RUF022 - in the order of docs/python.md
    "Catalog", "Page", "Template", "Tag", "Price", "PricePeriod", "TagCount", "TypeCount",
    "Change", "FieldChange", "CatalogStatus",
    "Form", "Problem",
    "SyncError", "CatalogError", "UnknownTemplate", "UnknownRun", "NoSuchPast", "Pruned", "CursorLost",
    "ConfigurationError", "DatabaseError", "SchemaError", "TryLater", "LeaseBusy", "MissingExtra",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'sync' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

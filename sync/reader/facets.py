"""Which tags and types there are, and how many of the present templates have each; the commonest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.store.engine import reading
from sync.store.schema import require_current
from sync.store.tables import tags, template_tags, templates

if TYPE_CHECKING:
    from sync.store.engine import Source

_PRESENT = templates.c.removed_at.is_(None)


def tag_counts(source: Source) -> list[dict[str, Any]]:
    """Count the present templates of each tag that any has: `name`, `name_en`, `templates`."""
    number = sa.func.count(template_tags.c.template_id.distinct()).label("templates")
    query = (
        sa.select(tags.c.name, tags.c.name_en, number)
        .join(template_tags, template_tags.c.tag_id == tags.c.tag_id)
        .join(templates, templates.c.template_id == template_tags.c.template_id)
        .where(_PRESENT)
        .group_by(tags.c.tag_id, tags.c.name, tags.c.name_en)
    )
    return _counted(source, query)


def type_counts(source: Source) -> list[dict[str, Any]]:
    """Count the present templates of each type: `type`, null where the catalog gives none, and `templates`."""
    query = sa.select(templates.c.template_type.label("type"), sa.func.count().label("templates")).where(_PRESENT)
    return _counted(source, query.group_by(templates.c.template_type))


def _counted(source: Source, query: sa.Select[Any]) -> list[dict[str, Any]]:
    """Read counts; put into order here, because the engines order letters differently."""
    with reading(source) as connection:
        require_current(connection)
        found = [dict(row) for row in connection.execute(query).mappings()]
    return sorted(found, key=lambda row: (-row["templates"], *((row[name] or "") for name in row if name != "templates")))

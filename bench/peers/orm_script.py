"""A peer: a usual script with SQLAlchemy's ORM. It reads, merges and commits every page.

    python bench/peers/orm_script.py BASE_URL DATABASE_URL

Pages are requested one after another, without retries and safety rules; the feed has the names of changed fields; there is no
history.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import httpx
from sqlalchemy import BigInteger, ForeignKey, String, Text, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload

PATH = "/api/v1/client/job/bytedance-templates"


class Base(DeclarativeBase):
    """The tables."""


class Template(Base):
    """A template."""

    __tablename__ = "templates"
    template_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    media_id: Mapped[str] = mapped_column(String(64))
    service_id: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(255))
    title_en: Mapped[str] = mapped_column(String(255))
    cover: Mapped[str] = mapped_column(Text)
    preview: Mapped[str] = mapped_column(Text)
    duration: Mapped[int]
    kind: Mapped[str] = mapped_column(String(64))
    requirement: Mapped[str] = mapped_column(String(64))
    images: Mapped[int]
    released: Mapped[int] = mapped_column(BigInteger)
    ratio: Mapped[str] = mapped_column(String(16))
    ratios: Mapped[str] = mapped_column(String(64))
    removed_at: Mapped[datetime | None]
    prices: Mapped[list[Price]] = relationship(cascade="all, delete-orphan", order_by="Price.place")
    tags: Mapped[list[Tag]] = relationship(cascade="all, delete-orphan", order_by="Tag.place")


class Price(Base):
    """One price of a template."""

    __tablename__ = "prices"
    template_id: Mapped[str] = mapped_column(ForeignKey("templates.template_id"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    resolution: Mapped[str] = mapped_column(String(16))
    credit: Mapped[float]


class Tag(Base):
    """One tag of a template."""

    __tablename__ = "template_tags"
    template_id: Mapped[str] = mapped_column(ForeignKey("templates.template_id"), primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    name_en: Mapped[str] = mapped_column(String(64))


class Change(Base):
    """One line of the feed."""

    __tablename__ = "changes"
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    template_id: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(16))
    fields: Mapped[str] = mapped_column(Text)


def values(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record's plain columns."""
    return {
        "media_id": record["MediaId"],
        "service_id": record["ServiceId"],
        "title": record["Title"],
        "title_en": record["Title_en"],
        "cover": record["Cover"],
        "preview": record["PreviewVideo"],
        "duration": record["Duration"],
        "kind": record["TemplateType"],
        "requirement": record["InputRequirement"],
        "images": record["InputNum"],
        "released": record["ReleaseOnlineTime"],
        "ratio": record["CoverAspectRatio"],
        "ratios": record["SupportAspectRatio"],
        "removed_at": None,
    }


def merge(session: Session, record: dict[str, Any], found: Template | None, now: datetime) -> None:
    """Update one template to the served record."""
    key, new = record["TemplateId"], values(record)
    prices = [(item["Resolution"], item["Credit"]) for item in record["ConsumeItems"]]
    tags = list(zip(record["Tags"], record["Tags_en"], strict=True))
    if found is None:
        found = Template(template_id=key, **new)
        session.add(found)
        changed = None
    else:
        changed = [name for name, value in new.items() if getattr(found, name) != value]
        for name in changed:
            setattr(found, name, new[name])
        changed += ["prices"] * ([(each.resolution, each.credit) for each in found.prices] != prices)
        changed += ["tags"] * ([(each.name, each.name_en) for each in found.tags] != tags)
    if changed is None or "prices" in changed:
        found.prices = [Price(place=place, resolution=name, credit=credit) for place, (name, credit) in enumerate(prices)]
    if changed is None or "tags" in changed:
        found.tags = [Tag(place=place, name=name, name_en=name_en) for place, (name, name_en) in enumerate(tags)]
    if changed is None or changed:
        kind, fields = ("added", "") if changed is None else ("changed", ",".join(changed))
        session.add(Change(at=now, template_id=key, kind=kind, fields=fields))


def main(base_url: str, database_url: str) -> None:
    """Synchronise once."""
    engine = create_engine(
        database_url.replace("postgresql://", "postgresql+psycopg://").replace("mariadb://", "mysql+pymysql://")
    )
    Base.metadata.create_all(engine)
    now, served, page, total = datetime.now(UTC).replace(tzinfo=None), set[str](), 1, 1
    whole = select(Template).options(selectinload(Template.prices), selectinload(Template.tags))
    with httpx.Client(headers={"x-api-key": "k"}) as client, Session(engine) as session:
        while len(served) < total:
            data = client.get(base_url + PATH, params={"page": page, "page_size": 50}).json()["data"]
            ids = [record["TemplateId"] for record in data["templates"]]
            found = {each.template_id: each for each in session.scalars(whole.where(Template.template_id.in_(ids)))}
            for record in data["templates"]:
                merge(session, record, found.get(record["TemplateId"]), now)
            session.commit()
            session.expunge_all()
            page, total = page + 1, data["total"]
            served.update(ids)
        present = set(session.scalars(select(Template.template_id).where(Template.removed_at.is_(None))))
        for key in sorted(present - served):
            session.get_one(Template, key).removed_at = now
            session.add(Change(at=now, template_id=key, kind="removed", fields=""))
        session.commit()
    print(f"{len(served)} served, {len(present - served)} removed")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

"""Sites for the tests: small catalogs with a history, written into a folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from sync.sandbox.media_files import PREVIEW_URL, cover_url, read_media
from sync.site.build import Options, build
from sync.site.covers import MediaCopier
from tests.builders import record, records, run_with, ticking

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sqlalchemy import Engine

    from sync.outputs.commands import SiteBuilt

WEEKS = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 8, 15)]
CAT = record("1", Title="猫咪变身特效", Title_en="Kitty Café", Tags=["宠物"], Tags_en=["Pets"], ReleaseOnlineTime=1779421053)
DUO = record(
    "2", Title="双人舞会", Title_en="Ball for Two", InputNum=2, InputRequirement="DOUBLE_PERSON", TemplateType="BEGIN_FRAME",
    ConsumeItems=[{"Resolution": "720p", "Credit": 99}], CoverAspectRatio="16:9", SupportAspectRatio="16:9",
    ReleaseOnlineTime=1779421052,
)  # fmt: skip
BATTLE = record("104909826", ConsumeItems=[{"Resolution": "480p", "Credit": 166.5}, {"Resolution": "1080p", "Credit": 800}])
FIRST = [CAT, DUO, BATTLE, record("4", Title_en="Gone Soon")]
CHEAPER = {**BATTLE, "ConsumeItems": [{"Resolution": "480p", "Credit": 149.85}, {"Resolution": "1080p", "Credit": 800}]}
THEN = [record("5", Title_en="Fresh", Title="新的", ReleaseOnlineTime=1779421060), CAT, DUO, CHEAPER]
HELD = (records(30), [*records(14), record("15", InputNum="many")])
"""In the second week 15 removals are held and a record is rejected."""

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c020000000b4944415478da6364f80f00010501012718e366"
    "0000000049454e44ae426082"
)
"""An image, as PNG."""


@dataclass(frozen=True)
class Site:
    """A site, and the database from which it is built."""

    folder: Path
    engine: Engine

    def build(self, **options: Any) -> SiteBuilt:
        hooks = {name: options.pop(name, None) for name in ("copy_media", "progress")}
        return build(
            self.engine, self.folder, Options(**{"api_url": "https://api.crun.ai", "stale_after": 3600.0, **options}), **hooks
        )

    def after(self, *catalogs: Sequence[dict[str, Any]], max_removed: Decimal = Decimal(1), **options: Any) -> Self:
        """Synchronise one catalog per week, and build."""
        weeks(self.engine, *catalogs, max_removed=max_removed)
        self.build(**options)
        return self

    def text(self, path: str) -> str:
        return (self.folder / path).read_text(encoding="utf-8")

    def times(self) -> dict[str, int]:
        """Return when each file was last written."""
        return {str(file.relative_to(self.folder)): file.stat().st_mtime_ns for file in self.folder.rglob("*") if file.is_file()}


def weeks(engine: Engine, *catalogs: Sequence[dict[str, Any]], max_removed: Decimal = Decimal(1)) -> None:
    """Synchronise one catalog per week."""
    for catalog, start in zip(catalogs, WEEKS, strict=False):
        run_with(catalog, engine, clock=ticking(start), max_removed=max_removed)


def bare(template_id: str, **changes: Any) -> dict[str, Any]:
    """Return a record without media."""
    return record(template_id, Cover=None, PreviewVideo=None, **changes)


def sample_media() -> MediaCopier:
    """Copy covers and previews of the sandbox instead of fetching `ID.webp` and `ID.mp4`."""
    ratios = {each["TemplateId"]: each["CoverAspectRatio"] for each in (*FIRST, *THEN)}

    def get(url: str) -> bytes:
        file = PurePath(url)
        found = read_media(urlsplit(PREVIEW_URL if file.suffix == ".mp4" else cover_url(file.stem, ratios[file.stem])).path)
        assert found is not None
        return found[1]

    return MediaCopier(get, sample=True)

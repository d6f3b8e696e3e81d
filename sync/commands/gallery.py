"""What `site`, `demo`, `run`, `refresh` and `daemon` share of the gallery."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sync.errors import MissingExtra, SyncError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from sync.catalog.template import Document
    from sync.config.settings import Settings
    from sync.outputs.commands import SiteBuilt
    from sync.site.build import Options
    from sync.site.covers import Keeper


def require_gallery(settings: Settings) -> None:
    """Refuse to begin where the gallery is asked for and cannot be made.

    Raises:
        MissingExtra: what renders it is not installed.
    """
    if settings.site_dir is not None:
        require_renderer("SYNC_SITE_DIR")


def require_renderer(asked_by: str) -> None:
    """Refuse to begin what could not be shown in the end.

    Raises:
        MissingExtra: what renders the gallery is not installed.
    """
    from importlib.util import find_spec

    if find_spec("jinja2") is None:
        raise MissingExtra(asked_by, "Jinja2", "site")


def keep_gallery(settings: Settings, engine: Engine) -> bool | None:
    """Bring the gallery of SYNC_SITE_DIR up to date, if one is asked for; tell whether that worked.

    Whatever goes wrong is logged, and no run's failure: the catalog is right, and the next run tries again.
    """
    if settings.site_dir is None:
        return None
    from sync.logs import get_logger

    try:
        built = write(settings, engine, Path(settings.site_dir))
    except SyncError as error:
        get_logger().warning("site_not_written", reason=str(error), hint=error.hint)
        return False
    except Exception as surprise:  # noqa: BLE001 - a bug in what only shows the catalog must not stop what keeps it
        get_logger().error("site_not_written", exc_info=surprise)
        return False
    if built.written:
        counts = {name: getattr(built, name) for name in built.__struct_fields__}
        get_logger().info("site_written", folder=settings.site_dir, **counts)
    return True


def write(
    settings: Settings, engine: Engine, folder: Path, *, site_url: str | None = None, covers: bool | None = None
) -> SiteBuilt:  # fmt: skip
    """Write the gallery into a folder; `covers` stands for SYNC_SITE_COVERS if it is given."""
    from sync.site.build import build

    wanted = settings.site_covers if covers is None else covers
    return build(engine, folder, options_of(settings, site_url), keep=keeper_of(settings, engine, covers=wanted))


def options_of(settings: Settings, site_url: str | None = None) -> Options:
    """Build a site's options from the settings."""
    from sync.site.build import Options

    return Options(settings.base_url, settings.staleness_budget, site_url)


def keeper_of(settings: Settings, engine: Engine, *, covers: bool) -> Keeper | None:
    """Choose what puts pictures beside the pages: for the sandbox's catalog, the files that the sandbox serves."""
    from sync.reader.sample_catalog import has_covers_at
    from sync.sandbox.media_files import MEDIA_URL
    from sync.site.covers import Keeper

    if has_covers_at(engine, MEDIA_URL):
        return Keeper(_sample_media, ("cover_url", "preview_video_url"), removed=True)
    if not covers:
        return None
    from sync.client.network import Network
    from sync.site.fetch import Fetch

    return Keeper(Fetch(Network.of(settings)))


def _sample_media(url: str, _document: Document) -> bytes:
    from sync.sandbox.media_files import read_media

    found = read_media(urlsplit(url).path)
    return b"" if found is None else found[1]

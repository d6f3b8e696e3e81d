"""`site`: write the gallery; also used by `demo`, and by runs, which keep it up to date."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from sync.commands.base import DATABASE_FLAGS, Context, sync_command
from sync.commands.output import progress_on_terminal
from sync.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

    from sync.commands.output import Output
    from sync.config.settings import Settings
    from sync.outputs.commands import SiteBuilt
    from sync.site.covers import MediaCopier


class Folder(click.Path):
    """A directory to write to; an empty name, as of an unset variable, is refused, because it would mean the current one."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert the name."""
        if value == "":
            self.fail("the name of the directory is empty.", param, ctx)
        return super().convert(value, param, ctx)


def require_renderer(required_by: str) -> None:
    """Raise MissingExtra if the gallery cannot be rendered, without importing Jinja2."""
    from importlib.util import find_spec

    if find_spec("jinja2") is None:
        raise MissingExtra(required_by, "Jinja2", "site")


def write(
    settings: Settings, engine: Engine, folder: Path, *, site_url: str | None = None, covers: bool | None = None,
    out: Output | None = None,
) -> SiteBuilt:  # fmt: skip
    """Write the gallery to a folder; `covers` overrides SYNC_SITE_COVERS, `out` shows the progress on a terminal."""
    from sync.site.build import Options, build

    copying, progress = (progress_on_terminal(out, f"gallery: {what}") if out else None for what in ("cover", "page"))
    copier = _media_copier(settings, engine, covers=settings.site_covers if covers is None else covers, progress=copying)
    options = Options(settings.base_url, settings.staleness_budget, site_url)
    return build(engine, folder, options, copy_media=copier, progress=progress)


def _media_copier(
    settings: Settings, engine: Engine, *, covers: bool, progress: Callable[[int, int | None], None] | None
) -> MediaCopier | None:
    """Return the copier of covers; for the sample catalog it copies the files of the package, which need no download."""
    from sync.catalog.selection import Selection
    from sync.reader.catalog import select_templates
    from sync.sandbox.media_files import MEDIA_URL
    from sync.site.covers import MediaCopier

    first = select_templates(engine, Selection(limit=1))
    if first and (first[0].document["cover_url"] or "").startswith(MEDIA_URL):
        return MediaCopier(_sample_media, sample=True)
    if not covers:
        return None
    from sync.client.network import Network
    from sync.site.covers import Fetch

    return MediaCopier(Fetch(Network.of(settings)), progress=progress)


def _sample_media(url: str) -> bytes:
    from sync.sandbox.media_files import read_media
    from sync.site.covers import CoverUnavailable

    if (found := read_media(urlsplit(url).path)) is None:
        raise CoverUnavailable("no file of this package")
    return found[1]


@sync_command(
    "Write the catalog as a gallery of static web pages to DIR, for a browser or any web server. Of an existing gallery, only "
    "changed files are written.",
    *DATABASE_FLAGS, quiet=True, has_effect=True, json="Print the result as JSON.",
)  # fmt: skip
@click.argument("folder", metavar="DIR", type=Folder())
@click.option("--base-url", "site_url", metavar="URL", help="Public URL of the site; adds a sitemap and canonical links.")
@click.option("--covers", is_flag=True, help="Also store copies of the covers. [SYNC_SITE_COVERS]")
def command(context: Context, *, folder: Path, site_url: str | None, covers: bool) -> None:
    """Write the gallery."""
    site_url = _site_address(site_url)
    context.refuse_file_in_use(str(folder))
    built = write(context.settings, context.engine(), folder, site_url=site_url, covers=covers or None, out=context.out)
    if context.as_json:
        context.out.json(built)
    else:
        context.out.lines([describe_build(built, folder)])


def describe_build(built: SiteBuilt, folder: Path) -> str:
    """Describe the result of a build."""
    what = f"{built.written} files written" if built.written else "nothing new"
    missing = f", {built.covers_missing} covers could not be fetched" if built.covers_missing else ""
    return f"{folder / 'index.html'}: {built.templates} templates, {what}{missing}"


def _site_address(url: str | None) -> str | None:
    """Validate the public URL of the site; append a slash if it has none."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and not parts.query and not parts.fragment and url.isascii()
        good = good and "@" not in parts.netloc and parts.port != 0  # `port` raises ValueError for an invalid one
    except ValueError:
        good = False
    if not good or not url.isprintable() or any(char in url for char in " \"'<>\\"):
        raise UsageError(
            "--base-url: expected an http or https address without user name, ? and #, such as https://example.com/templates/."
        )
    return url if url.endswith("/") else f"{url}/"

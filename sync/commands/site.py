"""`site`: the catalog as a static gallery."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sync.commands.edge import DATABASE_FLAGS, Context, sync_command
from sync.errors import UsageError

if TYPE_CHECKING:
    from sync.outputs.commands import SiteBuilt


@sync_command(
    "Write the catalog as a gallery of static web pages to DIR, for a browser or any web server. Updates an existing gallery; "
    "writes only files that changed. Reads the database only.",
    *DATABASE_FLAGS,
    quiet=True,
    acts=True,
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--base-url", "site_url", metavar="URL", help="Public URL of the site; adds a sitemap and canonical links.")
@click.option("--covers", is_flag=True, help="Also store copies of the covers. [SYNC_SITE_COVERS]")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(context: Context, *, folder: Path, site_url: str | None, covers: bool, as_json: bool) -> None:
    """Write the gallery."""
    site_url = site_address(site_url)
    engine = context.engine()
    from sync.commands.gallery import write

    built = write(context.settings, engine, folder, site_url=site_url, covers=covers or None)
    if as_json:
        context.out.json(built)
    else:
        context.out.lines([told(built, folder)])


def told(built: SiteBuilt, folder: Path) -> str:
    """Say what a build did."""
    what = f"{built.written} files written" if built.written else "nothing new"
    missing = f", {built.covers_missing} covers could not be fetched" if built.covers_missing else ""
    return f"{folder / 'index.html'}: {built.templates} templates, {what}{missing}"


def site_address(url: str | None) -> str | None:
    """Read where the site will stand; a slash is added if it lacks one.

    Raises:
        UsageError: it is no http or https address of a folder.
    """
    from urllib.parse import urlsplit

    if url is None:
        return None
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and parts.hostname and not parts.query and not parts.fragment and url.isascii()
    except ValueError:
        good = False
    if not good or any(char in url for char in " \"'<>\\"):
        raise UsageError("--base-url: expected an http or https address without ? and #, such as https://example.com/templates/.")
    return url if url.endswith("/") else f"{url}/"

"""Build the site: compare the state of the database with the last build, and write the files that differ."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.sax.saxutils import escape

from sync import __version__
from sync.catalog.selection import Order, page_position, sort_key
from sync.outputs.commands import SiteBuilt
from sync.outputs.schema import everything
from sync.reader import feed
from sync.reader.catalog_dump import read_catalog_dump, rejected_records, stamp
from sync.reader.status import overview
from sync.reader.stored_templates import printed
from sync.site import data, pages
from sync.site.cards import card, marks_of, page_name
from sync.site.folder import open_folder
from sync.store.engine import reading
from sync.terminal.lines import as_atom
from sync.text import json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    from sync.reader.catalog_dump import CatalogDump, Event
    from sync.reader.stored_templates import Stored
    from sync.site.folder import Folder

    CopyMedia = Callable[[Folder, Sequence[Stored]], tuple[dict[str, str], int]]
    """Copies covers to the folder; returns URL → path, and the number of covers that could not be fetched."""
    Progress = Callable[[int, int], None]

NEWEST_CHANGES = 1000
"""Changes in changes.json; the database contains all."""
NEWEST_ENTRIES = 50
"""Changes in feed.xml."""
PAGES_PER_STEP = 100
"""Pages after which the progress is reported."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a site.

    Attributes:
        api_url: origin of the API, for the requests that pages show.
        stale_after: age in seconds after which a page reports that it may be out of date.
        site_url: public URL of the site, if it is known.
    """

    api_url: str
    stale_after: float
    site_url: str | None = None


def build(
    engine: Engine, path: Path, options: Options, *, copy_media: CopyMedia | None = None, progress: Progress | None = None
) -> SiteBuilt:  # fmt: skip
    """Write the site of a catalog to a folder, or update an existing one.

    The database is only read. Without `copy_media`, pages link to the vendor's URLs. `progress` is called with the number of
    finished pages of templates, and of all.

    Raises:
        MissingExtra: Jinja2 is not installed.
        SiteError: the folder cannot be written.
        DatabaseError: the database cannot be read.
    """
    rendering = pages.Pages(options.site_url)
    program = _hash(__version__, rendering.sources, json.dumps(asdict(options)), str(bool(copy_media)))
    with open_folder(path) as folder:
        mark = _hash(program, stamp(engine))
        if folder.is_current(mark):
            return _only_freshness(engine, folder, options)
        with reading(engine) as connection:
            mark = _hash(program, stamp(connection))
            found = read_catalog_dump(connection)
            copies, missing = copy_media(folder, found.stored) if copy_media else ({}, 0)
            _write(folder, connection, found, copies, rendering, program, options, progress)
        written, deleted = folder.publish(mark, copies, missing)
    return SiteBuilt(written, deleted, found.overview.present, len(copies), missing)


def _only_freshness(engine: Engine, folder: Folder, options: Options) -> SiteBuilt:
    found = overview(engine)
    folder.keep_all()
    folder.put_if_new("freshness.js", data.freshness(found, rejected_records(engine).count, options.stale_after))
    written, deleted = folder.publish(folder.old.stamp, folder.old.copies, 0)
    return SiteBuilt(written, deleted, found.present, len(folder.old.copies), 0)


def _write(
    folder: Folder, connection: Connection, found: CatalogDump, copies: Mapping[str, str], rendering: pages.Pages, program: str,
    options: Options, progress: Progress | None,
) -> None:  # fmt: skip
    for path, content in rendering.assets.items():
        folder.put_if_new(path, content)
    cards = {one.document["template_id"]: card(one, copies) for one in found.stored}
    events: dict[str, list[Event]] = defaultdict(list)
    for event in found.events:
        events[event.template_id].append(event)
    for number, one in enumerate(found.stored):
        if progress and number % PAGES_PER_STEP == 0:
            progress(number, len(found.stored))
        template_id = one.document["template_id"]
        path = f"templates/{page_name(template_id)}"
        context = pages.template(one, cards[template_id], found, events.get(template_id, ()), options.api_url)
        inputs = _hash(program, repr(context))
        if not folder.fresh(path, inputs):
            folder.put(path, rendering.render("template.html", path, context), inputs)
    if progress:
        progress(len(found.stored), len(found.stored))

    new, moved = marks_of(found)
    present = [one for one in found.stored if one.removed_at is None]
    newest_first = sorted(present, key=lambda one: sort_key(page_position(one.document, Order("newest"))))
    ids = [one.document["template_id"] for one in newest_first]
    shown = [{**cards[each], "new": new.get(each), "moved": moved.get(each)} for each in ids]
    gallery_data = _put_data(folder, "catalog", data.catalog_data(shown, newest_first))
    changes_data = _put_data(folder, "changes", data.changes_data(found, cards))
    folder.put_if_new("freshness.js", data.freshness(found.overview, found.rejected.count, options.stale_after))
    folder.put_if_new("catalog.json", data.array(printed(one.document) for one in present))
    newest = feed.changes(connection, most=NEWEST_CHANGES)
    folder.put_if_new("changes.json", data.array(newest))
    folder.put_if_new("schemas.json", json_text(everything(), indent=2) + "\n")
    address = None if options.site_url is None else f"{options.site_url}feed.xml"
    folder.put_if_new("feed.xml", as_atom(newest[-NEWEST_ENTRIES:], found.overview.feed_epoch, self_url=address))
    listings = {"changes.html": pages.changes(found, cards, changes_data), "index.html": pages.gallery(shown, gallery_data)}
    for name, context in listings.items():
        folder.put_if_new(name, rendering.render(name, name, context))
    if options.site_url is not None:
        folder.put_if_new("sitemap.xml", _sitemap(found, options.site_url))


def _put_data(folder: Folder, name: str, content: str) -> str:
    """Write data to a file whose name contains a hash of it, so that an open page keeps the data that belongs to it."""
    path = f"assets/{name}-{_hash(content)[:12]}.js"
    folder.put_if_new(path, content)
    return path


def _sitemap(found: CatalogDump, site_url: str) -> str:
    paths = ["index.html", "changes.html", *(f"templates/{page_name(one.document['template_id'])}" for one in found.stored)]
    urls = "".join(f"<url><loc>{escape(site_url + quote(path))}</loc></url>\n" for path in paths)
    head = '<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n'
    return f"{head}{urls}</urlset>\n"


def _hash(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode("utf-8", "backslashreplace") + b"\0")
    return digest.hexdigest()

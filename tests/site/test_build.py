"""The files that a build writes, and those that it leaves unchanged."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from sync import Catalog
from sync.catalog.removals import RunOptions
from sync.catalog.run_record import Status
from sync.commands.output import Output
from sync.commands.site import write
from sync.errors import SiteBusy, SiteError, UsageError
from sync.refresh import refresh
from sync.sandbox.catalog import make_catalog
from sync.sandbox.server import Sandbox
from sync.site.folder import MANIFEST, open_folder
from sync.site.pages import POLICY
from sync.store.apply import Store
from sync.synchronise import synchronise
from tests.builders import make_settings, record, records, run_with, ticking
from tests.command_line import of_sandbox, template_sync
from tests.fake_client import FakeClient, listed
from tests.json_forms import check
from tests.site.sites import FIRST, THEN, WEEKS, Site, weeks

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders import Database


@pytest.fixture
def site(site: Site) -> Site:
    """The site of two weeks, not built."""
    weeks(site.engine, FIRST, THEN)
    return site


@pytest.mark.long
def test_a_site_has_the_same_bytes_on_every_engine(database: Database, site: Site, tmp_path: Path) -> None:
    here = Site(tmp_path / "here", database.engine).after(FIRST, THEN)
    files = {name: (here.folder / name).read_bytes() for name in here.times() if not name.startswith(".")}
    assert {name for name in files if not name.startswith("assets/")} == {
        "index.html", "changes.html", "catalog.json", "changes.json", "freshness.js", "feed.xml", "schemas.json",
        *(f"templates/{template_id}.html" for template_id in ("1", "2", "104909826", "4", "5")),
    }  # fmt: skip
    site.build()  # of the SQLite database with the same history
    assert {name: (site.folder / name).read_bytes() for name in files} == files


def test_a_build_writes_nothing_without_changes_one_file_after_a_run_and_a_deleted_page_again(site: Site) -> None:
    assert site.build().written > 5
    before = site.times()
    assert site.build().written == 0
    assert site.times().items() >= {name: time for name, time in before.items() if name != ".lock"}.items()
    run_with(THEN, site.engine, clock=ticking(WEEKS[2]))
    assert site.build().written == 1
    after = site.times()
    assert [name for name in before if after[name] != before[name] and name not in {".lock", MANIFEST}] == ["freshness.js"]
    assert '"last_success_at":"2026-01-15T' in site.text("freshness.js")
    (site.folder / "templates" / "1.html").unlink()
    assert site.build().written == 1
    assert "Kitty Café" in site.text("templates/1.html")


def test_a_changed_template_rewrites_its_page_and_the_pages_that_list_it(site: Site) -> None:
    site.build()
    before = site.times()

    run_with([{**THEN[0], "Title_en": "Renamed"}, *THEN[1:]], site.engine, clock=ticking(WEEKS[2]))
    site.build()

    after = site.times()
    changed = {name for name in before if after.get(name) != before[name]} - {".lock", MANIFEST}
    assert changed == {
        "templates/5.html", "index.html", "changes.html", "catalog.json", "changes.json", "freshness.js", "feed.xml",
    }  # fmt: skip
    data = sorted(name for name in after if name.startswith(("assets/catalog-", "assets/changes-")) and name not in before)
    assert len(data) == 2  # besides the old files, which an open page still requests

    run_with([{**THEN[0], "Title_en": "Once more"}, *THEN[1:]], site.engine, clock=ticking(WEEKS[2] + timedelta(days=1)))
    site.build()
    assert sum(name.startswith("assets/catalog-") for name in site.times()) == 2


def test_another_order_of_tags_is_shown_also_of_a_template_that_keeps_a_value(site: Site) -> None:
    """Such a template has no hash of its bytes, and the order does not change the hash of its content."""
    kept = [{name: value for name, value in each.items() if name != "ServiceId"} for each in THEN]
    run_with(kept, site.engine, clock=ticking(WEEKS[2]))
    site.build()
    reordered = [{**each, "Tags": each["Tags"][::-1], "Tags_en": each["Tags_en"][::-1]} for each in kept]
    outcome = run_with(reordered, site.engine, clock=ticking(WEEKS[2] + timedelta(days=1)))
    assert outcome.run.changed == 0
    site.build()
    shown = {each["template_id"]: [tag["name"] for tag in each["tags"]] for each in json.loads(site.text("catalog.json"))}
    assert shown["5"] == THEN[0]["Tags"][::-1] != THEN[0]["Tags"]


def test_the_cards_are_in_the_order_of_the_catalog_also_with_equal_and_without_release_times(site: Site) -> None:
    times = {"1": 5, "10": 7, "2": 7, "a": None, "Z": None, "9": 7}
    site.after([record(name, ReleaseOnlineTime=at) for name, at in times.items()])
    in_order = [each.template_id for each in Catalog(site.engine).templates(sort="newest")]
    assert re.findall('data-template-id="(.+?)"', site.text("index.html")) == in_order == ["10", "2", "9", "1", "Z", "a"]


def test_the_data_files_equal_the_output_of_the_commands(site: Site, sqlite: Database, tmp_path: Path) -> None:
    site.build(site_url="https://gallery.example/x/")

    def printed(command: str) -> str:
        return template_sync(*command.split(), folder=tmp_path, variables={"DATABASE_URL": sqlite.url}).out

    for name, command in (("catalog", "export --format json"), ("changes", "changes --since 0 --json")):
        written = json.loads(site.text(f"{name}.json"))
        assert written == json.loads(printed(command))
        check(f"site-{name}", written)
    assert json.loads(site.text("schemas.json")) == json.loads(printed("schema --all"))
    self_link = '  <link rel="self" href="https://gallery.example/x/feed.xml" />\n'
    assert self_link in site.text("feed.xml")
    assert site.text("feed.xml").replace(self_link, "").strip() == printed("export --format atom").strip()


def test_a_sitemap_of_every_page_is_written_only_with_a_site_url(site: Site) -> None:
    site.build(site_url="https://gallery.example/x/")
    places = ET.fromstring(site.text("sitemap.xml")).iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")  # noqa: S314 - our own
    pages = {f"https://gallery.example/x/{page.relative_to(site.folder)}" for page in site.folder.rglob("*.html")}
    assert {place.text for place in places} == pages
    assert '<link rel="canonical" href="https://gallery.example/x/templates/4.html">' in site.text("templates/4.html")
    site.build()
    assert not (site.folder / "sitemap.xml").exists()
    assert "canonical" not in site.text("index.html")


def test_every_page_has_the_security_policy_before_its_scripts_and_styles(site: Site) -> None:
    site.build()

    for page in site.folder.rglob("*.html"):
        head = page.read_text(encoding="utf-8").partition("<title>")[0]
        assert f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'.replace("'", "&#39;") in head
        assert "<script" not in head
        assert "<link" not in head
    assert POLICY == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https:; media-src 'self' https:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def test_a_removed_template_keeps_its_page_marked_and_leaves_the_gallery(site: Site) -> None:
    site.build()
    assert "Removed from the catalog" in site.text("templates/4.html")
    assert 'data-template-id="4"' not in site.text("index.html")
    assert 'href="templates/4.html"' in site.text("changes.html")


def cards(site: Site) -> dict[str, str]:
    """Build, and return the cards of the gallery."""
    site.build()
    shown = site.text("index.html").partition("<template")[0].split('data-template-id="')[1:]
    return {card.partition('"')[0]: card for card in shown}


def test_new_and_repriced_templates_are_marked_those_of_the_first_run_are_not_new_and_the_smallest_move_is_1_percent(
    site: Site,
) -> None:
    shown = cards(site)
    assert ["mark new" in shown[each] for each in ("5", "1")] == [True, False]
    assert '<span class="mark down">-10 %</span>' in shown["104909826"]
    assert f'data-since="{WEEKS[1]:%Y-%m-%d}T' in shown["5"]
    fresh, *others, battle = THEN
    dearer = {**fresh, "ConsumeItems": [{"Resolution": "480p", "Credit": 166.6}, {"Resolution": "720p", "Credit": 355.2}]}
    doubled = {**battle, "ConsumeItems": [{"Resolution": "480p", "Credit": 299.7}, {"Resolution": "1080p", "Credit": 800}]}
    for day, catalog in enumerate(([dearer, *others, doubled], [*others, doubled], [dearer, *others, doubled]), 1):
        run_with(catalog, site.engine, clock=ticking(WEEKS[1] + timedelta(days=day)), max_removed=Decimal(1))
    shown = cards(site)
    assert f'<span class="mark new" data-since="{WEEKS[1] + timedelta(days=3):%Y-%m-%d}T' in shown["5"]
    assert '<span class="mark up">+1 %</span>' in shown["5"]
    assert '<span class="mark up">+100 %</span>' in shown["104909826"]


def test_templates_of_an_incomplete_first_run_are_not_new(sqlite: Database, tmp_path: Path) -> None:
    site, store = Site(tmp_path / "site", sqlite.engine), Store(sqlite.engine)

    def new() -> set[str]:
        return {template_id for template_id, card in cards(site).items() if "mark new" in card}

    def at(**later: float) -> Any:
        return ticking(WEEKS[0] + timedelta(**later))

    found = refresh(store, FakeClient(lambda _: listed(records(1), 1)), "1", ttl=60.0, clock=at())
    assert (found.run.added, new()) == (1, set())
    short = FakeClient(lambda _: listed(records(2), 3), workers=1)
    part = synchronise(store, short, RunOptions(), trigger="run", ttl=60.0, clock=at(hours=1), random=lambda: 0.5)
    assert (part.run.status, part.run.added, new()) == (Status.INCOMPLETE, 1, set())
    run_with(records(3), sqlite.engine, clock=at(hours=2))
    assert new() == set()

    run_with(records(4), sqlite.engine, clock=at(days=1))
    run_with(records(5), sqlite.engine, clock=at(days=16))
    assert new() == {"5"}


def test_the_gallery_of_an_empty_database_is_empty(sqlite: Database, tmp_path: Path) -> None:
    here = Site(tmp_path / "site", sqlite.engine)
    assert here.build().templates == 0
    assert '"last_success_at":null' in here.text("freshness.js")
    assert json.loads(here.text("catalog.json")) == []


def test_a_folder_with_other_files_is_refused_and_not_changed(site: Site) -> None:
    site.folder.mkdir()
    (site.folder / "index.html").write_text("other")
    with pytest.raises(UsageError, match=r"'index\.html'"):
        site.build()
    assert [file.name for file in site.folder.iterdir()] == ["index.html"]
    assert site.text("index.html") == "other"


def test_a_folder_with_only_lost_found_or_hidden_files_counts_as_empty(site: Site) -> None:
    (site.folder / "lost+found").mkdir(parents=True)
    (site.folder / ".gitkeep").touch()
    assert site.build().written > 5
    assert (site.folder / ".gitkeep").exists()


def test_the_progress_is_reported_up_to_the_last_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.site.build.PAGES_PER_STEP", 2)
    steps: list[tuple[int, int]] = []
    site.build(progress=lambda *step: steps.append(step))
    assert steps == [(0, 5), (2, 5), (4, 5), (5, 5)]


def test_a_terminal_shows_the_progress_of_a_long_build_and_erases_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    out = Output(sys.stdout, terminal, {})
    write(make_settings(), site.engine, site.folder, out=out)
    assert terminal.getvalue() == ""

    monkeypatch.setattr("sync.commands.output.PROGRESS_DELAY", -1.0)
    write(make_settings(), site.engine, site.folder.with_name("other"), out=out)
    assert terminal.getvalue() == "\r\x1b[Kgallery: page 0 of 5\r\r\x1b[K\r"


def test_a_concurrent_build_is_refused(site: Site) -> None:
    with open_folder(site.folder), pytest.raises(SiteBusy):
        site.build()


def test_a_failed_build_keeps_the_old_site_and_the_next_build_completes_it(site: Site) -> None:
    site.build()
    before = site.times()
    run_with([*THEN, record("6")], site.engine, clock=ticking(WEEKS[2]))
    blocked = site.folder / "templates" / "6.html"
    blocked.mkdir()
    (blocked / "blocking file").touch()

    with pytest.raises(SiteError):
        site.build()

    after = site.times()
    assert all(after[name] == before[name] for name in ("index.html", "changes.html", MANIFEST))
    (blocked / "blocking file").unlink()
    blocked.rmdir()
    site.build()
    assert 'data-template-id="6"' in site.text("index.html")


ODD = [
    '"files": []', '"spare": null', '"files": {"a.html": 1}', '"files": {"../victim": "x"}', '"spare": ["../victim"]',
    '"copies": {"x": "../victim"}', '"spare": ["templates/../../victim"]', '"spare": ["templates/.."]', '"spare": [".lock"]',
    r'"spare": ["a\u0000b"]', r'"spare": ["\ud800"]', '"files": {"/etc/x": "x"}', '"spare": [5]', '"stamp": 5', '"missing": "x"',
    '"more": 1',
]  # fmt: skip
LATER = "a manifest of a later version"
MANIFESTS = [LATER, "{", "", "null", "5", "[" * 9000, "{}", *(f'{{"format": 1, {odd}}}' for odd in ODD)]


@pytest.mark.parametrize(
    "written", [pytest.param(each, marks=[pytest.mark.ci_slice] if place % 5 else []) for place, each in enumerate(MANIFESTS)]
)
def test_an_invalid_manifest_is_ignored_and_all_files_are_written_again(site: Site, written: str) -> None:
    first = site.build()
    (outside := site.folder.parent / "victim").write_text("precious")
    valid = (site.folder / MANIFEST).read_text()
    (site.folder / MANIFEST).write_text(valid.replace('"format": 1', '"format": 2') if written == LATER else written)
    assert site.build().written == first.written
    assert site.build().written == 0
    assert outside.read_text() == "precious"


@pytest.mark.parametrize("content", [b'{"stamp": "\xff"}', b'{"x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"])
def test_a_manifest_that_cannot_be_decoded_is_replaced(content: bytes, site: Site) -> None:
    first = site.build()
    (site.folder / MANIFEST).write_bytes(content)
    assert (site.build().written, site.build().written) == (first.written, 0)


def test_a_link_or_pipe_in_place_of_a_file_of_the_site_is_neither_followed_nor_opened(site: Site) -> None:
    first = site.build()
    (outside := site.folder.parent / "victim").write_text("precious")
    lock, manifest, staging = (site.folder / name for name in (".lock", MANIFEST, ".staging"))
    manifest.unlink()
    os.mkfifo(manifest)
    (other_folder := site.folder.parent / "elsewhere").mkdir()
    staging.symlink_to(other_folder)
    assert site.build().written == first.written
    assert [*other_folder.iterdir()] == []
    lock.unlink()
    lock.symlink_to(outside)
    with pytest.raises(SiteError):
        site.build()
    lock.unlink()
    os.mkfifo(lock)
    with pytest.raises(SiteError):
        site.build()
    assert outside.read_text() == "precious"


def test_the_command_reports_its_result_and_refuses_an_invalid_base_url(site: Site, sqlite: Database, tmp_path: Path) -> None:
    places = ("user:password@e.com/", "e.com:99999/", *(f"e.com/{each}" for each in ("\x01", "a\nb", "\u00e9", "'")))
    urls = ("javascript:alert(1)", "https://", *(f"https://{each}" for each in places))
    first, second, *refused = (
        template_sync("site", "out", *flags, folder=tmp_path, variables={"DATABASE_URL": sqlite.url})
        for flags in (["--json"], [], *(["--base-url", url] for url in urls))
    )
    assert (first.code, json.loads(first.out)["templates"]) == (0, 4)
    assert (second.code, second.out) == (0, "out/index.html: 4 templates, nothing new\n")
    assert [(each.code, each.out) for each in refused] == [(2, "")] * len(urls)
    assert all(each.err.startswith("error: --base-url: expected") for each in refused)


@pytest.mark.parametrize("command", [("site",), ("demo", "--site")])
def test_a_directory_with_an_empty_name_is_refused(command: tuple[str, ...], tmp_path: Path) -> None:
    refused = template_sync(*command, "", folder=tmp_path)
    assert (refused.code, "the name of the directory is empty." in refused.err, list(tmp_path.iterdir())) == (2, True, [])


def test_the_gallery_of_the_demo_contains_the_files_of_the_sandbox(tmp_path: Path) -> None:
    result = template_sync("demo", "--templates", "4", "--site", "gallery", folder=tmp_path)
    assert result.code == 0, result.err
    kinds = sorted(file.suffix for file in (tmp_path / "gallery" / "media").iterdir())
    assert set(kinds) == {".webp", ".mp4"}
    again = template_sync("site", "gallery", folder=tmp_path)
    assert again.out.endswith("nothing new\n")


def test_the_gallery_of_a_catalog_of_the_sandbox_contains_its_files(tmp_path: Path) -> None:
    with Sandbox(make_catalog(3)) as sandbox:
        assert template_sync("run", folder=tmp_path, variables=of_sandbox(sandbox)).code == 0
    built = json.loads(template_sync("site", "gallery", "--json", folder=tmp_path).out)
    assert (built["covers_missing"], len(list((tmp_path / "gallery" / "media").glob("*.mp4")))) == (0, 1)


def test_a_cover_of_another_host_in_a_sample_catalog_is_not_copied(sqlite: Database, tmp_path: Path) -> None:
    run_with([make_catalog(1)[0], record("9")], sqlite.engine)
    built = write(make_settings(), sqlite.engine, tmp_path / "site")
    assert (built.covers, built.covers_missing) == (2, 2)
    assert 'src="https://media.example/cover.jpeg' in (tmp_path / "site" / "templates" / "9.html").read_text()


def test_the_name_of_a_sample_file_does_not_depend_on_the_fragment_of_its_url(sqlite: Database, tmp_path: Path) -> None:
    first = make_catalog(1)[0]
    run_with([first, record("9", Cover=f"{first['Cover']}#.a/{'b' * 300}")], sqlite.engine)
    write(make_settings(), sqlite.engine, tmp_path / "site")
    assert {path.suffix for path in (tmp_path / "site" / "media").iterdir()} == {".webp", ".mp4"}

"""The gallery in a real browser, from a folder and over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sync import Catalog
from sync.sandbox.catalog import make_catalog
from tests.builders import run_with
from tests.site.sites import bare

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.site.conftest import Watch, WatchedPage
    from tests.site.sites import Site

ALL = ["5", "1", "2", "104909826"]
PAGES = ("index.html", "changes.html", "templates/104909826.html", "templates/4.html")


def chosen(page: Page, **values: str) -> None:
    for name, value in values.items():
        field = page.locator(f"[name={name}]")
        if field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)


@pytest.mark.ci_slice
def test_search_filters_and_order_select_cards_and_are_in_the_url(gallery: WatchedPage) -> None:
    page = gallery.open()
    assert gallery.ids() == ALL

    for word, found in (
        ("猫", ["1"]), ("咪变", ["1"]), ("cafe", ["1"]), ("CAFÉ", ["1"]), ("ball two", ["2"]), ("10490", ["104909826"]),
        ("pets", ["1"]), ("宠物", ["1"]), ("no such", []),
    ):  # fmt: skip
        page.locator("input[type=search]").fill(word)
        assert gallery.ids() == found, word
    assert page.locator("#none").is_visible()
    page.locator("input[type=search]").fill("")

    for name, value, found in (
        ("tag", "Pets", ["1"]), ("type", "BEGIN_FRAME", ["2"]), ("requirement", "DOUBLE_PERSON", ["2"]), ("images", "2", ["2"]),
        ("resolution", "1080p", ["104909826"]), ("ratio", "16:9", ["2"]), ("max_price", "150", ["2", "104909826"]),
    ):  # fmt: skip
        chosen(page, **{name: value})
        assert gallery.ids() == found, name
        assert f"{name}={value}".replace(":", "%3A") in page.url
        chosen(page, **{name: ""})
    chosen(page, sort="price")
    assert gallery.ids() == ["2", "104909826", "5", "1"]
    chosen(page, sort="name")
    assert gallery.ids() == ["2", "104909826", "5", "1"]  # Ball for Two, Battle Game, Fresh, Kitty Café
    assert gallery.external_requests == []


@pytest.mark.long
def test_a_url_restores_the_view_and_back_returns_to_the_previous_one(gallery: WatchedPage) -> None:
    page = gallery.open("index.html#tag=宠物&sort=name")
    assert gallery.ids() == ["1"]
    assert page.locator("[name=tag]").input_value() == "Pets"

    page.goto("about:blank")
    page = gallery.open("index.html?resolution=720p&max_price=99")
    assert gallery.ids() == ["2"]
    chosen(page, max_price="")
    chosen(page, resolution="480p")
    assert gallery.ids() == ["5", "1", "104909826"]
    page.go_back()
    page.wait_for_function("() => document.querySelector('[name=resolution]').value === '720p'")
    assert gallery.ids() == ["5", "1", "2"]


@pytest.mark.long
def test_a_link_selects_the_value_of_its_case_among_values_that_differ_in_case_only(site: Site, watch: Watch) -> None:
    words = ("solo", "Solo", "duo")
    catalog = [
        bare(str(at), Tags=[f"标签{at}"], Tags_en=[word], TemplateType=word, ConsumeItems=[{"Resolution": word, "Credit": 5}])
        for at, word in enumerate(words)
    ]
    here = watch(site.after(catalog, stale_after=10.0**10).folder.as_uri())
    for name in ("tag", "type", "resolution"):
        for at, word in enumerate(words):
            here.page.goto("about:blank")
            page = here.open(f"index.html#{name}={word}")
            assert (page.locator(f"[name={name}]").input_value(), here.ids()) == (word, [str(at)])
        page.goto("about:blank")
        here.open(f"index.html#{name}=DUO")
        assert here.ids() == ["2"]


@pytest.mark.long
@pytest.mark.parametrize(("given", "shown"), [
    ("max_price=%20", ""), ("max_price=Infinity", ""), ("max_price=-1", ""), ("max_price=abc", ""), ("search=%20", ""),
    ("max_price=0x64", "100"), ("max_price=%2B100.", "100"), ("max_price=1e2", "100"), ("max_price=99.5", "99.5"),
])  # fmt: skip
def test_a_link_sets_no_filter_that_is_not_visible(given: str, shown: str, from_disk: WatchedPage) -> None:
    page = from_disk.open(f"index.html#{given}")
    assert page.locator("[name=max_price]").input_value() == shown
    assert from_disk.ids() == (["2"] if shown else ALL)
    assert page.locator("[type=reset]").is_visible() == bool(shown)


@pytest.mark.long
def test_a_negative_price_limit_that_is_typed_is_no_filter_as_in_a_link(from_disk: WatchedPage) -> None:
    page = from_disk.open()
    chosen(page, max_price="-1")
    assert from_disk.ids() == ALL
    assert "max_price" not in page.url


@pytest.mark.long
def test_the_gallery_finds_what_the_catalog_finds(site: Site, watch: Watch) -> None:
    titles = ["Straße", "STRAẞE", "KAPI", "kapı", "Işık", "Οδός", "FINAL", "Café"]
    catalog = [bare(str(at), Title=title) for at, title in enumerate(titles)]
    here = watch(site.after(catalog, stale_after=10.0**10).folder.as_uri())
    page = here.open()
    for word in ("strasse", "STRASSE", "ẞ", "ß", "i", "ı", "isik", "kapi", "KAPI", "ΟΔΟΣ", "οδος", "ﬁ", "cafe\u0301"):
        page.locator("input[type=search]").fill(word)
        assert sorted(here.ids()) == [each.template_id for each in Catalog(site.engine).templates(search=word)], word


@pytest.mark.long
def test_every_value_of_a_filter_has_the_number_of_its_results(gallery: WatchedPage) -> None:
    page = gallery.open("index.html#type=BEGIN_FRAME")

    def options(name: str) -> list[str]:
        return [text.strip() for text in page.locator(f"[name={name}] option").all_inner_texts()]

    assert options("resolution") == ["any", "720p (1)"]
    assert options("type") == ["any", "First and last frame (3)", "First frame (1)"]
    for name in ("tag", "type", "requirement", "images", "resolution", "ratio"):
        page.locator("[type=reset]").click() if page.locator("[type=reset]").is_visible() else None
        for value, text in page.locator(f"[name={name}] option").evaluate_all("all => all.map(o => [o.value, o.textContent])"):
            if value:
                chosen(page, **{name: value})
                assert text.endswith(f"({len(gallery.ids())})"), text


@pytest.mark.long
@pytest.mark.parametrize("resolution", ["", "480p", "1080p"])
def test_a_price_limit_applies_to_the_counts_of_the_resolutions(resolution: str, gallery: WatchedPage) -> None:
    page = gallery.open(f"index.html#max_price=170&resolution={resolution}")
    offered = dict(page.locator("[name=resolution] option").evaluate_all("all => all.map(o => [o.value, o.textContent])"))
    assert {"480p", "720p", resolution} <= offered.keys()
    for value in offered.keys() - {""}:
        page.goto("about:blank")
        gallery.open(f"index.html#max_price=170&resolution={value}")
        assert offered[value] == f"{value} ({len(gallery.ids())})"


@pytest.mark.long
def test_a_preview_is_requested_on_hover_and_stopped_after_it(gallery: WatchedPage) -> None:
    page = gallery.open()

    def videos() -> list[str]:
        return [url for url in gallery.requests if url.endswith(".mp4")]

    assert videos() == []

    cover = page.locator("article[data-template-id='1'] .cover")
    cover.hover()
    page.wait_for_selector("article[data-template-id='1'] .cover.playing video")
    assert len(set(videos())) == 1
    assert page.locator("video").evaluate_all("all => all.map(v => v.muted && v.videoWidth > 0)") == [True]

    page.locator("article[data-template-id='2'] .cover").hover()
    page.wait_for_selector("article[data-template-id='2'] .cover.playing video")
    assert page.locator("video").count() == 1
    page.locator("h2").first.hover()
    page.wait_for_selector("video", state="detached")


@pytest.mark.long
def test_with_reduced_motion_or_by_touch_only_the_button_plays(base: str, watch: Watch) -> None:
    here = watch(base, reduced_motion="reduce", has_touch=True)
    page = here.open()
    page.locator("article[data-template-id='1'] .cover").hover()
    page.wait_for_timeout(400)  # longer than the delay of a hover
    assert page.locator("video").count() == 0

    button = page.locator("article[data-template-id='1'] .play")
    assert button.evaluate("button => getComputedStyle(button).opacity") == "1"
    button.tap()
    page.wait_for_selector(".cover.playing video")
    assert button.get_attribute("aria-pressed") == "true"
    page.keyboard.press("Escape")
    page.wait_for_selector("video", state="detached")


@pytest.mark.long
def test_the_gallery_can_be_used_with_the_keyboard_only(gallery: WatchedPage) -> None:
    page = gallery.open()

    def focused() -> Any:
        return page.evaluate("() => document.activeElement.name || document.activeElement.className")

    page.keyboard.press("Tab")
    assert focused() == "skip"
    page.keyboard.press("/")
    page.keyboard.type("kitty")
    assert gallery.ids() == ["1"]
    page.keyboard.press("Enter")  # submitting the form would violate the policy
    for _ in range(20):
        page.keyboard.press("Tab")
        if focused() == "play":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector(".cover.playing video")
    page.keyboard.press("Escape")
    page.wait_for_selector("video", state="detached")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/templates/1.html")
    assert page.locator("h1").inner_text().startswith("Kitty Café")


@pytest.mark.long
def test_the_chosen_language_and_theme_are_kept(from_disk: WatchedPage) -> None:
    page = from_disk.open()
    assert page.locator("article h2").first.inner_text().splitlines()[0] == "Fresh"

    page.locator("#language").click()
    page.locator("#theme").click()
    assert page.evaluate("() => document.documentElement.lang") == "zh-CN"
    page.locator("nav a").nth(1).click()
    page.wait_for_url("**/changes.html")

    assert page.locator("h1").inner_text() == "变更"
    background = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(18, 19, 21)"


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_reports_no_violation(path: str, scheme: str, watch: Watch, small: Site) -> None:
    for viewport in ({"width": 1280, "height": 800}, {"width": 320, "height": 640}):
        here = watch(small.folder.as_uri(), color_scheme=scheme, viewport=viewport)
        page = here.open(path)
        levels = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
        assert (here.axe(), here.axe(runOnly=levels)) == ([], [])
        wide = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, "the page scrolls horizontally"


@pytest.mark.long
def test_ten_thousand_templates_can_be_searched_and_scrolled(site: Site, watch: Watch) -> None:
    run_with(make_catalog(10_000), site.engine, deadline=300.0)
    site.build()

    here = watch(site.folder.as_uri(), offline=True)
    page = here.open()
    assert page.locator("#count").inner_text() == "10000 templates"
    ahead = 1020  # after the 60 cards of the page, 1,000 are added in steps of 24 by scrolling, others on demand
    page.wait_for_function(f"() => document.querySelectorAll('article').length === {ahead}")
    page.locator("#more").scroll_into_view_if_needed()
    page.wait_for_function(f"() => document.querySelectorAll('article').length > {ahead}")
    assert page.locator("article").count() < 1200
    page.locator("input[type=search]").fill("霓虹 kitty")
    found = page.locator("article h2").all_inner_texts()
    assert found
    assert all("霓虹" in name and "Kitty" in name for name in found)
    here.problems.clear()  # the console reports covers that cannot be loaded

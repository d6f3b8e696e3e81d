"""Cards in a real browser: their number per screen, complete rows, the shown price, marks, languages."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sync.sandbox.catalog import make_catalog
from tests.builders import record
from tests.site.sites import WEEKS, Site, bare
from tests.site.test_browser import chosen

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.site.conftest import Watch, WatchedPage

pytestmark = pytest.mark.long

PLACES = """() => [...document.querySelectorAll('#grid article')].map(card => {
  const { left, top, right, bottom } = card.getBoundingClientRect();
  return { left, top, right, bottom };
})"""
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def built(site: Site, catalog: list[dict[str, Any]]) -> str:
    """Build the site of these templates without media; return its URL."""
    without = [{**each, "Cover": None, "PreviewVideo": None} for each in catalog]
    return site.after(without, stale_after=10.0**10).folder.as_uri()


def places(page: Page) -> list[dict[str, float]]:
    found: list[dict[str, float]] = page.evaluate(PLACES)
    return found


def rows(page: Page) -> list[list[dict[str, float]]]:
    """Group the cards by their vertical position."""
    found: dict[float, list[dict[str, float]]] = {}
    for place in places(page):
        found.setdefault(place["top"], []).append(place)
    return list(found.values())


CATALOGS = {"sample": make_catalog(60)} | {
    ratio: [record(f"{n}", CoverAspectRatio=ratio, Title_en=f"A rather long name {n}") for n in range(40)]
    for ratio in ("16:9", "21:9", "9:16", "1:1")
}


@pytest.mark.parametrize("kind", [pytest.param("sample", marks=pytest.mark.ci_slice), "16:9", "21:9", "9:16", "1:1"])
def test_the_first_screen_has_eight_whole_cards_and_every_row_is_complete(kind: str, site: Site, watch: Watch) -> None:
    page = watch(built(site, CATALOGS[kind]), viewport={"width": 1400, "height": 1000}).open()
    assert len([place for place in places(page) if place["bottom"] <= 1000]) >= 8
    inner = page.locator("#grid").evaluate("grid => grid.getBoundingClientRect().right")
    assert all(abs(row[-1]["right"] - inner) < 1 for row in rows(page)[:-1])


@pytest.mark.parametrize("width", [390, 320])
def test_on_a_phone_no_card_is_cut_and_every_row_is_complete(width: int, site: Site, watch: Watch) -> None:
    ratios = ["9:16", "16:9", "16:9", "9:16", "16:9", "16:9", "16:9", "9:16", "1:1", "1:1", "16:9", "9:16", "9:16", "9:16"]
    mixed = [record(f"{n}", CoverAspectRatio=ratios[n % 14], ReleaseOnlineTime=10**9 - n) for n in range(56)]
    here = watch(built(site, mixed), **{**PHONE, "viewport": {"width": width, "height": 844}})
    page = here.open()

    assert page.evaluate("() => document.documentElement.scrollWidth") == width
    assert here.ids() == [f"{n}" for n in range(56)]
    for row in rows(page)[:-1]:
        assert (round(row[0]["left"]), round(row[-1]["right"])) == (16, width - 16)
    top = places(page)[0]["top"]

    page.locator("summary").click()
    chosen(page, images="1", resolution="720p")
    assert page.locator("#count").inner_text() == "56 templates"
    assert page.locator("#count").is_visible()
    count = page.locator("#count").evaluate("count => count.getBoundingClientRect().bottom")
    assert count < top  # above the open filters
    assert page.evaluate("() => document.documentElement.scrollWidth") == width


def test_a_card_shows_the_price_of_the_filter_or_order(gallery: WatchedPage) -> None:
    page = gallery.open()

    def prices() -> dict[str, str]:
        cards = page.locator("#grid article").all()
        return {card.get_attribute("data-template-id") or "": card.locator(".price").inner_text() for card in cards}

    usual, both = "166.5 – 355.2 credits", "166.5 credits at 480p"
    assert prices() == {"5": usual, "1": usual, "2": "99 credits", "104909826": "149.85 – 800 credits"}
    chosen(page, sort="price")
    assert prices() == {"2": "99 credits at 720p", "104909826": "149.85 credits at 480p", "5": both, "1": both}
    chosen(page, sort="newest", max_price="150")
    assert prices() == {"2": "99 credits at 720p", "104909826": "149.85 credits at 480p"}
    chosen(page, max_price="", resolution="720p")
    assert prices() == {"5": "355.2 credits at 720p", "1": "355.2 credits at 720p", "2": "99 credits at 720p"}
    chosen(page, resolution="1080p", max_price="800")
    assert prices() == {"104909826": "800 credits at 1080p"}
    page.locator("#language").click()
    assert prices() == {"104909826": "800 积分 · 1080p"}
    page.locator("[type=reset]").click()
    assert len(prices()) == 4


def test_a_template_is_new_for_fourteen_days_in_a_page_that_is_not_built_again(watch: Watch, small: Site) -> None:
    added = WEEKS[1]
    for age, seen in ((timedelta(hours=1), 1), (timedelta(days=13, hours=23), 1), (timedelta(days=14, hours=1), 0)):
        here = watch(small.folder.as_uri())
        here.page.clock.set_fixed_time(added + age)
        page = here.open()
        assert page.locator("article[data-template-id='5'] .mark.new").count() == seen
        assert page.locator(".mark.new").count() == seen
        chosen(page, sort="name")  # cards that the script creates
        assert page.locator(".mark.new").count() == seen


def test_the_tag_of_a_card_is_added_to_the_filters(gallery: WatchedPage) -> None:
    page = gallery.open("index.html#max_price=200")
    page.locator("article[data-template-id='1'] .tags a").click()
    assert gallery.ids() == ["1"]
    assert page.evaluate("() => location.hash") == "#max_price=200&tag=Pets"


def test_every_change_has_its_cover_before_and_after_a_filter(from_disk: WatchedPage) -> None:
    page = from_disk.open("changes.html")
    for kind in ("", "removed", ""):
        chosen(page, kind=kind)
        page.wait_for_load_state("networkidle")
        events = page.locator("#feed .event").count()
        assert events == (1 if kind else 7)
        loaded = "all => all.filter(image => image.complete && image.naturalWidth && image.checkVisibility()).length"
        page.locator("#feed .event").last.scroll_into_view_if_needed()
        page.wait_for_function(f"() => ({loaded})([...document.querySelectorAll('#feed .thumb img')]) === {events}")


def test_fields_and_values_are_in_the_language_of_the_page(site: Site, watch: Watch) -> None:
    kinds = ("BEGIN_FRAME", 10), ("BEGIN_END_FRAME", 11)
    prices = ([{"Resolution": "480p", "Credit": credit}] for _, credit in kinds)
    site.after(*([bare("1", TemplateType=kind, ConsumeItems=next(prices))] for kind, _ in kinds))

    page = watch(site.folder.as_uri()).open("changes.html#kind=changed")
    fields = page.locator("#feed .field")
    assert fields.all_inner_texts() == ["Type First frame → First and last frame", "Price at 480p 10 → 11"]
    assert page.locator("[name=field] option").all_inner_texts() == ["any", "Price (1)", "Type (1)"]
    page.locator("#language").click()
    assert fields.all_inner_texts() == ["类型 首帧 → 首尾帧", "480p 价格 10 → 11"]
    for path in ("index.html", "changes.html", "templates/1.html"):
        opened = page.context.new_page()
        opened.goto(f"{site.folder.as_uri()}/{path}")
        shown = opened.locator("body").inner_text()
        assert "BEGIN_" not in shown
        assert "consume_items" not in shown

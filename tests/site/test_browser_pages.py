"""Each kind of page: keyboard, print, Chinese, missing images, age."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.builders import record
from tests.site.conftest import served
from tests.site.sites import HELD, PIXEL, WEEKS, Site, bare
from tests.site.test_browser import PAGES, chosen

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

    from tests.site.conftest import Watch, WatchedPage

pytestmark = pytest.mark.long

JUMPS = """() => new Promise(done => {
  const shifts = [];
  const observe = seen => shifts.push(...seen.getEntries().map(each => each.value));
  new PerformanceObserver(observe).observe({ type: 'layout-shift', buffered: true });
  requestAnimationFrame(() => setTimeout(() => done(shifts.reduce((sum, each) => sum + each, 0)), 100));
})"""
REACHABLE = """() => [...document.querySelectorAll(
    'a[href], button, input, select, summary, video[controls], [tabindex="0"]')]
  .filter(each => each.tabIndex >= 0 && each.checkVisibility({ visibilityProperty: true }))
  .map(each => { each.dataset.seen = 'no'; return each.outerHTML.slice(0, 120); })"""
FOCUSED = """() => {
  const at = document.activeElement;
  if (at === document.body || at === document.documentElement) return null;
  at.dataset.seen = 'yes';
  const style = getComputedStyle(at), place = at.getBoundingClientRect();
  const top = document.elementFromPoint(place.x + Math.min(place.width / 2, 20), place.y + Math.min(place.height / 2, 10));
  return { html: at.outerHTML.slice(0, 120), ring: at.tagName === 'VIDEO' || style.outlineStyle !== 'none',
           covered: top !== null && !at.contains(top) && !top.contains(at) };
}"""
ENGLISH = """() => {
  const spared = 'code, pre, bdi, dd, script, template, [lang=en], select, footer a, svg, time';
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (texts.nextNode()) {
    const { data, parentElement } = texts.currentNode;
    const english = /[a-z]{2,}/i.test(data) && !/[\\u4e00-\\u9fff]/.test(data);
    if (english && parentElement.checkVisibility() && !parentElement.closest(spared)) found.push(data);
  }
  for (const each of document.querySelectorAll('[aria-label], [placeholder], [title]')) {
    if (!each.checkVisibility() || each.matches('p')) continue;
    const text = each.getAttribute('aria-label') ?? each.placeholder;
    if (!/[\\u4e00-\\u9fff]/.test(text)) found.push(text);
  }
  return found;
}"""


@pytest.fixture
def many(site: Site) -> Site:
    """A site of 200 templates whose covers are on another host."""
    catalog = [record(f"{n}", Cover=f"https://media.example/{n}.png", PreviewVideo=None) for n in range(200)]
    return site.after(catalog, stale_after=10.0**10)


def storage(page: Page, *lost: str) -> list[str]:
    """Serve the covers of the other host except the lost ones; return the list of requests, which grows."""
    requests: list[str] = []

    def give(route: Route) -> None:
        requests.append(route.request.url)
        assert "referer" not in route.request.headers
        if any(route.request.url.endswith(name) for name in lost):
            route.abort()
        else:
            route.fulfill(body=PIXEL, content_type="image/png")

    page.route("https://media.example/**", give)
    return requests


@pytest.mark.parametrize("path", PAGES)
def test_tab_reaches_every_control_with_a_visible_focus(path: str, from_disk: WatchedPage) -> None:
    page = from_disk.open(path)
    reachable = page.evaluate(REACHABLE)
    assert len(reachable) > 8

    for _ in range(len(reachable) + 20):  # a video has several tab stops
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None:
            break
        assert focused["ring"], focused["html"]
        assert not focused["covered"], focused["html"]
    assert page.locator("[data-seen=no]").evaluate_all("all => all.map(each => each.outerHTML.slice(0, 120))") == []


def test_filters_language_and_theme_can_be_changed_with_keys(watch: Watch, small: Site) -> None:
    here = watch(small.folder.as_uri(), viewport={"width": 375, "height": 812})
    page = here.open()
    assert not page.locator("[name=tag]").is_visible()

    page.locator("summary").focus()
    page.keyboard.press("Enter")
    page.locator("[name=images]").focus()
    page.keyboard.press("2")
    page.wait_for_function("() => location.hash === '#images=2'")
    assert here.ids() == ["2"]
    page.locator("[type=reset]").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("() => [location.hash, document.activeElement.name]") == ["", "search"]
    page.locator("#language").focus()
    page.keyboard.press("Enter")
    page.locator("#theme").focus()
    page.keyboard.press("Space")
    assert page.evaluate("() => [document.documentElement.lang, document.documentElement.dataset.theme]") == ["zh-CN", "dark"]


@pytest.mark.parametrize(
    ("view", "shown"), [("index.html#tag=Pets", "1 of 4 templates"), ("changes.html#kind=removed", "1 change")]
)
def test_the_link_to_the_content_keeps_the_filters(view: str, shown: str, from_disk: WatchedPage) -> None:
    page = from_disk.open(view)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.id === 'main'")
    page.reload()
    page.wait_for_function("() => document.getElementById('count').textContent !== ''")
    assert page.url.endswith(view)
    assert page.locator("#count").inner_text() == shown


@pytest.mark.parametrize("tag", ["R&B", "C++ #1", "50%", "水墨", "a\u202eb\x1f"])
def test_a_tag_of_a_template_selects_the_templates_that_have_it(tag: str, site: Site, watch: Watch) -> None:
    site.after([bare("1", Tags=[tag], Tags_en=[tag]), bare("2", Tags=["猫"], Tags_en=["Cat"])], stale_after=10.0**10)
    here = watch(site.folder.as_uri())
    page = here.open("templates/1.html")
    page.locator(".taglist a").click()
    page.wait_for_function("() => document.getElementById('count')?.textContent === '1 of 2 templates'")
    assert here.ids() == ["1"]


@pytest.mark.parametrize("path", PAGES)
def test_without_javascript_no_control_is_shown_that_does_nothing(path: str, watch: Watch, small: Site) -> None:
    page = watch(small.folder.as_uri(), java_script_enabled=False).page
    page.goto(f"{small.folder.as_uri()}/{path}")
    assert page.locator("h1").first.inner_text() != ""
    assert page.locator(":is(button, select, input):visible").count() == 0


@pytest.mark.parametrize("width", [320, 768, 1280])
def test_long_values_do_not_make_a_page_wider_than_the_screen(width: int, site: Site, watch: Watch) -> None:
    long = "W" * 100
    record = bare(
        long, Title=long, Title_en=long, Tags=[long], Tags_en=[long], InputRequirement=long, TemplateType=long, MediaId=long,
        CoverAspectRatio=long[:60], SupportAspectRatio=long[:60], ConsumeItems=[{"Resolution": long[:60], "Credit": 123456.75}],
        Extra={long: long},
    )  # fmt: skip
    changed = {**record, "Title": f"{long}!", "ConsumeItems": [{"Resolution": long[:60], "Credit": 5}]}
    here = watch(site.after([record], [changed], stale_after=10.0**10).folder.as_uri(), viewport={"width": width, "height": 800})
    for path in ("index.html", "changes.html", f"templates/{long}.html"):
        page = here.open(path)
        assert page.evaluate("() => document.documentElement.scrollWidth") == width, path


@pytest.mark.parametrize("path", PAGES)
def test_a_chinese_page_has_no_english_text_of_the_program(path: str, watch: Watch, small: Site) -> None:
    page = watch(small.folder.as_uri(), locale="zh-CN").open(path)
    assert [text.strip() for text in page.evaluate(ENGLISH) if not text.endswith("UTC")] == []
    first = page.locator("select").evaluate_all("all => all.map(each => each.options[0].text)")
    assert set(first) <= {"全部", "最新"}


def test_cards_created_by_a_filter_change_their_language(from_disk: WatchedPage) -> None:
    page = from_disk.open("index.html#search=kitty")
    assert page.locator("article .price").inner_text() == "166.5 – 355.2 credits"
    page.locator("#language").click()
    assert page.locator("article .price").inner_text() == "166.5 – 355.2 积分"
    assert page.locator("article .tags").inner_text() == "宠物"
    assert page.locator("article .play").get_attribute("aria-label") == "预览 猫咪变身特效"


def test_a_printed_page_has_dark_text_on_white_and_no_controls(watch: Watch, small: Site) -> None:
    here = watch(small.folder.as_uri(), color_scheme="dark", viewport={"width": 718, "height": 1000})  # A4 without margins
    for path, read in zip(PAGES, (".price b", ".event .what", "#request", ".gone"), strict=True):
        page = here.open(path)
        page.evaluate("() => { document.documentElement.dataset.theme = 'dark'; }")
        page.emulate_media(media="print")
        assert page.locator(read).first.is_visible()
        assert page.locator("h1, h2, article h2").first.is_visible()
        for pressed in ("nav", "button", "form", "video", "footer"):
            assert [each for each in page.locator(pressed).all() if each.is_visible()] == [], (path, pressed)
        assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.locator(".cover img").first.is_visible() or "changes" in path
        assert page.pdf(format="A4").startswith(b"%PDF")
        for card in page.locator("article[data-template-id]").all():
            assert (card.bounding_box() or {"height": 0})["height"] < 400  # at least two rows per sheet


def test_covers_are_requested_when_they_become_visible_and_without_a_referrer(watch: Watch, many: Site) -> None:
    with served(many.folder) as base:
        here = watch(base, viewport={"width": 1280, "height": 800})
        requests = storage(here.page)
        page = here.open()
        page.wait_for_load_state("networkidle")
        assert 0 < len(requests) < 60  # of the 60 on the page; there are 200 in all

        assert page.locator("article").count() == 200
        page.evaluate("() => scrollTo(0, document.body.scrollHeight / 2)")
        page.wait_for_load_state("networkidle")
        assert len(set(requests)) < 200
        assert set(here.external_requests) == set(requests)


def test_all_matching_cards_are_in_the_page_without_scrolling(watch: Watch, site: Site) -> None:
    tags = ({"Tags": ["热门"], "Tags_en": ["Trending"]}, {"Tags": ["冬"], "Tags_en": ["Winter"]})
    site.after([bare(f"{n}", **tags[n % 3 == 0]) for n in range(200)])
    page = watch(site.folder.as_uri(), offline=True).open()
    for tag, expected in [("", 200), ("Trending", 133), ("Winter", 67), ("", 200)]:
        page.select_option("select[name=tag]", tag)
        page.wait_for_function(f"() => document.querySelectorAll('article[data-template-id]').length === {expected}")


@pytest.mark.parametrize("width", [1280, 375])
@pytest.mark.parametrize("path", PAGES)
def test_the_layout_does_not_shift_while_a_page_and_its_images_load(path: str, width: int, watch: Watch, small: Site) -> None:
    page = watch(small.folder.as_uri(), viewport={"width": width, "height": 800}).open(path)
    page.wait_for_load_state("networkidle")
    assert page.evaluate(JUMPS) < 0.1  # "good" by web.dev; a late line of text causes 0.03


def test_a_missing_cover_is_replaced_by_the_first_letter(watch: Watch, many: Site) -> None:
    here = watch(many.folder.as_uri())
    storage(here.page, "/7.png")
    page = here.open("index.html#search=7.png")
    page.locator("input[type=search]").fill("")
    page = here.open("templates/7.html")
    page.wait_for_selector("img.broken", state="attached")

    assert not page.locator("img").is_visible()
    assert page.locator(".glyph").inner_text() == "B"
    page.locator("#language").click()
    assert page.locator(".glyph").inner_text() == "战"
    assert [problem for problem in here.problems if "ERR_FAILED" not in problem] == []
    here.problems.clear()


def test_an_open_page_shows_that_it_may_be_out_of_date(site: Site, watch: Watch) -> None:
    here = watch(site.after([bare("1")]).folder.as_uri())
    here.page.clock.install(time=WEEKS[0] + timedelta(minutes=30))
    page = here.open()
    assert page.locator("#freshness").inner_text() == "Synchronised and verified 30 minutes ago · 1 template"
    page.clock.fast_forward("45:00")
    assert "75 minutes ago · this page may be out of date" in page.locator("#freshness.old").inner_text()


def test_every_page_shows_held_removals_and_rejected_records_without_a_violation_of_axe(site: Site, watch: Watch) -> None:
    site.after(*HELD, max_removed=Decimal("0.1"), stale_after=10.0**10)
    here = watch(site.folder.as_uri(), offline=True)
    for path in ("index.html", "changes.html", "templates/30.html"):
        page = here.open(path)
        assert "15 removals held · 1 record rejected" in page.locator("#freshness").inner_text()
        assert here.axe() == []
    here.problems.clear()  # covers that cannot be loaded


def test_an_empty_gallery_shows_that_it_was_never_synchronised(site: Site, watch: Watch) -> None:
    site.build()
    here = watch(site.folder.as_uri())
    assert "Never synchronised" in here.open().locator("#freshness.old").inner_text()
    assert here.page.locator(".note:visible").all_inner_texts() == ["The catalog is empty."]
    assert here.open("changes.html").locator(".note").first.inner_text() == "Nothing has changed yet."


def test_the_feed_can_be_filtered_by_kind_and_field_and_the_view_is_in_the_url(base: str, watch: Watch) -> None:
    page = watch(base).open("changes.html")
    events = page.locator(".event")

    def offered(name: str) -> list[str]:
        return [text.strip() for text in page.locator(f"[name={name}] option").all_inner_texts()]

    assert events.count() == 7
    chosen(page, kind="removed")
    assert page.locator(".event .what").all_inner_texts() == ["Gone Soon\n战斗游戏"]
    chosen(page, kind="", field="consume_items")
    assert events.count() == 1
    assert page.url.endswith("#field=consume_items")

    page.goto("about:blank")
    page.goto(f"{base}/changes.html#kind=changed&field=consume_items")
    assert events.count() == 1
    assert "166.5 → 149.85" in events.inner_text()
    assert offered("kind") == ["any", "Changed (1)"]
    chosen(page, field="")
    assert offered("kind") == ["any", "Added (5)", "Changed (1)", "Removed (1)"]
    chosen(page, kind="added")
    assert events.count() == 5
    page.go_back()
    page.wait_for_function("() => document.querySelectorAll('.event').length === 1")
    page.locator(".event a").click()
    page.wait_for_url("**/templates/104909826.html")


@pytest.mark.parametrize("name", ["request", "sql", "cli"])
def test_a_button_copies_a_line_or_selects_it_if_copying_is_not_permitted(name: str, watch: Watch, small: Site) -> None:
    page = watch(small.folder.as_uri(), permissions=["clipboard-read", "clipboard-write"]).open("templates/104909826.html")
    page.locator(f"[data-copies={name}]").click()
    page.locator(f"[data-copies={name}]", has_text="Copied").wait_for()
    assert page.evaluate("() => navigator.clipboard.readText()") == page.locator(f"#{name}").inner_text()
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')); }")
    page.locator(f"[data-copies={name}]").click()
    page.locator(f"[data-copies={name}]", has_text="Select and copy by hand").wait_for()
    assert page.evaluate("() => getSelection().toString().trim()") == page.locator(f"#{name}").inner_text().strip()


def test_on_a_phone_the_button_plays_the_preview_and_the_cover_opens_the_page(watch: Watch, small: Site) -> None:
    page = watch(small.folder.as_uri(), viewport={"width": 320, "height": 640}, has_touch=True, is_mobile=True).open()
    button = page.locator("article[data-template-id='1'] .play")
    assert button.evaluate("button => getComputedStyle(button).opacity") == "1"
    button.tap()
    page.wait_for_selector("article[data-template-id='1'] .cover.playing video")
    button.tap()
    page.wait_for_selector("video", state="detached")

    page.locator("article[data-template-id='1'] .cover").tap(position={"x": 20, "y": 60})
    page.wait_for_url("**/templates/1.html")
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    video = page.locator("video")
    assert video.evaluate("video => [video.preload, video.muted, video.networkState]") == ["none", True, 1]

"""A gallery of a hostile catalog: its values are shown as text, and no other host gets a request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import record
from tests.site.sites import PIXEL

if TYPE_CHECKING:
    from tests.site.conftest import Watch
    from tests.site.sites import Site

EVIL = [
    "</script><script>window.hacked=1</script>", "<img src=x onerror=window.hacked=1>", '"><svg onload=window.hacked=1>',
    "' onmouseover='window.hacked=1", "{{7*7}}{% raise %}", "\u202egnp.exe\u2069", "a\u2028window.hacked=1\u2029b", "<!--", "]]>",
    "&lt;b&gt;",
    "javascript:window.hacked=1", "__proto__", "constructor", "x" * 400, "\ufeff", "猫\u0301\u0301\u0301",
]  # fmt: skip
VALID_URL = "https://covers.example/x.png?a=1&b=2"
URLS = [
    "javascript:window.hacked=1", "data:text/html,<script>window.hacked=1</script>", "http://plain.example/x.png",
    'https://a.example/"onload="window.hacked=1', "//elsewhere.example/x.png", "file:///etc/passwd", "https://user:pw@a.example/x.png",
    "../../../etc/passwd", "https://a.example/x.png?a=1&b=<>", "", VALID_URL,
]  # fmt: skip


def evil_records() -> list[dict[str, Any]]:
    return [
        record(
            word[:200] if at % 2 else f"{at}", Title=word, Title_en=word, Tags=[word[:200]], Tags_en=[word[:200]],
            Cover=URLS[at % len(URLS)], PreviewVideo=URLS[at % len(URLS)], TemplateType=word[:200], InputRequirement=word,
            CoverAspectRatio=word[:60], SupportAspectRatio=word[:60], Extra={word[:150]: word},
            ConsumeItems=[{"Resolution": word[:60], "Credit": 5}],
        )
        for at, word in enumerate(EVIL)
    ]  # fmt: skip


@pytest.mark.long
def test_a_hostile_catalog_runs_no_script_and_causes_no_external_request(site: Site, watch: Watch) -> None:
    catalog = evil_records()
    moved = [{**each, "Title": f"{each['Title']}!", "ConsumeItems": [{"Resolution": "<b>", "Credit": 6}]} for each in catalog]
    site.after(catalog, moved[:-1], stale_after=10.0**10)

    here = watch(site.folder.as_uri())
    here.page.route(VALID_URL, lambda route: route.fulfill(body=PIXEL, content_type="image/png"))
    pages = ["index.html", "changes.html", *(f"templates/{file.name}" for file in (site.folder / "templates").iterdir())]
    assert len(pages) == 2 + len(EVIL)
    for path in pages:
        page = here.open(path.replace("%", "%25"))
        page.evaluate(
            "() => document.querySelectorAll('main *').forEach(each => each.dispatchEvent(new MouseEvent('mouseover')))"
        )
        assert page.evaluate("() => window.hacked") is None, path
        assert page.locator("main script, main iframe, main object, main embed, main style, [onerror], [onload]").count() == 0
        links = page.locator("a[href]").evaluate_all("all => all.map(a => a.protocol)")
        assert set(links) == {"file:"}
    page = here.open("index.html")
    for word in EVIL:
        page.locator("input[type=search]").fill(word)
        page.locator("[name=tag]").select_option(index=0)
    for at in range(page.locator("[name=tag] option").count()):
        page.locator("[name=tag]").select_option(index=at)
    page.locator("#language").click()
    assert page.evaluate("() => window.hacked") is None
    assert set(here.external_requests) == {VALID_URL}  # as a cover


def test_values_of_a_hostile_catalog_are_escaped_in_every_file(site: Site) -> None:
    site.after(evil_records())
    markup = (
        "<script>window", "<img src=x", "<svg onload", "' onmouseover='", 'href="javascript', 'src="javascript', "49{%",
    )  # fmt: skip
    for file in site.folder.rglob("*"):
        text = file.read_text(encoding="utf-8") if file.suffix in {".html", ".js"} else ""
        text = re.sub(r'data-template-id="[^"]*"', "", text)  # an id is an attribute with its exact value, and is not shown
        assert not {"\u202e", "\u2069", "\u2028", "\u2029"} & set(text), file
        assert [each for each in markup if file.suffix == ".html" and each in text] == [], file

"""The schema of a form in a form renderer, React JSON Schema Form, in a real browser."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sync.forms.form import Form
from sync.site.data import script
from tests.catalog.runs import base, document_of
from tests.installed import npm_project

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    Render = Callable[[Form], Page]

SOURCES = Path(__file__).parent.parent / "tools" / "rjsf"
BUNDLE = ["node_modules/.bin/esbuild", "page.jsx", "--bundle", "--format=iife", "--jsx=automatic", "--outfile=page.js"]
URLS = ["https://a.example/1.png", "https://a.example/2.png"]

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The renderer and its page in one script; without npm or the packages the tests are skipped with the reason."""
    folder = npm_project(SOURCES, tmp_path_factory.mktemp("rjsf") / "page")
    production = '--define:process.env.NODE_ENV="production"'
    made = subprocess.run([*BUNDLE, production], cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture
def render(bundle: Path, watch: Callable[..., Any]) -> Render:
    """Yield a function that opens a page with a form."""

    def opened(form: Form) -> Page:
        (bundle / "schema.js").write_text(script("schema", form.schema), encoding="utf-8")
        scripts = '<script src="schema.js"></script><div id="form"></div><script src="page.js"></script>'
        (bundle / "index.html").write_text(f'<!doctype html><meta charset="utf-8">{scripts}', encoding="utf-8")
        page: Page = watch(bundle.as_uri()).page
        page.goto(f"{bundle.as_uri()}/index.html")
        page.locator("button[type=submit]").wait_for()
        return page

    return opened


def form_of(**changes: Any) -> Form:
    return Form(document_of(base(**changes)))


def test_a_rendered_form_shows_prices_has_a_fixed_id_and_sends_valid_input(render: Render) -> None:
    form = form_of(InputNum=2, Title_en="<b>Battle</b> 猫")
    page = render(form)

    assert page.locator("legend").first.inner_text() == "<b>Battle</b> 猫"
    offered = page.locator("select option").all_inner_texts()
    assert [each for each in offered if each] == ["480p (166.5 credits)", "720p (355.2 credits)"]
    fixed = page.locator("#root_template_id")
    assert (fixed.input_value(), fixed.is_editable()) == ("1", False)
    assert page.locator("input[type=url]").count() == 2
    assert "Requirement: SINGLE_PERSON." in page.locator("#form").inner_text()

    page.locator("select").select_option(label="720p (355.2 credits)")
    page.locator("input[type=url]").nth(0).fill(URLS[0])
    page.locator("input[type=url]").nth(1).fill("not a URL")
    page.locator("button[type=submit]").click()
    page.locator("#root_img_urls_1__error").wait_for()
    assert page.evaluate("() => window.sent") is None

    page.locator("input[type=url]").nth(1).fill(URLS[1])
    page.locator("button[type=submit]").click()
    page.wait_for_function("() => window.sent")
    sent = page.evaluate("() => window.sent")
    assert sent == {"template_id": "1", "img_urls": URLS, "resolution": "720p"}
    assert form.validate(sent) == []


def test_a_rendered_form_leaves_unstated_values_to_the_user(render: Render) -> None:
    form = form_of(InputNum=None, ConsumeItems=[])
    page = render(form)

    page.locator(".rjsf-array-item-add button, button.rjsf-array-item-add, .btn-add").first.click()
    page.locator("input[type=url]").fill(URLS[0])
    page.locator("#root_resolution").fill("8k")
    page.locator("button[type=submit]").click()
    page.wait_for_function("() => window.sent")
    sent = page.evaluate("() => window.sent")
    assert sent == {"template_id": "1", "img_urls": URLS[:1], "resolution": "8k"}
    assert form.validate(sent) == []

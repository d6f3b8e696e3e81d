"""A real browser: Debian's Chromium by way of Playwright, one for this folder's tests, a fresh profile for each of them."""

from __future__ import annotations

import functools
import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import fresh
from tests.site.sites import FIRST, THEN, Site, sample_media

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, ConsoleMessage, Page

    from tests.builders import Database

    Watch = Callable[..., "Watched"]


@pytest.fixture
def site(sqlite: Database, tmp_path: Path) -> Site:
    """A site of an empty database, not built."""
    return Site(tmp_path / "site", sqlite.engine)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser; without one the test is skipped by name.

    It ends with this folder's tests: while Playwright is open its event loop runs in this thread, and every `asyncio.run` of
    another test in the same process is refused.
    """
    program = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        program = None
    if program is None:
        pytest.skip("browser: install chromium (Debian: apt-get install chromium) and playwright")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page, and everything that went wrong on it or was asked by it."""

    page: Page
    base: str
    problems: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def open(self, path: str = "index.html") -> Page:
        """Open a page of the site and wait until its scripts have run."""
        self.page.goto(f"{self.base}/{path}")
        self.page.wait_for_function("() => document.getElementById('freshness').textContent !== ''")
        return self.page

    def log(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(message.text)

    @property
    def elsewhere(self) -> list[str]:
        """What was asked of others than the site itself."""
        return [url for url in self.asked if not url.startswith(self.base)]

    def ids(self) -> list[str]:
        """Name the templates whose cards are displayed, in their order."""
        shown = "cards => cards.filter(card => card.checkVisibility()).map(card => card.dataset.templateId)"
        found: list[str] = self.page.locator("article[data-template-id]").evaluate_all(shown)
        return found


VIOLATIONS = (
    "addEventListener('securitypolicyviolation', e => console.error('policy: ' + e.violatedDirective + ' ' + e.blockedURI))"
)


@pytest.fixture
def watch(browser: Browser) -> Iterator[Callable[..., Watched]]:
    """Open pages that are watched; at the end of the test nothing may have gone wrong on any."""
    opened: list[Watched] = []

    def make(base: str, **context: Any) -> Watched:
        page = browser.new_context(**{"locale": "en-US", "reduced_motion": "no-preference", **context}).new_page()
        page.set_default_timeout(20_000)
        watched = Watched(page, base)
        page.add_init_script(VIOLATIONS)
        page.on("console", watched.log)
        page.on("pageerror", lambda error: watched.problems.append(str(error)))
        page.on("request", lambda request: watched.asked.append(request.url))
        opened.append(watched)
        return watched

    yield make
    problems = [problem for watched in opened for problem in watched.problems]
    for watched in opened:
        watched.page.context.close()
    assert problems == []


@pytest.fixture(scope="session")
def small(migrated: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of four templates with two weeks' history, and covers of the sandbox; not to be changed."""

    def media(number: str) -> dict[str, str]:
        return {"Cover": f"https://media.example/{number}.jpeg", "PreviewVideo": f"https://media.example/{number}.mp4"}

    for database in fresh("sqlite", migrated, tmp_path_factory.mktemp("small")):
        catalogs = [[{**record, **media(record["TemplateId"])} for record in catalog] for catalog in (FIRST, THEN)]
        site = Site(tmp_path_factory.mktemp("site") / "gallery", database.engine)
        yield site.after(*catalogs, copy_media=sample_media(), stale_after=10.0**10)


@pytest.fixture(params=["disk", pytest.param("http", marks=pytest.mark.long)])
def base(request: pytest.FixtureRequest, small: Site) -> Iterator[str]:
    """Where the small site is: opened from the disk, or behind a web server."""
    if request.param == "disk":
        yield small.folder.as_uri()
    else:
        with served(small.folder) as url:
            yield url


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback, silently."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()

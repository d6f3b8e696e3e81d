"""Fixtures with a real browser: Chromium of Debian, driven by Playwright, with a new profile for each test."""

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

    Watch = Callable[..., "WatchedPage"]


@pytest.fixture
def site(sqlite: Database, tmp_path: Path) -> Site:
    """A site of an empty database, not built."""
    return Site(tmp_path / "site", sqlite.engine)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser; without one the test is skipped with the reason.

    It is closed after the tests of this package: while Playwright is open, its event loop runs in this thread, and
    `asyncio.run` in other tests of the process fails.
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
class WatchedPage:
    """A page, its requests, and the problems that occurred on it."""

    page: Page
    base: str
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self, path: str = "index.html") -> Page:
        """Open a page of the site and wait until its scripts have run."""
        self.page.goto(f"{self.base}/{path}")
        self.page.wait_for_function("() => document.getElementById('freshness').textContent !== ''")
        return self.page

    def log(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(message.text)

    @property
    def external_requests(self) -> list[str]:
        """The requests to other hosts."""
        return [url for url in self.requests if not url.startswith(self.base)]

    def axe(self, **options: Any) -> list[tuple[str, list[str]]]:
        """Return the violations that axe finds, with the elements."""
        from axe_playwright_python.sync_playwright import Axe

        # Preloading would violate the policy.
        found = Axe().run(self.page, options={"preload": False, **options}).response["violations"]
        return [(each["id"], [node["html"][:160] for node in each["nodes"]]) for each in found]

    def ids(self) -> list[str]:
        """Return the ids of the displayed cards, in order."""
        shown = "cards => cards.filter(card => card.checkVisibility()).map(card => card.dataset.templateId)"
        found: list[str] = self.page.locator("article[data-template-id]").evaluate_all(shown)
        return found


VIOLATIONS = (
    "addEventListener('securitypolicyviolation', e => console.error('policy: ' + e.violatedDirective + ' ' + e.blockedURI))"
)


@pytest.fixture
def watch(browser: Browser) -> Iterator[Callable[..., WatchedPage]]:
    """Yield a function that opens pages; at the end of the test no page may have had a problem."""
    opened: list[WatchedPage] = []

    def make(base: str, **context: Any) -> WatchedPage:
        page = browser.new_context(**{"locale": "en-US", "reduced_motion": "no-preference", **context}).new_page()
        page.set_default_timeout(20_000)
        watched = WatchedPage(page, base)
        page.add_init_script(VIOLATIONS)
        page.on("console", watched.log)
        page.on("pageerror", lambda error: watched.problems.append(str(error)))
        page.on("request", lambda request: watched.requests.append(request.url))
        opened.append(watched)
        return watched

    yield make
    problems = [problem for watched in opened for problem in watched.problems]
    for watched in opened:
        watched.page.context.close()
    assert problems == []


@pytest.fixture(scope="session")
def small(migrated: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of four templates with a history of two weeks and covers of the sandbox; tests must not change it."""

    def media(number: str) -> dict[str, str]:
        return {"Cover": f"https://media.example/{number}.webp", "PreviewVideo": f"https://media.example/{number}.mp4"}

    for database in fresh("sqlite", migrated, tmp_path_factory.mktemp("small")):
        catalogs = [[{**record, **media(record["TemplateId"])} for record in catalog] for catalog in (FIRST, THEN)]
        site = Site(tmp_path_factory.mktemp("site") / "gallery", database.engine)
        yield site.after(*catalogs, copy_media=sample_media(), stale_after=10.0**10)


@pytest.fixture(params=["disk", pytest.param("http", marks=pytest.mark.long)])
def base(request: pytest.FixtureRequest, small: Site) -> Iterator[str]:
    """The base URL of the small site: a folder, or a web server."""
    if request.param == "disk":
        yield small.folder.as_uri()
    else:
        with served(small.folder) as url:
            yield url


@pytest.fixture
def gallery(base: str, watch: Watch) -> WatchedPage:
    """A page of the small site, not opened."""
    return watch(base)


@pytest.fixture
def from_disk(small: Site, watch: Watch) -> WatchedPage:
    """A page of the small site in a folder, not opened."""
    return watch(small.folder.as_uri())


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback without an access log."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()

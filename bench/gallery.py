"""Time the gallery: writing it, writing it with nothing new, opening it, filtering in it.

python bench/gallery.py [280 10000]      needs the extra `site`, playwright, and a chromium on PATH

Each time is told with the processor's of the process that did it, for pages that of the thread that shows them: on a machine that
does other things, too, that says more.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from sync.endpoint.client import Endpoint
from sync.sandbox.catalog import make_catalog
from sync.sandbox.server import Sandbox
from sync.settings import load
from sync.site.build import Options, build
from sync.store.apply import Store
from sync.store.engine import open_engine
from sync.store.schema import prepare
from sync.synchronise import RunOptions, synchronise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page
    from sqlalchemy import Engine

OPTIONS = Options("https://api.crun.ai", 2700.0)
OPENED = "() => document.getElementById('count')?.textContent.includes('templates')"
FILTERS = [
    ("search", "c"), ("search", "猫"), ("search", "neon dragon"), ("tag", "Trending"), ("type", "BEGIN_FRAME"),
    ("resolution", "720p"), ("max_price", "200"), ("sort", "price"), ("sort", "name"),
]  # fmt: skip
FILTER = """([name, value]) => {
  const form = document.getElementById('filters'), began = performance.now();
  form.elements[name].value = value;
  form.dispatchEvent(new Event('input', { bubbles: true }));
  document.body.offsetHeight; // layout, too
  return performance.now() - began;
}"""
TIMES = 9


def main() -> None:
    """Print the times for each number of templates."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        for count in map(int, sys.argv[1:] or ["280", "10000"]):
            with tempfile.TemporaryDirectory() as scratch:
                site = Path(scratch) / "site"
                engine = open_engine(f"sqlite:///{scratch}/templates.db")
                prepare(engine)
                with Sandbox(make_catalog(count)) as sandbox:
                    _synchronise(engine, sandbox)
                    print(f"{count} templates")
                    print(f"  first build      {_timed(engine, site)}")
                    print(f"  nothing new      {_timed(engine, site)}")
                    sandbox.evolve()
                    _synchronise(engine, sandbox)
                    print(f"  a week later     {_timed(engine, site)}")
                engine.dispose()
                opened = min(_opened(browser, site) for _ in range(5))
                print("  usable after     {:5.2f} s ({:.2f} s of the processor), the best of five".format(*opened))
                print(f"  a filter, in ms (of the processor), the best of {TIMES}")
                for name, value, spent, busy in _filtered(browser, site):
                    print(f"    {name}={value:<{18 - len(name)}}{spent:5.1f} ({busy:.1f})")
        browser.close()


def _timed(engine: Engine, site: Path) -> str:
    began, busy = time.perf_counter(), time.process_time()
    built = build(engine, site, OPTIONS)
    spent = f"{time.perf_counter() - began:5.2f} s ({time.process_time() - busy:.2f} s of the processor)"
    return f"{spent}, {built.written} files written"


def _busy(page: Page) -> Callable[[], float]:
    """Give what tells the seconds that a page's thread has worked: for its scripts, styles and layout."""
    protocol = page.context.new_cdp_session(page)
    protocol.send("Performance.enable", {"timeDomain": "threadTicks"})
    parts = {"ScriptDuration", "LayoutDuration", "RecalcStyleDuration"}

    def told() -> float:
        metrics = protocol.send("Performance.getMetrics")["metrics"]
        return float(sum(each["value"] for each in metrics if each["name"] in parts))

    return told


def _opened(browser: Browser, site: Path) -> tuple[float, float]:
    """Open the gallery; give the seconds until it can be used, and those of the processor."""
    page = browser.new_page(offline=True)  # the covers' addresses lead nowhere
    busy = _busy(page)
    began = time.perf_counter()
    page.goto(f"file://{site}/index.html", wait_until="commit")
    page.wait_for_function(OPENED)
    spent = time.perf_counter() - began, busy()
    page.close()
    return spent


def _filtered(browser: Browser, site: Path) -> Iterator[tuple[str, str, float, float]]:
    """Choose each filter and let it go again; give its milliseconds, layout included, and those of the processor."""
    page = browser.new_page(offline=True)
    busy = _busy(page)
    page.goto(f"file://{site}/index.html")
    page.wait_for_function(OPENED)
    page.wait_for_timeout(1000)  # as long as a reader looks before the first
    for name, value in FILTERS:
        spent = []
        for _ in range(TIMES):
            before = busy()
            time_ = page.evaluate(FILTER, [name, value])
            spent.append((time_, (busy() - before) * 1000))
            page.evaluate(FILTER, [name, "newest" if name == "sort" else ""])
            page.wait_for_timeout(50)  # what is shown after a filter is not the next one's
        yield name, value, min(time_ for time_, _ in spent), min(busy_ for _, busy_ in spent)
    page.close()


def _synchronise(engine: Engine, sandbox: Sandbox) -> None:
    settings = load({"base_url": sandbox.url, "rate": "0"}, {"CRUN_API_KEY": sandbox.key}, None).settings
    with Endpoint(settings, sandbox.key) as endpoint:
        outcome = synchronise(
            Store(engine),
            endpoint,
            RunOptions(50, 4, settings.max_removed),
            trigger="run",
            ttl=60,
            clock=lambda: datetime.now(UTC),
        )
    if outcome.error:
        raise outcome.error


if __name__ == "__main__":
    main()

"""Make the picture that the README opens with: the demo's gallery, in a real browser.

python bench/picture.py docs/gallery.png      needs the extra `site`, playwright, and a chromium on PATH
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright


def main() -> None:
    """Write the gallery of the demo, open it, keep what is seen."""
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        made = [sys.executable, "-m", "sync", "demo", "--site", "gallery"]
        subprocess.run(made, cwd=scratch, check=True, capture_output=True)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        # Without motion every card shows its button to play, and none of them does by itself.
        page = browser.new_page(viewport={"width": 1360, "height": 860}, locale="en-US", reduced_motion="reduce")
        page.goto((Path(scratch) / "gallery" / "index.html").as_uri())
        page.wait_for_load_state("networkidle")
        page.screenshot(path=sys.argv[1])
        browser.close()


if __name__ == "__main__":
    main()

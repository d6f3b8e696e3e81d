"""Build the documentation as a site, strictly, in its own virtual environment: MkDocs is not a requirement of the tests."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Install the dependency group `docs` and build; a broken link or anchor fails."""
    requirements = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["docs"]
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        programs = Path(folder) / "bin"
        subprocess.run([programs / "pip", "install", "-q", *requirements], check=True)
        site = subprocess.run([programs / "mkdocs", "build", "-q", "--strict", "-d", f"{folder}/site"], cwd=ROOT, check=False)
    sys.exit(site.returncode)


if __name__ == "__main__":
    main()

"""The example apps in FastAPI and Django: started by their documented commands, and read by threads during runs."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.builders import records
from tests.faults import sync, wait_for
from tests.installed import python_with
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.builders import Database

ROOT = Path(__file__).parents[2]
APPS = ROOT / "examples" / "web"

pytestmark = pytest.mark.long


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with both frameworks and this package; without the packages the tests are skipped with the reason."""
    return python_with(ROOT / "tests" / "examples" / "requirements.txt", tmp_path_factory.mktemp("web"))


@contextmanager
def serving(python: Path, app: str, database: Database) -> Iterator[str]:
    """Start an app by its documented command."""
    port = str(free_port())
    command = {
        "fastapi": ["-m", "uvicorn", "fastapi_app:app", "--port", port, "--log-level", "warning"],
        "django": ["django_app.py", "runserver", port, "--noreload"],
    }[app]
    environment = {
        **{name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}},
        "DATABASE_URL": database.url,
        "DJANGO_SECRET_KEY": "only for this test",
        "PYTHONPATH": str(ROOT),
    }
    url = f"http://127.0.0.1:{port}"
    # Django logs each request; an unread pipe would block it when it is full.
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen([python, *command], cwd=APPS, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            wait_for(lambda: _answers(url) or process.poll() is not None, within=60)
            assert process.poll() is None, (output.seek(0), output.read())
            yield url
        finally:
            process.terminate()
            process.wait(timeout=30)


def _answers(url: str) -> bool:
    with suppress(urllib.error.URLError):
        get(f"{url}/templates")
        return True
    return False


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as response:  # noqa: S310 - our own server
        return json.load(response)


@pytest.mark.parametrize("app", ["fastapi", "django"])
def test_an_app_answers_filters_pages_and_errors(python: Path, app: str, database: Database) -> None:
    sync(records(30), database.engine)
    with serving(python, app, database) as url:
        first = get(f"{url}/templates?tag=trending&tag={quote('🔥Seedance2.0 Model')}")
        assert (len(first["templates"]), first["total"], first["facets"]["images"]) == (24, 30, {"1": 30})
        assert len(get(f"{url}/templates?tag=trending&after={quote(first['after'])}")["templates"]) == 6
        one = get(f"{url}/templates/7")
        assert one["template"]["template_id"] == one["form"]["properties"]["template_id"]["const"] == "7"
        for path, code in (("/templates/none", 404), ("/templates?max_price=nan", 400)):
            with pytest.raises(urllib.error.HTTPError) as refused:
                get(url + path)
            assert refused.value.code == code
            refused.value.close()


SECONDS = float(os.environ.get("SYNC_TEST_WEB_SECONDS", "5"))
"""Duration of the reads; the figure of docs/verification.md is for 30."""


@pytest.mark.parametrize("app", ["fastapi", "django"])
def test_eight_threads_read_consistent_pages_while_a_run_commits_every_second(
    python: Path, app: str, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    sync(records(2), database.engine)
    finished = threading.Event()

    def read(url: str) -> list[float]:
        """Read pages until the end; check that each is consistent."""
        took = []
        while not finished.is_set():
            began = time.monotonic()
            page = get(f"{url}/templates?tag=trending")
            took.append(time.monotonic() - began)
            assert min(24, page["total"]) == len(page["templates"])
            assert page["total"] == sum(page["facets"]["images"].values())
        return took

    with serving(python, app, database) as url, ThreadPoolExecutor(8) as threads:
        readers = [threads.submit(read, url) for _ in range(8)]
        ends = time.monotonic() + SECONDS
        number = 2
        while time.monotonic() < ends:
            number += 1
            sync(records(number), database.engine)
            finished.wait(1)
        finished.set()
        took = sorted(each for reader in readers for each in reader.result())
        assert get(f"{url}/templates")["total"] == number
    with capsys.disabled():
        print(f"\n{app}, {database.kind}: {len(took)} pages, {number - 2} runs, 95 % within {took[len(took) * 95 // 100]:.3f} s")  # noqa: T201 - a figure for docs/verification.md

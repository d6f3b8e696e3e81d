"""The Dockerfile: its properties, and its installation steps in a clean environment."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from packaging.utils import canonicalize_name

from sync import __version__
from tests.deploy.files import ROOT, dockerfile, last, output_of, tool

if TYPE_CHECKING:
    from pathlib import Path


def build_context(target: Path) -> None:
    """Copy the files that .dockerignore permits: it excludes everything, then includes names, then excludes patterns."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    hidden = [line.removeprefix("**/") for line in lines if line.startswith("**/")]
    allowed = [line[1:] for line in lines if line.startswith("!")]
    assert len(hidden) + len(allowed) + 1 == len(lines), "an unknown form of line"
    for name in allowed:
        source, copy = ROOT / name, target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns(*hidden))
        else:
            assert not any(fnmatch.fnmatch(source.name, pattern) for pattern in hidden)
            shutil.copy2(source, copy)


def test_hadolint_reports_nothing_about_the_dockerfile() -> None:
    assert not output_of(tool("hadolint"), "--no-color", "--failure-threshold", "style", ROOT / "Dockerfile")


def test_the_image_is_pinned_and_slim_runs_as_a_user_and_passes_signals() -> None:
    assert re.fullmatch(r"BASE=python:3\.\d+\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", last("ARG"))
    froms = [rest for word, rest in dockerfile() if word == "FROM"]
    assert len(froms) > 1
    assert all(rest.startswith("${BASE}") for rest in froms)
    used = [rest.split()[0].removeprefix("--from=") for word, rest in dockerfile() if word == "COPY" and rest.startswith("--")]
    assert used == [rest.rpartition(" ")[2] for rest in froms[:-1]], "each stage is copied by the next one"
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last("USER"))
    assert last("STOPSIGNAL") == "SIGTERM"
    assert json.loads(last("ENTRYPOINT")) == ["template-sync"]
    assert json.loads(last("CMD")) == ["daemon"]
    assert json.loads(last("HEALTHCHECK").partition(" CMD ")[2]) == ["template-sync", "health"]


def test_the_image_writes_only_to_the_volume_of_its_database() -> None:
    words = [word for word, _rest in dockerfile()]
    assert last("VOLUME") == last("WORKDIR") == "/var/lib/template-sync"
    assert f"-o {last('USER').partition(':')[0]} " in last("RUN")  # made for its user
    assert words.index("VOLUME") > max(
        place for place, word in enumerate(words) if word == "RUN"
    )  # otherwise the results of RUN are lost
    assert "PYTHONDONTWRITEBYTECODE=1" in last("ENV")


def test_no_layer_of_the_image_contains_a_secret_or_overrides_its_file() -> None:
    for word, rest in dockerfile():
        if word in {"ENV", "ARG"}:
            assert not re.search(r"KEY|URL|TOKEN|PASSWORD|SECRET", rest, re.IGNORECASE)


def test_every_installation_in_the_image_is_locked_by_hash_or_has_no_dependencies() -> None:
    installs = [part for word, rest in dockerfile() if word == "RUN" for part in rest.split("&&") if "pip install" in part]
    assert len(installs) == 3
    for part in installs:
        assert "--require-hashes --only-binary :all:" in part or "--no-index --no-deps" in part


def build(context: Path, root: Path) -> Path:
    """Execute the steps before the last stage, all in one directory; return the folder of the program."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    output_of(sys.executable, "-m", "venv", root / "usr/local")  # the Python of the base image, without other packages
    steps, source = dockerfile(), root / "src"
    for word, rest in steps[: max(place for place, (word, _) in enumerate(steps) if word == "FROM")]:
        if word == "WORKDIR":
            assert rest == "/src"
            source.mkdir(parents=True, exist_ok=True)
        elif word == "COPY" and not rest.startswith("--from="):  # the stages share the directory
            *names, place = rest.split()
            for origin in (context / name for name in names):
                if origin.is_dir():
                    shutil.copytree(origin, source / place)
                else:
                    (source / place).mkdir(exist_ok=True)
                    shutil.copy2(origin, source / place)
        elif word == "RUN":
            command = re.sub(r"(?<![\w.])/(opt|dist)\b", rf"{root}/\1", rest)
            path = f"{root}/usr/local/bin:{os.environ['PATH']}"
            output_of("/bin/sh", "-euc", command, cwd=source, env=clean | {"PATH": path})
    return root / "opt/template-sync"


@pytest.mark.long
def test_the_image_s_installation_steps_work_in_a_clean_environment(tmp_path: Path) -> None:
    reachable = subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-cache-dir", "--no-deps", "-d", tmp_path, "iniconfig"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if reachable.returncode and os.environ.get("CI") != "true":
        pytest.skip("no package index can be reached")
    build_context(tmp_path / "context")
    program = build(tmp_path / "context", tmp_path / "image")
    (packages,) = program.glob("lib/python3.*/site-packages")
    installed = {canonicalize_name(path.name.split("-")[0]) for path in packages.glob("*.dist-info")}
    assert installed >= {"crun-template-sync", "psycopg-binary", "pymysql"}
    assert not installed & {"pip", "pytest", "rich"}
    assert (packages / "sync" / "_migrations" / "env.py").is_file()

    # As in a container: another working directory, an empty environment, no files written next to the program.
    before = set(program.rglob("*"))
    state = tmp_path / "state"
    state.mkdir()
    environment = dict(assignment.split("=") for assignment in last("ENV").split() if assignment.startswith("PYTHON"))
    output = output_of(program / "bin/template-sync", "--version", cwd=state, env=environment)
    assert __version__ in output
    assert set(program.rglob("*")) == before
    assert not list(state.iterdir())

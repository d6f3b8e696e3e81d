"""The contents of the source archive and the wheel, and the order of the release workflow."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parent.parent
RELEASE = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
SOURCES = {
    ".ci/run", ".github/workflows/release.yml", ".pre-commit-config.yaml", "CHANGELOG.md", "CONTRIBUTING.md", "Dockerfile",
    ".dockerignore", "LICENSE", "README.md", "SECURITY.md", "alembic.ini", "bench/mutants.toml", "deploy/requirements.txt",
    "docs/operations.md", "examples/consumer.py", "migrations/env.py", "mkdocs.yml", "sync/__main__.py", "tests/conftest.py",
    "tests/data/0.1.0/sqlite.sql", "tests/requirements.txt",
}  # fmt: skip
MIGRATIONS = {f"sync/_migrations/{file.relative_to(ROOT / 'migrations')}" for file in (ROOT / "migrations").rglob("*.py")}
EXCLUDED = re.compile(r"(^|/)(\.venv|\.git|__pycache__|\.\w+_cache|\.hypothesis|node_modules|\.env)(/|$)|\.(db|pyc)$")


def packed(builder: Any) -> set[str]:
    """Return the names of the files that a builder packs."""
    data = builder.get_default_build_data()
    builder.set_build_data_defaults(data)
    with builder.config.set_build_data(data):
        return {file.distribution_path for file in builder.recurse_included_files()}


def test_the_source_archive_contains_the_files_of_the_tests_and_no_local_file() -> None:
    files = packed(SdistBuilder(str(ROOT)))
    assert SOURCES - files == set()
    assert {name for name in files if EXCLUDED.search(name)} == set()


def test_the_source_archive_contains_every_file_of_the_repository() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is not a checkout")
    missing = set(listed.stdout.splitlines()) - packed(SdistBuilder(str(ROOT))) - {".gitignore"}  # a builder adds it
    assert {name for name in missing if (ROOT / name).exists()} == set()


def test_the_wheel_contains_only_the_package_with_its_migrations() -> None:
    files = packed(WheelBuilder(str(ROOT)))
    assert MIGRATIONS - files == set()
    assert {"sync/_migrations/script.py.mako", "sync/py.typed"} <= files
    assert {name.partition("/")[0] for name in files} == {"sync"}
    assert {name for name in files if EXCLUDED.search(name)} == set()


@pytest.mark.long
@pytest.mark.ci_slice
def test_the_unpacked_source_archive_builds_the_wheel_of_the_checkout(tmp_path: Path) -> None:
    def build(kind: str, source: Path) -> Path:
        folder = tmp_path / kind / source.name
        command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
        subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=120)
        (built,) = folder.iterdir()
        return built

    with tarfile.open(build("sdist", ROOT)) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.glob("crun_template_sync-*")
    with zipfile.ZipFile(build("wheel", unpacked)) as ours, zipfile.ZipFile(build("wheel", ROOT)) as theirs:
        assert {each.filename: each.CRC for each in ours.infolist()} == {each.filename: each.CRC for each in theirs.infolist()}
        assert set(ours.namelist()) >= MIGRATIONS


def steps(job: str) -> list[dict[str, Any]]:
    return [step for step in RELEASE["jobs"][job]["steps"] if "name" in step]


def test_a_release_is_built_tested_and_described_before_it_is_signed_and_attached() -> None:
    names = [step["name"] for step in steps("files")]
    assert names == ["Check the version", "Build", "Test", "Describe", "Attest", "Attest the bill of materials", "Attach"]
    made = {"sbom.json", "schema.json", "template-sync.1", "template-sync.d.ts"}
    (describe,) = (step["run"] for step in steps("files") if step["name"] == "Describe")
    assert all(name in describe for name in made)
    assert RELEASE["jobs"]["image"]["needs"] == "files"


def test_the_image_is_built_and_started_for_two_architectures() -> None:
    names = [step["name"] for step in steps("image")]
    assert names == ["Name", "Build", "Test", "Attest"]
    _name, build, test, _attest = steps("image")
    platforms = build["with"]["platforms"].split(",")
    assert platforms == ["linux/amd64", "linux/arm64"]
    assert all(f"--platform {platform} " in test["run"] for platform in platforms)


def test_the_release_and_the_package_name_no_owner() -> None:
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    assert re.findall(r"(?:github\.com|ghcr\.io|docker\.io)/\S+", text) == ['ghcr.io/${GITHUB_REPOSITORY,,}"']
    assert "[project.urls]" not in (ROOT / "pyproject.toml").read_text()


def test_only_the_jobs_that_need_it_may_write() -> None:
    assert RELEASE["permissions"] == {"contents": "read"}
    writes = {
        name: {what for what, right in job["permissions"].items() if right == "write"} for name, job in RELEASE["jobs"].items()
    }
    assert writes == {
        "files": {"contents", "id-token", "attestations"},
        "image": {"packages", "id-token", "attestations"},
    }

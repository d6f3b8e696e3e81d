"""All files under deploy/ and the Dockerfile; the recipe for a rotated key; the locked lists and the bill of materials."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sync import __version__
from sync.config.settings import OPTIONS
from tests.deploy.files import DEPLOY, MANIFESTS, ROOT, SERVICES, compose, pod, unit

LOCKS = ("deploy/requirements.txt", "deploy/requirements-build.txt", "tests/requirements.txt", "tests/tools/requirements.txt")


def deploy_files() -> list[Path]:
    """Return every file of the deployment except the locked lists."""
    return [
        path
        for path in [ROOT / "Dockerfile", ROOT / ".dockerignore", *DEPLOY.rglob("*")]
        if path.is_file() and not path.name.startswith("requirements") and "secrets" not in path.parts
    ]


def test_every_file_names_only_settings_that_exist_and_the_present_version() -> None:
    known = {option.variable for option in OPTIONS} | {f"{option.variable}_FILE" for option in OPTIONS if option.file_twin}
    for path in deploy_files():
        text = path.read_text()
        assert set(re.findall(r"\b(?:SYNC_|CRUN_|DATABASE_)[A-Z_]+\b", text)) <= known, path
        assert set(re.findall(r"crun-template-sync:([\w.]+)", text)) <= {__version__}, path


def test_no_file_names_a_host_to_fetch_from_or_holds_a_key() -> None:
    for path in [*deploy_files(), *(ROOT / lock for lock in LOCKS)]:
        text = path.read_text()
        assert not re.search(r"https?://|file://|--(extra-)?index-url|--find-links|--trusted-host", text.replace("uv pip", "")), (
            path
        )
        assert not re.search(r"\bak_\w{8}", text), path


def test_the_readme_names_every_file_and_only_files_that_exist() -> None:
    readme = (DEPLOY / "README.md").read_text()
    for named in re.findall(r"`((?:systemd|cron|compose|kubernetes|prometheus|grafana)/[\w./-]+)`", readme):
        assert (DEPLOY / named).is_file(), named
    for named in re.findall(r"\bdeploy/[\w./-]+\w", readme):
        assert list(ROOT.glob(f"{named}*")), named
    for path in deploy_files():
        stem = re.sub(r"\.(service|timer)$", "", path.name)
        assert path.name.startswith((".", "README")) or stem in readme, path


def test_the_recipe_for_a_rotated_key_matches_the_deployment_files() -> None:
    recipe = (ROOT / "docs" / "operations.md").read_text().partition("## Key rotated\n")[2].partition("\n## ")[0]
    readme = (DEPLOY / "README.md").read_text()
    for service in SERVICES:
        (key,) = [source for source in unit(service)["LoadCredential"] if source.startswith("crun-api-key:")]
        assert f"install -m 400 -o template-sync /dev/stdin {key.partition(':')[2]}`" in recipe
    assert unit("template-sync.service")["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert "`sudo systemctl restart template-sync`" in recipe
    (in_container,) = re.findall(r"-e CRUN_API_KEY_FILE=(\S+) crun-template-sync:", readme)
    (folder,) = re.findall(rf"-v (\S+):{Path(in_container).parent}:ro", readme)
    assert f"install -m 400 -o 10001 /dev/stdin {folder}/{Path(in_container).name}`" in recipe
    assert f"tee {compose()['secrets']['crun_api_key']['file'].removeprefix('./')} > /dev/null`" in recipe
    for name in MANIFESTS:
        containers = pod(name)["initContainers"] + pod(name)["containers"]
        assert not [mount for each in containers for mount in each["volumeMounts"] if "subPath" in mount]
    (created,) = re.findall(r"kubectl create secret generic template-sync (.+)", readme)
    assert f"`kubectl create secret generic template-sync {created} --dry-run=client" in recipe


def locked(path: str) -> dict[str, tuple[Requirement, str]]:
    """Read a locked list: name -> (requirement, its text with hashes)."""
    entries: dict[str, tuple[Requirement, str]] = {}
    for line in re.sub(r"\\\n\s*", "", (ROOT / path).read_text()).splitlines():
        if line and not line.lstrip().startswith("#"):
            requirement = Requirement(line.partition(" --hash")[0])
            entries[canonicalize_name(requirement.name)] = (requirement, line)
    return entries


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_one_version_and_its_hashes(lock: str) -> None:
    entries = locked(lock)
    assert entries
    for name, (requirement, line) in entries.items():
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], name
        assert re.search(r" --hash=sha256:[0-9a-f]{64}\b", line), name


def test_the_locks_contain_the_requirements_of_pyproject_and_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    required = [*project["project"]["dependencies"], *extras["postgres"], *extras["mariadb"]]
    tested = [*project["project"]["dependencies"], *(text for texts in extras.values() for text in texts)]
    runtime, build, tests, tools = (locked(path) for path in LOCKS)
    for lock, texts in ((runtime, required), (tests, tested), (build, project["build-system"]["requires"])):
        for requirement in map(Requirement, texts):
            (specifier,) = lock[canonicalize_name(requirement.name)][0].specifier
            assert requirement.specifier.contains(specifier.version), f"{requirement}: sh deploy/lock.sh"
    for name, (requirement, _line) in {**runtime, **build}.items():
        assert tests[name][0].specifier == requirement.specifier, name
    for name in tools.keys() & tests.keys():
        assert tests[name][0].specifier == tools[name][0].specifier, name


@pytest.mark.parametrize("name", ["deploy/requirements.txt", "tests/requirements.txt"])
def test_every_pin_and_every_hash_is_in_the_bill_of_materials_once(name: str) -> None:
    command = [sys.executable, str(DEPLOY / "sbom.py"), str(ROOT / name)]
    first, second = (subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2))
    assert first == second
    written, lines = json.loads(first), (ROOT / name).read_text().splitlines()
    pins = [
        line.split()[0].rstrip(";").partition("==")[::2] for line in lines if "==" in line and not line.startswith((" ", "#"))
    ]
    assert [(each["name"], each["version"]) for each in written["components"]] == pins
    hashes = [each["value"] for part in written["components"] for each in part["properties"] if each["name"] == "lock:sha256"]
    assert hashes == [line.split(":")[1].split()[0] for line in lines if "--hash=sha256:" in line]
    refs = {each["bom-ref"] for each in written["components"]} | {written["metadata"]["component"]["bom-ref"]}
    assert {each["ref"] for each in written["dependencies"]} == refs
    needed = {needs for each in written["dependencies"] for needs in each["dependsOn"]}
    assert needed <= refs
    assert any(each.startswith("pkg:pypi/httpx@") for each in written["dependencies"][0]["dependsOn"])


def test_a_line_that_the_bill_of_materials_does_not_know_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("httpx==0.28.1\n-e ../elsewhere\n")
    done = subprocess.run([sys.executable, str(DEPLOY / "sbom.py"), str(tmp_path / "list.txt")], capture_output=True, check=False)
    assert done.returncode == 1
    assert b"no line of a lock list: -e ../elsewhere" in done.stderr

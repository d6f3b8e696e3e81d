"""CI: one script, the same on every machine, which fails if anything failed, or if nothing was tried."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import threading
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
NEEDED = ("bash", "dirname", "env", "grep", "mktemp", "rm", "sed", "sort", "tail", "tee")
"""What .ci/run calls: it finds nothing else on PATH here, above all no other Python."""


def workflow() -> Any:
    return yaml.safe_load(WORKFLOW.read_text())["jobs"]["run"]


def steps(action: str) -> list[dict[str, Any]]:
    return [step for step in workflow()["steps"] if step.get("uses", "").partition("@")[0] == action]


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


# The workflow -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ci.yml", "release.yml"])
def test_the_workflow_keeps_to_the_schema_of_workflows(name: str) -> None:
    check = Path(sys.executable).parent / "check-jsonschema"
    file = WORKFLOW.with_name(name)
    done = subprocess.run([check, "--builtin-schema", "vendor.github-workflows", file], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_workflow_runs_the_script_that_everybody_runs_and_nothing_else() -> None:
    when = "github.event_name == 'schedule' || github.event_name == 'workflow_dispatch' || github.ref_type == 'tag'"
    assert [step["run"] for step in workflow()["steps"] if "run" in step] == [
        f"bash .ci/run ${{{{ ({when}) && '--all' || '' }}}}"
    ]


def test_all_of_it_is_run_every_night_on_every_tag_and_by_hand() -> None:
    occasions = yaml.safe_load(WORKFLOW.read_text())[True]  # YAML takes `on` for a truth value
    assert set(occasions) == {"push", "pull_request", "schedule", "workflow_dispatch"}
    assert occasions["push"] is None, "tags are pushed, too"
    assert [each["cron"].split()[2:] for each in occasions["schedule"]] == [["*", "*", "*"]]


def test_the_pythons_of_the_workflow_are_those_that_the_package_claims() -> None:
    (python,) = steps("actions/setup-python")
    claimed = re.findall(r"Python :: (3\.\d+)", "\n".join(project()["project"]["classifiers"]))
    assert sorted(python["with"]["python-version"].split()) == claimed
    assert f">={claimed[0]}" == project()["project"]["requires-python"]


def test_the_workflow_has_a_server_of_each_kind_where_the_tests_look_for_it() -> None:
    from tests.conftest import SERVERS

    job = workflow()
    images = [service["image"] for service in job["services"].values()] + job["strategy"]["matrix"]["server"]
    assert {image.partition(":")[0] for image in images if "matrix" not in image} == {"postgres", "mariadb", "mysql"}
    assert set(job["env"]) == set(SERVERS.values())
    ports = {port.partition(":")[0] for service in job["services"].values() for port in service["ports"]}
    assert {re.findall(r":(\d+)/", url)[0] for url in job["env"].values()} == ports


def test_the_hooks_before_a_commit_come_from_here_and_are_the_linters_of_ci() -> None:
    (source,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert source["repo"] == "local"
    entries = {hook["entry"].partition(" --")[0] for hook in source["hooks"]}
    assert entries == {".venv/bin/ruff check", ".venv/bin/ruff format", ".venv/bin/mypy"}
    script = (ROOT / ".ci" / "run").read_text()
    assert all(entry in script for entry in entries)


# The script -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the real script, in which every tool is a stand-in that is content."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    (tmp_path / "README.md").write_text("<!-- test command -->\n```sh\ntrue && .venv/bin/pytest\n```\n")
    for tool, says in {"pytest": "== 3 passed in 0.1s ==", "ruff": "", "mypy": "", "python": "3.11"}.items():
        stand_in(tmp_path / ".venv" / "bin" / tool, f"echo '{says}'")
    for tool in NEEDED:
        found = shutil.which(tool)
        assert found
        (tmp_path / ".venv" / "bin" / tool).symlink_to(found)
    return tmp_path


def stand_in(file: Path, does: str) -> None:
    """Make a program that does this, and writes down how it was called."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'#!/bin/sh\necho "{file.name} $*" >> calls\n{does}\n')
    file.chmod(0o755)


def run(checkout: Path, *arguments: str, **more: str) -> tuple[int, str, list[str]]:
    """Run the script; give its exit code, what it said and what it called."""
    environment = {
        "PATH": str(checkout / ".venv" / "bin"),
        "PYENV_ROOT": str(checkout / "pyenv"),
        "TMPDIR": str(checkout),
        **more,
    }
    done = subprocess.run(
        ["bash", ".ci/run", *arguments], cwd=checkout, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False, timeout=60,
    )  # fmt: skip
    calls = checkout / "calls"
    called = calls.read_text().splitlines() if calls.exists() else []
    return done.returncode, done.stdout, [call.rstrip() for call in called]


CALLS = ["pytest", "pytest -m ci_slice", "ruff check .", "ruff format --check .", "mypy"]


@pytest.mark.parametrize("how", ["", "--all"])
def test_ci_runs_the_readmes_own_command_then_what_is_long_then_the_linters(checkout: Path, how: str) -> None:
    code, said, calls = run(checkout, *how.split())
    assert code == 0, said
    expected = [call.replace("ci_slice", "long") if how else call for call in CALLS]
    assert [call for call in calls if not call.startswith("python")] == expected
    assert said.count("== 3 passed in 0.1s ==") == 2
    assert not list(checkout.glob("tmp.*")), "it cleans up behind itself"


@pytest.mark.parametrize("failing", CALLS)
def test_ci_fails_if_one_step_does_and_takes_the_others_all_the_same(checkout: Path, failing: str) -> None:
    tool, _, arguments = failing.partition(" ")
    says = "1 failed, 3 passed" if tool == "pytest" else "no"
    content = "echo '3 passed'" if tool == "pytest" else "true"
    stand_in(checkout / ".venv" / "bin" / tool, f"if [ \"$*\" = '{arguments}' ]; then echo '{says}'; exit 1; fi; {content}")
    code, said, calls = run(checkout)
    assert code == 1, said
    assert [call for call in calls if not call.startswith("python")] == CALLS
    assert said.count("FAILED ") == 1


@pytest.mark.parametrize("dies", [True, False])
def test_what_failed_is_run_again_where_a_server_died_meanwhile_and_nowhere_else(checkout: Path, *, dies: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, subprocess.Popen(["sleep", "60"], stdin=server.fileno()) as holder:
        port = str(server.getsockname()[1])
        server.close()
        does = f"kill {holder.pid}; while kill -0 {holder.pid} 2>/dev/null; do :; done; " if dies else ""
        again = 'case "$PYTEST_ADDOPTS" in *--last-failed) echo "1 passed"; exit 0;; esac; '
        first = f"{again}case \"$*\" in '-m ci_slice') {does}echo '1 failed, 2 passed'; exit 1;; esac; echo '3 passed'"
        stand_in(checkout / ".venv" / "bin" / "pytest", first)
        reaper = threading.Thread(target=holder.wait)
        reaper.start()
        code, said, calls = run(checkout, SERVER_PORTS=port)
        holder.kill()
        reaper.join()
    assert code == (0 if dies else 1), said
    assert calls.count("pytest -m ci_slice") == (2 if dies else 1)
    assert ("server stopped during the tests" in said) == dies


@pytest.mark.parametrize("closing", ["80 skipped in 2.00s", "no tests ran in 0.01s", "5 deselected in 0.1s", "0 passed in 0.1s"])
def test_ci_fails_if_no_test_was_executed(checkout: Path, closing: str) -> None:
    stand_in(checkout / ".venv" / "bin" / "pytest", f"echo '=== {closing} ==='")
    code, said, _calls = run(checkout)
    assert code == 1
    assert said.count("No test was executed.") == 2


def test_ci_fails_if_the_readme_names_no_test_command(checkout: Path) -> None:
    (checkout / "README.md").write_text("Nothing to see.\n")
    code, said, calls = run(checkout)
    assert (code, calls) == (1, [])
    assert "names no test command" in said


def test_ci_takes_no_other_argument(checkout: Path) -> None:
    code, said, calls = run(checkout, "--al")
    assert (code, said, calls) == (2, "usage: .ci/run [--all]\n", [])


def test_ci_names_the_slowest_tests_of_all_its_steps(checkout: Path) -> None:
    slowest = {"": "2.50s call     tests/test_one.py::test_x", "-m ci_slice": "10.20s setup    tests/test_two.py::test_y"}
    shown = "; ".join(f"[ \"$*\" = '{arguments}' ] && echo '{line}'" for arguments, line in slowest.items())
    stand_in(checkout / ".venv" / "bin" / "pytest", f"{shown}; echo '3 passed'")
    code, said, _calls = run(checkout)
    assert code == 0, said
    assert said.partition("=== the slowest tests\n")[2].splitlines()[:2] == [*reversed(slowest.values())]


@pytest.mark.parametrize(("how", "tests"), [("", "pure"), ("--all", "quick")])
def test_ci_tries_each_other_python_from_3_11_on_once_in_an_environment_outside_the_tree(
    checkout: Path, how: str, tests: str
) -> None:
    """A Python that does not start, as a shim with nothing behind it, is none."""
    makes = 'mkdir -p "$3/bin"; for tool in pip pytest python; do cp "$0.pip" "$3/bin/$tool"; done'
    for version in ("3.10", "3.12", "3.13"):
        python = checkout / "pyenv" / "versions" / f"{version}.1" / "bin" / f"python{version}"
        stand_in(python, f'[ "$2" = venv ] || {{ echo "{version} $0"; exit; }}; {makes}')
        stand_in(
            python.with_name(f"python{version}.pip"), f'echo "== {version} on ${{SYNC_TEST_MARIADB_URL-SQLite}}: 2 passed =="'
        )
    stand_in(checkout / ".venv" / "bin" / "python3.13", "exit 127")
    for tool in ("mkdir", "cp"):
        (checkout / ".venv" / "bin" / tool).symlink_to(shutil.which(tool) or "")
    code, said, calls = run(checkout, *how.split())
    assert code == 0, said
    made = [call.split()[-1] for call in calls if " -m venv " in call]
    assert len(made) == 4
    assert not any(Path(environment).is_relative_to(checkout / ".venv") for environment in made)
    assert re.findall(r"== (3\.\d+) on SQLite: 2 passed ==\n", said) == ["3.12", "3.13"]
    assert sum(call.startswith("python3.12.pip .ci/smoke.py /") for call in calls) == 1
    steps = [line for line in said.partition("=== in all")[2].splitlines() if "Python 3" in line]
    assert [line.partition(" s  ")[2] for line in steps] == [
        f"the {what} with Python {version}" for version in ("3.12", "3.13") for what in (f"{tests} tests", "installed wheel")
    ]


@pytest.mark.parametrize("there", ["in the package", "nowhere"])
def test_ci_brings_promtool_without_the_server_of_its_package_and_goes_on_where_it_cannot(checkout: Path, there: str) -> None:
    bin_ = checkout / ".venv" / "bin"
    stand_in(bin_ / "chromium", "")
    stand_in(
        bin_ / "apt-get", 'if [ "$1" = download ]; then : > prometheus_1.deb; fi' if there == "in the package" else "exit 100"
    )
    stand_in(bin_ / "dpkg-deb", 'printf "#!/bin/sh\n"')
    stand_in(bin_ / "tar", "mkdir -p usr/bin; cat > usr/bin/promtool; chmod +x usr/bin/promtool")
    stand_in(bin_ / "pytest", "command -v promtool >> found; echo '== 3 passed in 0.1s =='")
    for tool in ("cat", "chmod", "mkdir"):
        (bin_ / tool).symlink_to(shutil.which(tool) or "")
    code, said, _calls = run(checkout)
    assert code == 0, said
    assert ("promtool could not be unpacked." in said) == (there == "nowhere")
    assert bool((checkout / "found").read_text()) == (there == "in the package")


@pytest.mark.parametrize(("engine", "answers"), [("docker", True), ("podman", True), ("docker", False)])
def test_ci_builds_and_starts_the_image_where_an_engine_answers(checkout: Path, engine: str, *, answers: bool) -> None:
    stand_in(checkout / ".venv" / "bin" / engine, "true" if answers else "exit 1")
    code, said, calls = run(checkout)
    assert code == 0, said
    build, start = f"{engine} build -t crun-template-sync:ci .", f"{engine} run --rm crun-template-sync:ci --version"
    assert [call for call in calls if call.startswith(engine)] == [f"{engine} info", *([build, start] if answers else [])]

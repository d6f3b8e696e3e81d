"""CI: one script for all machines, which fails if a step failed or no test was executed."""

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
"""The programs that .ci/run calls. PATH has no others, in particular no other Python."""


def workflow() -> Any:
    return yaml.safe_load(WORKFLOW.read_text())["jobs"]["run"]


def steps(action: str) -> list[dict[str, Any]]:
    return [step for step in workflow()["steps"] if step.get("uses", "").partition("@")[0] == action]


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


# The workflow -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ci.yml", "release.yml"])
def test_the_workflow_is_valid_against_its_schema(name: str) -> None:
    check = Path(sys.executable).parent / "check-jsonschema"
    file = WORKFLOW.with_name(name)
    done = subprocess.run([check, "--builtin-schema", "vendor.github-workflows", file], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_workflow_runs_only_the_script() -> None:
    when = "github.event_name == 'schedule' || github.event_name == 'workflow_dispatch' || github.ref_type == 'tag'"
    assert [step["run"] for step in workflow()["steps"] if "run" in step] == [
        f"bash .ci/run ${{{{ ({when}) && '--all' || '' }}}}"
    ]


def test_all_tests_run_every_night_on_every_tag_and_manually() -> None:
    occasions = yaml.safe_load(WORKFLOW.read_text())[True]  # YAML parses `on` as a boolean
    assert set(occasions) == {"push", "pull_request", "schedule", "workflow_dispatch"}
    assert occasions["push"] is None, "tags are pushed, too"
    assert [each["cron"].split()[2:] for each in occasions["schedule"]] == [["*", "*", "*"]]


def test_the_workflow_has_the_python_versions_of_the_package() -> None:
    (python,) = steps("actions/setup-python")
    claimed = re.findall(r"Python :: (3\.\d+)", "\n".join(project()["project"]["classifiers"]))
    assert sorted(python["with"]["python-version"].split()) == claimed
    assert f">={claimed[0]}" == project()["project"]["requires-python"]


def test_the_workflow_has_the_servers_that_the_tests_use() -> None:
    from tests.conftest import SERVERS

    job = workflow()
    images = [service["image"] for service in job["services"].values()] + job["strategy"]["matrix"]["server"]
    assert {image.partition(":")[0] for image in images if "matrix" not in image} == {"postgres", "mariadb", "mysql"}
    assert set(job["env"]) == set(SERVERS.values())
    ports = {port.partition(":")[0] for service in job["services"].values() for port in service["ports"]}
    assert {re.findall(r":(\d+)/", url)[0] for url in job["env"].values()} == ports


def test_the_pre_commit_hooks_are_local_and_are_the_linters_of_ci() -> None:
    (source,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert source["repo"] == "local"
    entries = {hook["entry"].partition(" --")[0] for hook in source["hooks"]}
    assert entries == {".venv/bin/ruff check", ".venv/bin/ruff format", ".venv/bin/mypy"}
    script = (ROOT / ".ci" / "run").read_text()
    assert all(entry in script for entry in entries)


# The script -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the real script, in which every tool is a stub that succeeds."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    (tmp_path / "README.md").write_text("<!-- test command -->\n```sh\ntrue && .venv/bin/pytest\n```\n")
    for tool, output in {"pytest": "== 3 passed in 0.1s ==", "ruff": "", "mypy": "", "python": "3.11"}.items():
        make_stub(tmp_path / ".venv" / "bin" / tool, f"echo '{output}'")
    use(tmp_path, *NEEDED)
    return tmp_path


def use(checkout: Path, *tools: str) -> None:
    """Add programs of this machine to PATH."""
    for tool in tools:
        (checkout / ".venv" / "bin" / tool).symlink_to(shutil.which(tool) or "")


def make_stub(file: Path, commands: str) -> None:
    """Make a program that records its arguments and runs these commands."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'#!/bin/sh\necho "{file.name} $*" >> calls\n{commands}\n')
    file.chmod(0o755)


def run(checkout: Path, *arguments: str, **more: str) -> tuple[int, str, list[str]]:
    """Run the script; return its exit code, its output and the recorded calls."""
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
    (checkout / "calls").touch()
    return done.returncode, done.stdout, [call.rstrip() for call in (checkout / "calls").read_text().splitlines()]


CALLS = ["pytest", "pytest -m ci_slice", "ruff check .", "ruff format --check .", "mypy"]


@pytest.mark.parametrize("how", ["", "--all"])
def test_ci_runs_the_command_of_the_readme_then_long_tests_then_the_linters(checkout: Path, how: str) -> None:
    code, output, calls = run(checkout, *how.split())
    assert code == 0, output
    expected = [call.replace("ci_slice", "long") if how else call for call in CALLS]
    assert [call for call in calls if not call.startswith("python")] == expected
    assert output.count("== 3 passed in 0.1s ==") == 2
    assert not list(checkout.glob("tmp.*")), "temporary files are deleted"


@pytest.mark.parametrize("failing", CALLS)
def test_ci_runs_all_steps_and_fails_if_one_fails(checkout: Path, failing: str) -> None:
    tool, _, arguments = failing.partition(" ")
    summary = "1 failed, 3 passed" if tool == "pytest" else "no"
    content = "echo '3 passed'" if tool == "pytest" else "true"
    make_stub(checkout / ".venv" / "bin" / tool, f"if [ \"$*\" = '{arguments}' ]; then echo '{summary}'; exit 1; fi; {content}")
    code, output, calls = run(checkout)
    assert code == 1, output
    assert [call for call in calls if not call.startswith("python")] == CALLS
    assert output.count("FAILED ") == 1


@pytest.mark.parametrize("is_killed", [True, False])
def test_failed_tests_are_repeated_only_if_a_server_stopped(checkout: Path, *, is_killed: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, subprocess.Popen(["sleep", "60"], stdin=server.fileno()) as holder:
        port = str(server.getsockname()[1])
        server.close()
        kill = f"kill {holder.pid}; while kill -0 {holder.pid} 2>/dev/null; do :; done; " if is_killed else ""
        again = 'case "$PYTEST_ADDOPTS" in *--last-failed) echo "1 passed"; exit 0;; esac; '
        first = f"{again}case \"$*\" in '-m ci_slice') {kill}echo '1 failed, 2 passed'; exit 1;; esac; echo '3 passed'"
        make_stub(checkout / ".venv" / "bin" / "pytest", first)
        reaper = threading.Thread(target=holder.wait)
        reaper.start()
        code, output, calls = run(checkout, SERVER_PORTS=port)
        holder.kill()
        reaper.join()
    assert code == (0 if is_killed else 1), output
    assert calls.count("pytest -m ci_slice") == (2 if is_killed else 1)
    assert ("server stopped during the tests" in output) == is_killed


@pytest.mark.parametrize("closing", ["80 skipped in 2.00s", "no tests ran in 0.01s", "5 deselected in 0.1s", "0 passed in 0.1s"])
def test_ci_fails_if_no_test_was_executed(checkout: Path, closing: str) -> None:
    make_stub(checkout / ".venv" / "bin" / "pytest", f"echo '=== {closing} ==='")
    code, output, _calls = run(checkout)
    assert code == 1
    assert output.count("No test was executed.") == 2


def test_ci_runs_nothing_without_a_test_command_in_the_readme_or_with_other_arguments(checkout: Path) -> None:
    assert run(checkout, "--al") == (2, "usage: .ci/run [--all]\n", [])
    (checkout / "README.md").write_text("No command.\n")
    code, output, calls = run(checkout)
    assert (code, "names no test command" in output, calls) == (1, True, [])


def test_ci_prints_the_slowest_tests_of_all_steps(checkout: Path) -> None:
    slowest = {"": "2.50s call     tests/test_one.py::test_x", "-m ci_slice": "10.20s setup    tests/test_two.py::test_y"}
    shown = "; ".join(f"[ \"$*\" = '{arguments}' ] && echo '{line}'" for arguments, line in slowest.items())
    make_stub(checkout / ".venv" / "bin" / "pytest", f"{shown}; echo '3 passed'")
    code, output, _calls = run(checkout)
    assert code == 0, output
    assert output.partition("=== the slowest tests\n")[2].splitlines()[:2] == [*reversed(slowest.values())]


@pytest.mark.parametrize(("how", "tests"), [("", "pure"), ("--all", "quick")])
def test_ci_tests_each_other_python_from_3_11_in_an_environment_outside_the_checkout(
    checkout: Path, how: str, tests: str
) -> None:
    """A Python that does not start, such as a shim without an interpreter, is ignored."""
    makes = 'mkdir -p "$3/bin"; for tool in pip pytest python; do cp "$0.pip" "$3/bin/$tool"; done'
    for version in ("3.10", "3.12", "3.13"):
        python = checkout / "pyenv" / "versions" / f"{version}.1" / "bin" / f"python{version}"
        make_stub(python, f'[ "$2" = venv ] || {{ echo "{version} $0"; exit; }}; {makes}')
        make_stub(
            python.with_name(f"python{version}.pip"), f'echo "== {version} on ${{SYNC_TEST_MARIADB_URL-SQLite}}: 2 passed =="'
        )
    make_stub(checkout / ".venv" / "bin" / "python3.13", "exit 127")
    use(checkout, "mkdir", "cp")
    code, output, calls = run(checkout, *how.split())
    assert code == 0, output
    made = [call.split()[-1] for call in calls if " -m venv " in call]
    assert len(made) == 4
    assert not any(Path(environment).is_relative_to(checkout / ".venv") for environment in made)
    assert re.findall(r"== (3\.\d+) on SQLite: 2 passed ==\n", output) == ["3.12", "3.13"]
    assert sum(call.startswith("python3.12.pip .ci/smoke.py /") for call in calls) == 1
    steps = [line for line in output.partition("=== in all")[2].splitlines() if "Python 3" in line]
    assert [line.partition(" s  ")[2] for line in steps] == [
        f"the {what} with Python {version}" for version in ("3.12", "3.13") for what in (f"{tests} tests", "installed wheel")
    ]


@pytest.mark.parametrize("location", ["in the package", "nowhere"])
def test_ci_unpacks_promtool_without_installing_its_package_and_continues_without_it(checkout: Path, location: str) -> None:
    bin_ = checkout / ".venv" / "bin"
    make_stub(bin_ / "chromium", "")
    make_stub(
        bin_ / "apt-get", 'if [ "$1" = download ]; then : > prometheus_1.deb; fi' if location == "in the package" else "exit 100"
    )
    make_stub(bin_ / "dpkg-deb", 'printf "#!/bin/sh\n"')
    make_stub(bin_ / "tar", "mkdir -p usr/bin; cat > usr/bin/promtool; chmod +x usr/bin/promtool")
    make_stub(bin_ / "pytest", "command -v promtool >> found; echo '== 3 passed in 0.1s =='")
    use(checkout, "cat", "chmod", "mkdir")
    code, output, _calls = run(checkout)
    assert code == 0, output
    assert ("promtool could not be unpacked." in output) == (location == "nowhere")
    assert bool((checkout / "found").read_text()) == (location == "in the package")


@pytest.mark.parametrize(("engine", "answers"), [("docker", True), ("podman", True), ("docker", False)])
def test_ci_builds_and_starts_the_image_if_a_container_engine_responds(checkout: Path, engine: str, *, answers: bool) -> None:
    make_stub(checkout / ".venv" / "bin" / engine, "true" if answers else "exit 1")
    code, output, calls = run(checkout)
    assert code == 0, output
    build, start = f"{engine} build -t crun-template-sync:ci .", f"{engine} run --rm crun-template-sync:ci --version"
    assert [call for call in calls if call.startswith(engine)] == [f"{engine} info", *([build, start] if answers else [])]

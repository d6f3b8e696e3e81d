"""The files under deploy/ and the Dockerfile are valid for their tools and have the documented properties.

If a tool is not installed, its test is skipped with the reason. systemd-analyze must be installed in CI.
"""

from __future__ import annotations

import fnmatch
import itertools
import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sync import __version__, errors
from sync.config.options import OPTIONS
from sync.monitoring.metrics import Metrics
from tests.builders import records
from tests.command_line import environment

if TYPE_CHECKING:
    from tests.daemons import Upstream

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
SERVICES = ("template-sync.service", "template-sync-run.service")
UNITS = (*SERVICES, "template-sync-run.timer")
MANIFESTS = ("cronjob.yaml", "deployment.yaml")
LOCKS = ("deploy/requirements.txt", "deploy/requirements-build.txt", "tests/requirements.txt", "tests/tools/requirements.txt")
COMMANDS = {"run", "daemon", "status", "runs", "changes", "doctor", "health", "config", "db", "webhooks", "site"}
PORT = "9464"
WRITER, READER, GROUP = 47101, 47102, 47100
"""Ids of users and of a group that no machine has."""
DEFAULTS = {option.field: option.parse(option.default) for option in OPTIONS if option.default is not None}


def tool(name: str) -> str:
    """Return the path of a tool in this environment or on this machine."""
    path = shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if path is None and name == "systemd-analyze" and os.environ.get("CI") == "true":
        pytest.fail("systemd-analyze is not installed, and CI must have it")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def output_of(*command: str | Path, **options: Any) -> str:
    """Run a command that must succeed; return its output."""
    done = subprocess.run(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False, **options
    )
    assert done.returncode == 0, f"{shlex.join(map(str, command))}\n{done.stdout}"
    return str(done.stdout)


def deploy_files() -> list[Path]:
    """Return every file of the deployment except the locked lists."""
    return [
        path
        for path in [ROOT / "Dockerfile", ROOT / ".dockerignore", *DEPLOY.rglob("*")]
        if path.is_file() and not path.name.startswith("requirements") and "secrets" not in path.parts
    ]


# --- all of them ---


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


# --- the locked lists ---


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


# --- systemd ---


def unit(name: str) -> dict[str, list[str]]:
    """Read a unit: directive -> its values in order."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "systemd" / name).read_text().splitlines():
        key, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def seconds(text: str) -> int:
    number, word = re.fullmatch(r"(\d+)(s|min)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"s": 1, "min": 60}[word]


@pytest.fixture
def units(tmp_path: Path) -> dict[str, Path]:
    """The units as they are, but for the program's path, which leads to a stub."""
    stub = tmp_path / "bin" / "template-sync"
    stub.parent.mkdir()
    stub.write_text("#!/bin/sh\n")
    stub.chmod(0o755)
    for name in UNITS:
        text = (DEPLOY / "systemd" / name).read_text()
        (tmp_path / name).write_text(text.replace("=/usr/local/bin/template-sync", f"={stub}"))
    return {name: tmp_path / name for name in UNITS}


def test_systemd_analyze_reports_nothing_about_the_units(units: dict[str, Path]) -> None:
    output = output_of(tool("systemd-analyze"), "verify", "--man=no", "--recursive-errors=no", *units.values())
    assert "template-sync" not in output  # its messages about other units of the machine are ignored


@pytest.mark.parametrize("name", SERVICES)
def test_systemd_rates_the_exposure_of_each_service_at_two_or_better(units: dict[str, Path], name: str) -> None:
    output = output_of(tool("systemd-analyze"), "security", "--no-pager", "--offline=true", units[name])
    rating = re.search(r"Overall exposure level for \S+: ([\d.]+)", output)
    assert rating, output
    assert float(rating[1]) <= 2.0, output


def test_both_services_have_the_same_confinement_and_secrets() -> None:
    daemon, run = map(unit, SERVICES)
    for each in (daemon, run):
        each["Environment"] = each["Environment"][:1]  # the files of the secrets; the other values differ
    own = {"Description", "Type", "NotifyAccess", "ExecStart", "TimeoutStartSec", "SuccessExitStatus", "ReadWritePaths"}
    own |= {"ExecReload", "Restart", "RestartSec", "RestartPreventExitStatus", "StartLimitIntervalSec", "WatchdogSec", "WantedBy"}
    assert {key: value for key, value in daemon.items() if key not in own} == {
        key: value for key, value in run.items() if key not in own
    }
    assert daemon["Environment"] == ["CRUN_API_KEY_FILE=%d/crun-api-key DATABASE_URL_FILE=%d/database-url"]
    assert [value.partition(":")[0] for value in daemon["LoadCredential"]] == ["crun-api-key", "database-url"]


def test_the_daemon_is_restarted_unless_an_operator_must_act_and_has_time_to_stop() -> None:
    daemon = unit("template-sync.service")
    assert daemon["Restart"] == ["on-failure"]
    assert daemon["RestartPreventExitStatus"] == [f"{errors.AccessDenied.exit_code} {errors.ConfigurationError.exit_code}"]
    assert daemon["Type"] == ["notify"]
    assert seconds(daemon["WatchdogSec"][0]) >= 60
    assert seconds(daemon["TimeoutStopSec"][0]) > DEFAULTS["grace"]


def test_a_run_fails_its_unit_unless_a_retry_helps_and_ends_by_its_deadline() -> None:
    run = unit("template-sync-run.service")
    assert run["SuccessExitStatus"] == [str(errors.TryLater.exit_code)]
    assert DEFAULTS["deadline"] < seconds(run["TimeoutStartSec"][0]) < 15 * 60
    assert unit("template-sync-run.timer")["Persistent"] == ["true"]


def as_user(uid: int, gid: int, *groups: int) -> list[str | Path]:
    """Return the beginning of a command line that acts as a user, who may read everything, as this environment may be root's."""
    more = f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups"
    read = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return [tool("setpriv"), f"--reuid={uid}", f"--regid={gid}", more, *read]


@pytest.mark.ci_slice
def test_a_program_of_the_group_can_read_the_sqlite_file_without_blocking_the_service(
    upstream: Upstream,
) -> None:
    """With the units' own directory mode and umask, as two users."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as two users")
    service = unit("template-sync-run.service")
    query = "sqlite3.connect('file:templates.db?mode=ro', uri=True).execute('SELECT count(*) FROM templates').fetchone()[0]"
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        folder = Path(parent, "state")
        folder.mkdir()
        os.chown(folder, WRITER, GROUP)
        folder.chmod(int(service["StateDirectoryMode"][0], 8))
        umask = int(service["UMask"][0], 8)

        def run() -> None:
            variables = environment(**upstream.settings(PYTHONDONTWRITEBYTECODE="1"))
            output_of(*as_user(WRITER, GROUP), sys.executable, "-m", "sync", "run", cwd=folder, env=variables, umask=umask)

        def read(then: str = "") -> subprocess.Popen[str]:
            script = f"import sqlite3; print({query}, flush=True); {then}"
            command = [*as_user(READER, READER, GROUP), sys.executable, "-c", script]
            return subprocess.Popen(command, cwd=folder, text=True, stdout=subprocess.PIPE, stdin=subprocess.PIPE)

        run()
        assert read().communicate()[0] == "3\n"
        run()
        with read("input()") as waiting:  # the only program that has the file open
            assert waiting.stdout is not None
            assert waiting.stdout.readline() == "3\n"
            upstream.catalog = records(4)
            run()
            waiting.communicate("\n")
        assert read().communicate()[0] == "4\n"
        run()
        assert stat.S_IMODE((folder / "templates.db").stat().st_mode) == 0o660


def test_systemd_sysusers_accepts_the_user() -> None:
    output = output_of(tool("systemd-sysusers"), "--dry-run", DEPLOY / "systemd" / "template-sync.sysusers.conf")
    assert "ignoring" not in output


# --- cron ---


def cron_job() -> tuple[dict[str, str], list[str]]:
    """Read the crontab: its variables, and the one job's fields (five of time, the user, the command)."""
    lines = [line for line in (DEPLOY / "cron" / "template-sync.crontab").read_text().splitlines() if line and line[0] != "#"]
    variables = dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))
    (job,) = (line for line in lines if not re.match(r"\w+=", line))
    return variables, job.split(None, 6)


def test_the_crontab_runs_every_quarter_of_an_hour_as_its_own_user_away_from_the_full_quarter() -> None:
    variables, (minutes, *rest, user, command) = cron_job()
    at = [int(minute) for minute in minutes.split(",")]
    assert [later - earlier for earlier, later in itertools.pairwise(at)] == [15, 15, 15]
    assert not {0, 15, 30, 45} & set(at)
    assert rest == ["*"] * 4
    assert user == unit("template-sync.service")["User"][0]
    assert "%" not in command  # cron would read a line break
    assert variables["SHELL"] == "/bin/sh"


@pytest.mark.parametrize(
    ("code", "mails"), [(0, False), (75, False), (1, True), (4, True), (69, True), (76, True), (77, True), (78, True)]
)
def test_cron_sends_mail_only_if_an_operator_must_act(tmp_path: Path, code: int, mails: bool) -> None:  # noqa: FBT001
    stub = tmp_path / "template-sync"
    stub.write_text(f'#!/bin/sh\necho "one line of log: $*" >&2\nexit {code}\n')
    stub.chmod(0o755)
    variables, job = cron_job()
    printed = output_of(variables["SHELL"], "-c", job[-1], env=variables | {"PATH": f"{tmp_path}:{variables['PATH']}"})
    assert ("one line of log: run" in printed) is mails
    assert (f"Exit code {code}." in printed) is mails


# --- the image ---


def dockerfile() -> list[tuple[str, str]]:
    """Read the Dockerfile: (instruction, the rest), comments gone and continued lines joined."""
    text = "\n".join(line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#"))
    lines = [line for line in re.sub(r"\\\n\s*", "", text).splitlines() if line.strip()]
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines]


def last(instruction: str) -> str:
    return [rest for word, rest in dockerfile() if word == instruction][-1]


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


def run_build_stages(context: Path, work: Path) -> Path:
    """Run all stages of the Dockerfile but the last, each in its own directory; return the directory of the last one run."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    root, inside = work, "/"
    for word, rest in dockerfile():
        if word == "FROM" and " AS " not in rest:
            return root
        if word == "FROM":
            root, inside = work / rest.rpartition(" ")[2], "/"
            # The Python of the base image, without other packages.
            output_of(sys.executable, "-m", "venv", root / "usr/local")
        elif word == "WORKDIR":
            inside = rest
            (root / inside[1:]).mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            source = context
            if rest.startswith("--from="):
                stage, rest = rest.removeprefix("--from=").split(None, 1)  # noqa: PLW2901
                source = work / stage
            *names, place = rest.split()
            target = root / (place if place.startswith("/") else f"{inside}/{place}").strip("/")
            for name in names:
                origin = source / name.strip("/")
                if origin.is_dir():
                    shutil.copytree(origin, target, dirs_exist_ok=True)
                else:
                    into = target / origin.name if place.endswith("/") else target
                    into.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(origin, into)
        elif word == "RUN":
            command = re.sub(r"(?<![\w.])/(opt|dist)\b", rf"{root}/\1", rest)
            output_of(
                "/bin/sh",
                "-euc",
                command,
                cwd=root / inside[1:],
                env=clean | {"PATH": f"{root}/usr/local/bin:{os.environ['PATH']}"},
            )
    raise AssertionError("the last stage has a name")


@pytest.mark.long
def test_the_image_s_installation_steps_work_in_a_clean_environment(tmp_path: Path) -> None:
    reachable = subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-cache-dir", "--no-deps", "-d", tmp_path, "iniconfig"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if reachable.returncode and os.environ.get("CI") != "true":
        pytest.skip("no package index can be reached")
    build_context(tmp_path / "context")
    program = run_build_stages(tmp_path / "context", tmp_path / "stages") / "opt/template-sync"
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


# --- a rotated key ---


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


# --- compose ---


def compose(*more: str) -> Any:
    """Read compose.yaml, with the services of further files laid over its own."""
    document = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    for each in more:
        for name, service in yaml.safe_load((DEPLOY / "compose" / each).read_text())["services"].items():
            document["services"].setdefault(name, {}).update(service)
    return document


@pytest.mark.parametrize("name", ["compose.yaml", "standby.yaml"])
def test_the_compose_files_match_the_compose_specification(name: str) -> None:
    output_of(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose" / name)


@pytest.mark.parametrize("more", [[], ["standby.yaml"]], ids=["alone", "with a standby"])
def test_every_composed_service_is_confined_and_gets_its_secrets_by_file(more: list[str]) -> None:
    document = compose(*more)
    for name, service in document["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert re.search(r":\d+\.\d+", service["image"]), name
        assert "healthcheck" in service or service["command"] == ["daemon"], name  # the image has that of the daemon
        for variable, value in service["environment"].items():
            if re.search("KEY|URL|PASSWORD", variable):
                assert variable.endswith("_FILE"), name
                assert value.removeprefix("/run/secrets/") in service["secrets"], name
    assert all(secret["file"].startswith("./secrets/") for secret in document["secrets"].values())
    assert "/secrets/" in (DEPLOY / "compose" / ".gitignore").read_text().splitlines()


def test_composed_services_start_in_order_and_the_daemon_may_stop_in_time() -> None:
    services = compose()["services"]
    assert services["migrate"]["command"] == ["db", "upgrade"]
    assert services["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    assert services["daemon"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert seconds(services["daemon"]["stop_grace_period"]) > DEFAULTS["grace"]
    assert services["daemon"]["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    assert "ports" not in services["postgres"]


def test_the_standby_copies_the_primary_and_the_second_daemon_equals_the_first() -> None:
    services = compose("standby.yaml")["services"]
    assert services["standby"]["image"] == services["postgres"]["image"]
    (script,) = [line for line in services["standby"]["entrypoint"] if "pg_basebackup" in line]
    output_of("bash", "-n", "-c", script.replace("$$", "$"))
    daemon, second = services["daemon"], services["second-daemon"]
    same = ("image", "command", "secrets", "networks", "tmpfs", "restart", "stop_grace_period", "mem_limit", "pids_limit")
    assert {name: second[name] for name in same} == {name: daemon[name] for name in same}
    assert second["environment"].items() <= daemon["environment"].items()


# --- Kubernetes ---


def manifest(name: str) -> Any:
    return yaml.safe_load((DEPLOY / "kubernetes" / name).read_text())


def pod(name: str) -> Any:
    spec = manifest(name)["spec"]
    return (spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec)["template"]["spec"]


def test_the_patch_for_two_daemons_fits_the_deployment_and_the_database() -> None:
    kustomization = manifest("kustomization.yaml")
    assert all((DEPLOY / "kubernetes" / name).is_file() for name in kustomization["resources"])
    (patch,) = [yaml.safe_load(each["patch"]) for each in kustomization["patches"]]
    deployment, cluster = manifest("deployment.yaml"), manifest("database.yaml")
    assert patch["metadata"]["name"] == deployment["metadata"]["name"]
    (spread,) = patch["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"] == deployment["spec"]["selector"]
    (secrets,) = patch["spec"]["template"]["spec"]["volumes"]
    files = {item["path"] for source in secrets["projected"]["sources"] for item in source["secret"]["items"]}
    (daemon,) = pod("deployment.yaml")["containers"]
    assert files == {Path(each["value"]).name for each in daemon["env"] if each["name"].endswith("_FILE")}
    assert secrets["projected"]["sources"][1]["secret"]["name"] == f"{cluster['metadata']['name']}-app"


@pytest.mark.parametrize("version", ["1.29", "1.37"])
@pytest.mark.parametrize("name", MANIFESTS)
def test_the_manifests_match_the_schema_of_kubernetes(name: str, version: str) -> None:
    output = output_of(tool("kubernetes-validate"), "--strict", "-k", version, DEPLOY / "kubernetes" / name)
    assert "passed" in output


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_pod_is_confined_and_gets_its_secrets_by_file(name: str) -> None:
    spec = pod(name)
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert f"{spec['securityContext']['runAsUser']}:{spec['securityContext']['runAsGroup']}" == last("USER")
    assert spec["terminationGracePeriodSeconds"] > DEFAULTS["grace"]
    (secrets,) = (volume for volume in spec["volumes"] if "secret" in volume)
    assert secrets["secret"]["defaultMode"] & 0o007 == 0  # not readable by others
    for container in spec["initContainers"] + spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        for variable in container["env"]:
            if re.search("KEY|URL", variable["name"]):
                assert variable["name"].endswith("_FILE")
                assert Path(variable["value"]).parent == Path(mounts["secrets"])
    assert [container["args"] for container in spec["initContainers"]] == [["db", "upgrade"]]


def test_the_cron_job_never_overlaps_and_leaves_retrying_to_its_schedule() -> None:
    spec = manifest("cronjob.yaml")["spec"]
    job = spec["jobTemplate"]["spec"]
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["startingDeadlineSeconds"] < 15 * 60
    assert job["backoffLimit"] == 0
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    assert DEFAULTS["deadline"] < job["activeDeadlineSeconds"] < 15 * 60
    assert job["ttlSecondsAfterFinished"] > 0


def test_the_deployment_is_one_pod_probed_where_the_daemon_listens() -> None:
    spec = manifest("deployment.yaml")["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
    (daemon,) = pod("deployment.yaml")["containers"]
    environment = {variable["name"]: variable["value"] for variable in daemon["env"]}
    assert environment["SYNC_HTTP_HOST"] == "0.0.0.0"  # noqa: S104
    assert environment["SYNC_HTTP_PORT"] == PORT
    assert daemon["ports"] == [{"name": "http", "containerPort": int(PORT)}]
    assert daemon["livenessProbe"]["httpGet"] == daemon["startupProbe"]["httpGet"] == {"path": "/livez", "port": "http"}
    assert daemon["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert spec["template"]["metadata"]["annotations"]["prometheus.io/port"] == PORT


# --- Prometheus and Grafana ---


def alerts() -> list[dict[str, Any]]:
    document = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def dashboard() -> Any:
    return json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())


def dashboard_expressions() -> list[str]:
    document = dashboard()
    return [target["expr"] for panel in document["panels"] for target in panel["targets"]] + [
        annotation["expr"] for annotation in document["annotations"]["list"]
    ]


def test_alerts_and_dashboard_use_only_metrics_that_exist() -> None:
    names = set(re.findall(r"^# TYPE (\S+)", Metrics("1", 2700.0).text().decode(), re.MULTILINE))
    queries = [variable["definition"] for variable in dashboard()["templating"]["list"] if variable["type"] == "query"]
    used = {
        re.sub(r"_(bucket|sum|count)$", "", name)
        for text in [*(rule["expr"] for rule in alerts()), *dashboard_expressions(), *queries]
        for name in re.findall(r"\btemplate_sync_\w+", text)
    }
    assert used <= names
    assert names - used == set(), "an unused metric"


def test_every_alert_has_a_description_and_a_command() -> None:
    assert {rule["alert"].removeprefix("TemplateSync") for rule in alerts()} == {
        "Down", "Stale", "CronJobStale", "Failing", "RemovalsHeld", "RemovalsUnconfirmed", "RecordsRejected", "GalleryBehind",
        "WebhookStuck",
    }  # fmt: skip
    for rule in alerts():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert {"summary", "description", "command"} <= rule["annotations"].keys()
        commands = re.findall(r"template-sync ([a-z]+)", rule["annotations"]["command"])
        assert commands
        assert set(commands) <= COMMANDS
        assert "--accept-removals" not in rule["annotations"]["command"]  # no destructive command to paste


def test_promtool_accepts_the_alerts() -> None:
    assert f"{len(alerts())} rules found" in output_of(tool("promtool"), "check", "rules", DEPLOY / "prometheus" / "alerts.yaml")


def test_promtool_accepts_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{n}", "expr": text.replace("$__rate_interval", "15m")}
        for n, text in enumerate(dashboard_expressions())
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in output_of(tool("promtool"), "check", "rules", "--lint=none", file)


def test_no_alert_repeats_a_setting_and_the_dashboard_s_rates_span_several_scrapes() -> None:
    (stale,) = (rule["expr"] for rule in alerts() if rule["alert"] == "TemplateSyncStale")
    assert stale == "time() - template_sync_last_success_timestamp_seconds > template_sync_stale_after_seconds"
    for text in dashboard_expressions():
        assert "$__interval" not in text  # shorter than two scrapes when zoomed in, which makes a rate empty
    thresholds = [panel["fieldConfig"]["defaults"].get("thresholds", {"steps": []}) for panel in dashboard()["panels"]]
    assert not any(step["value"] == 2700 for each in thresholds for step in each["steps"])


def test_a_missing_pod_and_a_cron_job_are_detected_without_a_target() -> None:
    down, cron_job = (
        rule["expr"] for name in ("Down", "CronJobStale") for rule in alerts() if rule["alert"] == f"TemplateSync{name}"
    )
    assert "count by (job) (template_sync_build_info) < max by (job) (max_over_time(" in down
    name = manifest("cronjob.yaml")["metadata"]["name"]
    assert f'unless on () kube_cronjob_info{{cronjob="{name}"}}' in down
    assert cron_job.count(f'{{cronjob="{name}"}}') == 2


HEALTHY = {
    'up{job="template-sync"}': "1x200",
    'template_sync_build_info{version="1"}': "1x200",
    # promtool's clock begins at 0: a success every 15 minutes.
    "template_sync_stale_after_seconds": "2700x200",
    "template_sync_last_success_timestamp_seconds": " ".join(f"{at * 60}x14" for at in range(0, 200, 15)),
    'template_sync_last_run_status{status="failed"}': "0x200",
    'template_sync_last_run_status{status="incomplete"}': "0x200",
    'template_sync_last_run_status{status="deferred"}': "0x200",
    "template_sync_held_removals": "0x200",
    "template_sync_unconfirmed_removals": "0x200",
    "template_sync_rejected_records": "0x200",
    'template_sync_webhook_failing_since_timestamp_seconds{endpoint="shop"}': "0x200",
    'template_sync_webhook_paused{endpoint="shop"}': "0x200",
}
CRON_JOB = {
    **dict.fromkeys(HEALTHY, "_x200"),
    'kube_cronjob_info{cronjob="template-sync"}': "1x200",
    'kube_cronjob_created{cronjob="template-sync"}': "0x200",
    'kube_cronjob_status_last_successful_time{cronjob="template-sync"}': HEALTHY["template_sync_last_success_timestamp_seconds"],
}
STILL = {"template_sync_last_success_timestamp_seconds": "0x200"}


@pytest.mark.parametrize(
    ("changed", "minute", "fire"),
    [
        ({}, 180, ""),
        (STILL, 50, ""),
        (STILL, 60, "Stale"),
        ({'template_sync_last_run_status{status="deferred"}': "1x200"}, 40, ""),
        (STILL | {'template_sync_last_run_status{status="deferred"}': "1x200"}, 60, "Stale"),
        ({'template_sync_last_run_status{status="failed"}': "0x9 1x14 0x200"}, 23, ""),
        ({'template_sync_last_run_status{status="failed"}': "0x9 1x200"}, 45, "Failing"),
        ({'template_sync_last_run_status{status="failed"}': "1x14 0x14 1x14 0x14",
          'template_sync_last_run_status{status="incomplete"}': "0x14 1x14 0x14 1x14"}, 40, "Failing"),
        ({"template_sync_held_removals": "0x9 190x200"}, 20, "RemovalsHeld"),
        ({"template_sync_unconfirmed_removals": "3x200"}, 180, ""),
        ({"template_sync_rejected_records": "0x9 2x14 0x200"}, 23, ""),
        ({"template_sync_rejected_records": "2x200"}, 61, "RecordsRejected"),
        ({'template_sync_webhook_failing_since_timestamp_seconds{endpoint="shop"}': "0x9 600x200"}, 60, ""),
        ({'template_sync_webhook_failing_since_timestamp_seconds{endpoint="shop"}': "0x9 600x200"}, 80, "WebhookStuck"),
        ({'template_sync_webhook_paused{endpoint="shop"}': "0x9 1x200"}, 20, "WebhookStuck"),
        ({'up{job="template-sync"}': "0x200"}, 15, "Down"),
        ({'template_sync_build_info{version="1"}': "1x20"}, 60, "Down"),
        ({'template_sync_build_info{version="1",instance="b"}': "1x60"}, 50, ""),
        ({'template_sync_build_info{version="1",instance="b"}': "1x60"}, 90, "Down"),
        (STILL | {"template_sync_stale_after_seconds": "7200x200"}, 60, ""),
        (STILL | {"template_sync_stale_after_seconds": "7200x200"}, 140, "Stale"),
        (CRON_JOB, 180, ""),
        (CRON_JOB | {'kube_cronjob_status_last_successful_time{cronjob="template-sync"}': "0x200"}, 60, "CronJobStale"),
        (CRON_JOB | {'kube_cronjob_status_last_successful_time{cronjob="template-sync"}': "_x200"}, 60, "CronJobStale"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_each_alert_fires_in_its_case_only(tmp_path: Path, changed: dict[str, str], minute: int, fire: str) -> None:
    promtool = tool("promtool")
    series = [{"series": name, "values": values} for name, values in (HEALTHY | changed).items()]
    # Only ALERTS, the series of Prometheus about alerts, is tested, not their labels and texts.
    cases = [
        {
            "interval": "1m",
            "input_series": series,
            "promql_expr_test": [
                {
                    "expr": f'count(ALERTS{{alertstate="firing", alertname="{rule["alert"]}"}}) or vector(0)',
                    "eval_time": f"{minute}m",
                    "exp_samples": [{"labels": "{}", "value": int(rule["alert"] == f"TemplateSync{fire}")}],
                }
                for rule in alerts()
            ],
        }
    ]
    file = tmp_path / "test.yaml"
    document = {"rule_files": [str(DEPLOY / "prometheus" / "alerts.yaml")], "evaluation_interval": "1m", "tests": cases}
    file.write_text(yaml.safe_dump(document))
    output_of(promtool, "test", "rules", file)


def test_the_panels_of_the_dashboard_do_not_overlap_and_have_descriptions() -> None:
    document = dashboard()
    taken: set[tuple[int, int]] = set()
    for panel in document["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + dx, place["y"] + dy) for dx in range(place["w"]) for dy in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _y in cells) < 24, panel["title"]
        taken |= cells
        assert panel["title"]
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
    assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])
    assert "id" not in document  # Grafana creates one at import

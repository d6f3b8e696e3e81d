"""Compose files and manifests of Kubernetes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.deploy.files import DEFAULTS, DEPLOY, MANIFESTS, PORT, compose, last, manifest, output_of, pod, seconds, tool


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

"""A rotated key reaches the daemon in each kind of installation; `doctor` shows the file of the key and its age."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.command_line import environment, template_sync
from tests.daemons import DaemonProcess, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.daemons import Upstream

OLD, NEW = "ak_OldKeyOldKeyOldKeyOldKeyOldKey00", "ak_NewKeyNewKeyNewKeyNewKeyNewKey11"


def put(file: Path, key: str) -> None:
    """Replace a file as `install` does: under a new inode."""
    subprocess.run(["install", "-m", "400", "/dev/stdin", file], input=key, text=True, check=True)


def in_place_in_a_mounted_file(host: Path, mounted: Path, key: str) -> None:
    """Write a file in place. A hard link stands for the bind mount of a file."""
    if not host.exists():
        put(host, key)
        mounted.hardlink_to(host)
        return
    before = host.stat().st_ino
    subprocess.run(["tee", host], input=key, text=True, check=True, stdout=subprocess.DEVNULL)
    assert host.stat().st_ino == mounted.stat().st_ino == before


def replaced_in_a_mounted_folder(host: Path, mounted: Path, key: str) -> None:
    """Replace a file. A link stands for the mount of its folder."""
    put(host, key)
    if not mounted.is_symlink():
        mounted.symlink_to(host)


def as_the_kubelet_does(host: Path, mounted: Path, key: str) -> None:
    """Write a new folder, and replace the link to it."""
    folder = host.with_name(f"..{key}")
    folder.mkdir()
    put(folder / "key", key)
    (host.parent / "..new").symlink_to(folder.name)
    (host.parent / "..new").rename(host.parent / "..data")
    if not mounted.is_symlink():
        mounted.symlink_to(host.parent / "..data" / "key")


@pytest.mark.ci_slice
@pytest.mark.parametrize("write", [in_place_in_a_mounted_file, replaced_in_a_mounted_folder, as_the_kubelet_does])
def test_a_rotated_key_reaches_the_daemon(upstream: Upstream, tmp_path: Path, write: Callable[[Path, Path, str], None]) -> None:
    host, mounted = tmp_path / "host" / "key", tmp_path / "key"
    host.parent.mkdir()
    write(host, mounted, OLD)
    upstream.keys = {OLD, NEW}
    variables = upstream.settings(CRUN_API_KEY_FILE=str(mounted), SYNC_INTERVAL="0.2s")
    del variables["CRUN_API_KEY"]
    with DaemonProcess(tmp_path, variables) as daemon:
        daemon.wait_for("run_finished", status="succeeded")
        write(host, mounted, NEW)
        daemon.send(signal.SIGHUP)
        assert daemon.wait_for("reloaded")["key"] == "environment, CRUN_API_KEY_FILE"
        until(lambda: NEW in upstream.shown, "a request with the new key")
        upstream.keys = {NEW}
        assert daemon.stop() == 0
    assert not daemon.events("run_finished", status="failed")
    assert template_sync("doctor", folder=tmp_path, variables=variables).code == 0


def test_doctor_shows_the_files_of_the_secrets_and_their_ages(upstream: Upstream, tmp_path: Path) -> None:
    key, url = tmp_path / "key", tmp_path / "url"
    put(key, upstream.settings()["CRUN_API_KEY"])
    put(url, f"sqlite:///{tmp_path}/templates.db")
    variables = upstream.settings(DATABASE_URL_FILE=str(url))
    assert template_sync("run", folder=tmp_path, variables=variables).code == 0
    by_value = template_sync("doctor", folder=tmp_path, variables=variables)
    assert "key file" not in by_value.out
    os.utime(key, (key.stat().st_atime, key.stat().st_mtime - 3 * 86400))
    del variables["CRUN_API_KEY"]
    (tmp_path / ".env").write_text(f"CRUN_API_KEY_FILE={key}\n")
    shown = template_sync("doctor", folder=tmp_path, variables=variables)
    assert f"✓ key file   {key} (.env file, CRUN_API_KEY_FILE), written 3 d 0 h ago\n" in shown.out
    assert f"✓ url file   {url} (environment, DATABASE_URL_FILE), written " in shown.out
    found = {
        check["name"]: check for check in json.loads(template_sync("doctor", "--json", folder=tmp_path, variables=variables).out)
    }
    assert found["key file"]["file"] == str(key)
    assert 3 * 86400 <= found["key file"]["age_seconds"] < 3 * 86400 + 600
    assert (found["name"]["file"], found["name"]["age_seconds"]) == (None, None)


def test_doctor_reports_a_key_file_that_was_replaced_on_the_host(upstream: Upstream, tmp_path: Path) -> None:
    """As in a container that mounts the file: the container keeps the old inode."""
    if not shutil.which("unshare") or subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount")
    host, mounted = tmp_path / "host", tmp_path / "key"
    put(host, upstream.settings()["CRUN_API_KEY"])
    mounted.touch(mode=0o400)
    variables = upstream.settings(CRUN_API_KEY_FILE=str(mounted))
    del variables["CRUN_API_KEY"]
    script = f"mount --bind {host} {mounted} && echo {NEW} | install -m 400 /dev/stdin {host} && {sys.executable} -m sync doctor"
    command = ["unshare", "-rm", "sh", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment(**variables), capture_output=True, text=True, check=False)
    assert f"! settings   CRUN_API_KEY_FILE ({mounted}) is mounted, and was replaced or deleted on the host;" in done.stdout, done
    assert "restart the container" in done.stdout

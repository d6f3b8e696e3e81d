"""Test an installed `template-sync`: the demo, a run against the sandbox, start and stop of the daemon.

`python .ci/smoke.py /path/to/template-sync`, with any Python; it stops at the first failure.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile

PATIENCE = 60.0  # seconds


def main(program: str) -> None:
    """Use the program in an own folder, with the settings of the sandbox only."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("SYNC_", "CRUN_", "DATABASE_URL"))}
    with tempfile.TemporaryDirectory() as folder:

        def output_of(*arguments: str, **settings: str) -> str:
            done = subprocess.run(
                [program, *arguments], cwd=folder, env=environ | settings, stdout=subprocess.PIPE, text=True, timeout=PATIENCE,
                check=True,
            )  # fmt: skip
            return done.stdout

        def started(*arguments: str, **settings: str) -> subprocess.Popen[str]:
            return subprocess.Popen([program, *arguments], cwd=folder, env=environ | settings, stderr=subprocess.PIPE, text=True)

        demo = output_of("demo", "--json", "--templates", "20", DATABASE_URL="sqlite:///demo.db")
        assert demo.count('"status": "succeeded"') == 2, "the demo's two runs did not succeed"
        with started("sandbox", "--port", "0", "--templates", "30") as sandbox:
            settings = dict(re.findall(r"(CRUN_\w+)=(\S+)", line_with(sandbox, "export ")))
            try:
                output_of("run", **settings)
                assert len(json.loads(output_of("list", "--json"))) == 30, "the run did not store the sandbox's catalog"
                output_of("db", "check")
                with started("daemon", SYNC_INTERVAL="0.2s", SYNC_LOG_FORMAT="json", **settings) as daemon:
                    assert "succeeded" in line_with(daemon, "run_finished"), "the daemon's run did not succeed"
                    assert stop(daemon) == 0, "the daemon does not stop"
            finally:
                assert stop(sandbox) == 0, "the sandbox does not stop"
    print(f"{program}: the demo, a run and the daemon work")


def line_with(process: subprocess.Popen[str], words: str) -> str:
    """Read what a process writes to stderr up to the first line with these words."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return line
    raise AssertionError(f"the process exited without a line that contains {words!r}")


def stop(process: subprocess.Popen[str]) -> int:
    """Stop a process; return its exit code."""
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=PATIENCE)
    sys.stderr.write(rest)
    return process.returncode


if __name__ == "__main__":
    main(sys.argv[1])

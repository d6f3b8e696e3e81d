"""Run the real daemon for thousands of runs over TLS, with a catalog that changes and a server that returns faults.

    python bench/soak.py [--runs 2000] [--interval 0.2s] [--templates 280]

It samples resident memory, threads and file descriptors of the process (/proc: Linux only). At the end the faults stop and the
daemon is stopped; then `db check` must succeed, and a dry run must find no changes. It needs `openssl` for a certificate. 2 000
runs take about ten minutes.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl

from lab import environment

from sync.sandbox.catalog import evolve, make_catalog
from sync.sandbox.responses import list_templates

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KEYS = ("ak_SoakKeyOne0000000000000000000000", "ak_SoakKeyTwo0000000000000000000000")
FAULTS = {  # per thousand requests; the other responses are normal
    "500": 8, "429": 5, "reset": 4, "cut short": 4, "not json": 2, "web page": 1, "wrong total": 3, "slow": 5, "bad record": 3,
    "401": 0.5, "455": 0.2,
}  # fmt: skip
SYNC = [sys.executable, "-m", "sync"]
SEED = 7
WARM_UP = 0.2
EVOLVE_EVERY = 12
ROTATE_EVERY = 500
QUIET_SECONDS = 120.0


class Server(ThreadingHTTPServer):
    """The endpoint behind TLS, with random faults."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, templates: int, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.size = templates
        self.catalog: Sequence[dict[str, Any]] = make_catalog(templates, SEED)
        self.keys = {KEYS[0]}
        self.faulty = True
        self.fired: Counter[str] = Counter()
        self.pings = 0
        self._random = random.Random(SEED)  # noqa: S311 - not for secrets
        self._seed = SEED
        self.trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.trust.load_cert_chain(certificate)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Do the TLS handshake in the thread of the connection, because a slow client must not block the others."""
        with suppress(OSError), self.trust.wrap_socket(request, server_side=True) as secure:
            secure.settimeout(60)
            super().finish_request(secure, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect."""

    def evolve(self) -> None:
        """Apply one week of changes. The catalog keeps its size, because a growing one needs more memory."""
        self._seed += 1
        self.catalog = evolve(self.catalog, self._seed)[0][: self.size]

    def fault(self) -> str | None:
        """Return the fault of this request, chosen at random; None for most requests."""
        shares = [1000 - sum(FAULTS.values()), *FAULTS.values()]
        found = self._random.choices([None, *FAULTS], shares)[0] if self.faulty else None
        if found is not None:
            self.fired[found] += 1
        return found


class Handler(BaseHTTPRequestHandler):
    """Returns responses or faults."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        """Count a heartbeat ping."""
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.server.pings += 1
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        """Answer one request."""
        fault = self.server.fault()
        if fault == "slow":
            time.sleep(0.3)
        if fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.close_connection = True
            return
        status, body = self._answer(fault)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + (1000 if fault == "cut short" else 0)))
        self.send_header("Content-Type", "text/html" if fault == "web page" else "application/json")
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.close_connection or fault == "cut short"

    def _answer(self, fault: str | None) -> tuple[int, bytes]:
        if fault in {"500", "429", "401", "455"}:
            # As the real server may: some codes in a body under HTTP 200.
            return (200 if fault == "455" else int(fault)), json.dumps({"code": int(fault), "message": "no"}).encode()
        if fault in {"not json", "web page"}:
            return 200, b"<html>hello</html>"
        if self.headers.get("x-api-key") not in self.server.keys:
            return 401, b'{"code": 401, "message": "who are you?"}'
        answer = list_templates(self.server.catalog, dict(parse_qsl(self.path.partition("?")[2])))
        if fault == "wrong total":
            answer["data"]["total"] += 3
        if fault == "bad record" and answer["data"]["templates"]:
            answer["data"]["templates"][0] = {**answer["data"]["templates"][0], "ConsumeItems": "free"}
        return 200, json.dumps(answer, ensure_ascii=False).encode()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Write no access log."""


class Sample(NamedTuple):
    """The process at one moment; `rss` in KiB."""

    runs: int
    rss: int
    threads: int
    descriptors: int


def sample(pid: int, runs: int) -> Sample:
    """Read the figures of the process in /proc."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return Sample(runs, int(status["VmRSS"].split()[0]), int(status["Threads"]), len(list(Path(f"/proc/{pid}/fd").iterdir())))


def runs_by_status(port: int) -> Counter[str]:
    """Scrape the daemon, as Prometheus would."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = re.findall(r'^template_sync_runs_total\{status="(\w+)"\} (\S+)', text, re.MULTILINE)
    return Counter({status: int(float(count)) for status, count in found})


def certificate(folder: Path) -> Path:
    """Make a certificate for localhost; the key is in the same file."""
    file = folder / "certificate.pem"
    openssl = shutil.which("openssl") or "openssl"
    options = (
        "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    command = [openssl, "req", "-x509", *options.split(), "-keyout", str(folder / "key.pem"), "-out", str(file)]
    subprocess.run(command, check=True, capture_output=True)
    file.write_text(file.read_text() + (folder / "key.pem").read_text())
    return file


def start(server: Server, folder: Path, interval: str, port: int) -> subprocess.Popen[bytes]:
    """Start the daemon."""
    put_key(folder, KEYS[0])
    with (folder / "log").open("wb") as log:
        variables = settings(server, folder) | {"SYNC_INTERVAL": interval, "SYNC_HTTP_PORT": str(port)}
        return subprocess.Popen([*SYNC, "daemon"], cwd=folder, env=variables, stderr=log)


def put_key(folder: Path, key: str) -> str:
    """Replace the key file of the daemon atomically."""
    (folder / "new").write_text(key)
    (folder / "new").chmod(0o600)
    (folder / "new").replace(folder / "key")
    return key


def settings(server: Server, folder: Path) -> dict[str, str]:
    """Return the settings that lead to the server, and one arena of malloc, as in the service and in the image."""
    url = f"https://localhost:{server.server_port}"
    files = {"CRUN_API_KEY_FILE": str(folder / "key"), "SYNC_CA_BUNDLE": str(folder / "certificate.pem")}
    return environment(CRUN_BASE_URL=url, SYNC_PING_URL=f"{url}/ping", SYNC_RATE="0", MALLOC_ARENA_MAX="1", **files)


def watch(server: Server, process: subprocess.Popen[bytes], folder: Path, port: int, until_runs: int) -> Iterator[Sample]:
    """Return a sample every half second until there were so many runs; meanwhile let weeks pass, and rotate the key."""
    evolved = rotated = 0
    while process.poll() is None:
        time.sleep(0.5)
        with suppress(OSError):
            runs = runs_by_status(port).total()
            yield sample(process.pid, runs)
            if runs >= until_runs:
                return
            if runs // EVOLVE_EVERY > evolved:
                evolved = runs // EVOLVE_EVERY
                server.evolve()
            if runs // ROTATE_EVERY > rotated:
                rotated = runs // ROTATE_EVERY
                server.keys = {put_key(folder, KEYS[rotated % 2])}  # an active run is refused; the next one has the new key
    raise SystemExit(f"the daemon left with {process.returncode}: {(folder / 'log').read_text()[-2000:]}")


def settle(server: Server, port: int) -> None:
    """Stop the faults and wait for two more successes, as the first run may have started before."""
    server.faulty = False
    before = runs_by_status(port)["succeeded"]
    ends = time.monotonic() + QUIET_SECONDS
    while runs_by_status(port)["succeeded"] < before + 2:
        if time.monotonic() > ends:
            raise SystemExit("no success after the faults stopped")
        time.sleep(0.2)


def differences(server: Server, folder: Path) -> list[str]:
    """Compare feed, tables and catalog; return the differences."""
    variables = settings(server, folder)
    check = subprocess.run([*SYNC, "db", "check"], cwd=folder, env=variables, capture_output=True, text=True, check=False)
    dry = subprocess.run([*SYNC, "run", "--dry-run", "--json"], cwd=folder, env=variables, capture_output=True, check=True)
    found = json.loads(dry.stdout)
    wrong = [] if check.returncode == 0 else [f"db check: {check.stderr.strip()}"]
    return wrong + ["the tables are not the catalog"] * any(found[name] for name in ("added", "changed", "removed"))


def report(samples: Sequence[Sample], statuses: Counter[str], server: Server, seconds: float) -> None:
    """Print the figures."""
    warm = [each for each in samples if each.runs >= WARM_UP * samples[-1].runs]
    ended = ", ".join(f"{count} {name}" for name, count in statuses.items() if count)
    fired = ", ".join(f"{count} × {name}" for name, count in server.fired.most_common())
    print(f"{samples[-1].runs} runs in {seconds:.0f} s: {ended}\nfaults fired: {fired}; pings: {server.pings}")
    print(f"{'':12} {'first':>8} {'warm':>8} {'last':>8} {'most':>8}")
    for name in ("rss", "threads", "descriptors"):
        figures = [getattr(each, name) for each in samples]
        print(f"{name:12} {figures[0]:8} {getattr(warm[0], name):8} {figures[-1]:8} {max(figures):8}")
    for part, listed in ((f"after the first {WARM_UP:.0%}", warm), ("of the last 40 %", warm[len(warm) // 2 :])):
        growth = statistics.linear_regression([each.runs for each in listed], [each.rss for each in listed]).slope
        print(f"RSS slope {part}: {growth * 1000:+.1f} KiB per 1 000 runs")


def main() -> None:
    """Run the test."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--interval", default="0.2s")
    parser.add_argument("--templates", type=int, default=280)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Server(options.templates, certificate(folder))
        Thread(target=server.serve_forever, daemon=True).start()
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        began = time.monotonic()
        process = start(server, folder, options.interval, port)
        try:
            samples = list(watch(server, process, folder, port, options.runs))
            settle(server, port)
            statuses = runs_by_status(port)
            process.send_signal(signal.SIGTERM)
            left = process.wait(60)
            report(samples, statuses, server, time.monotonic() - began)
            wrong = differences(server, folder)
            leaked = any(key in (folder / "log").read_text() for key in KEYS)
        finally:
            process.kill()
            process.wait()
    print(
        f"the daemon left with {left}; a key in its log: {'YES' if leaked else 'no'}; {'; '.join(wrong) or 'all three are one'}"
    )
    sys.exit(bool(left or wrong or leaked))


if __name__ == "__main__":
    main()

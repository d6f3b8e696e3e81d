"""Let the real daemon make thousands of scheduled runs over TLS, against a catalog that changes and a server that misbehaves.

    python bench/soak.py [--runs 2000] [--interval 0.2s] [--templates 280] [--seed 7]

Watches the process from outside (/proc: Linux only): resident memory, threads, file descriptors. At the end the faults stop,
the daemon is asked to stop, and the feed must replay to the tables, and the tables must be the catalog. Needs `openssl` for a
certificate of its own. 2 000 runs take about ten minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from sync.catalog.dropped_tags import read_both_ways
from sync.catalog.raw_record import decode

from sync.catalog.template import document
from sync.endpoint.envelope import read_envelope
from sync.reader import catalog as catalog_reader
from sync.reader import feed as feed_reader
from sync.sandbox.catalog import evolve, make_catalog
from sync.sandbox.server import list_templates
from sync.store.engine import open_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

KEYS = ("ak_SoakKeyOne0000000000000000000000", "ak_SoakKeyTwo0000000000000000000000")
FAULTS = {  # of a thousand requests; the rest is answered as it should be
    "500": 8, "429": 5, "reset": 4, "cut short": 4, "not json": 2, "web page": 1, "wrong total": 3, "slow": 5, "bad record": 3,
    "401": 0.5, "455": 0.2,
}  # fmt: skip
WARM_UP = 0.2
EVOLVE_EVERY = 12
ROTATE_EVERY = 500
QUIET_SECONDS = 120.0


class Server(ThreadingHTTPServer):
    """The endpoint behind TLS, with faults by the dice."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, templates: int, seed: int, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.size = templates
        self.catalog: Sequence[dict[str, Any]] = make_catalog(templates, seed)
        self.keys = {KEYS[0]}
        self.faulty = True
        self.fired: Counter[str] = Counter()
        self.pings = 0
        self._random = random.Random(seed)  # noqa: S311 - dice, not secrets
        self._lock = Lock()
        self._seed = seed
        self.trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.trust.load_cert_chain(certificate)
        self.pinged = ThreadingHTTPServer(("127.0.0.1", 0), type("Pinged", (Pinged,), {"soak": self}))

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread: a slow client must not stop the others."""
        with suppress(OSError), self.trust.wrap_socket(request, server_side=True) as secure:
            secure.settimeout(60)
            super().finish_request(secure, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Be silent: a client that leaves is no event."""

    def evolve(self) -> None:
        """Let a week pass. The catalog keeps its size: one that grows would need more memory by right."""
        self._seed += 1
        self.catalog = evolve(self.catalog, self._seed)[0][: self.size]

    def fault(self) -> str | None:
        """Throw the dice."""
        with self._lock:
            if not self.faulty:
                return None
            thrown = self._random.random() * 1000
            for name, share in FAULTS.items():
                thrown -= share
                if thrown < 0:
                    self.fired[name] += 1
                    return name
        return None


class Handler(BaseHTTPRequestHandler):
    """Answers, or misbehaves."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """Answer one question."""
        fault = self.server.fault()
        if fault == "slow":
            time.sleep(0.3)
        if fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.close_connection = True
            return
        status, body, more = self._answer(fault)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) + (1000 if fault == "cut short" else 0)))
        self.send_header("Content-Type", "text/html" if fault == "web page" else "application/json")
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.close_connection or fault == "cut short"

    def _answer(self, fault: str | None) -> tuple[int, bytes, dict[str, str]]:
        if fault in {"500", "429", "401", "455"}:
            more = {"Retry-After": "0"} if fault == "429" else {}
            # As the real one may: some codes inside an HTTP 200.
            return (200 if fault == "455" else int(fault)), json.dumps({"code": int(fault), "message": "no"}).encode(), more
        if fault in {"not json", "web page"}:
            return 200, b"<html>hello</html>", {}
        if self.headers.get("x-api-key") not in self.server.keys:
            return 401, b'{"code": 401, "message": "who are you?"}', {}
        answer = list_templates(self.server.catalog, dict(parse_qsl(self.path.partition("?")[2])))
        if fault == "wrong total":
            answer["data"]["total"] += 3
        if fault == "bad record" and answer["data"]["templates"]:
            answer["data"]["templates"][0] = {**answer["data"]["templates"][0], "ConsumeItems": "free"}
        return 200, json.dumps(answer, ensure_ascii=False).encode(), {}

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class named it
        """Keep no access log."""


class Pinged(BaseHTTPRequestHandler):
    """The dead-man's switch."""

    soak: Server

    def do_POST(self) -> None:
        """Count."""
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.soak.pings += 1
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class named it
        """Keep no access log."""


@dataclass(frozen=True)
class Sample:
    """The process at one moment."""

    runs: int
    rss: int
    threads: int
    descriptors: int


def sample(pid: int, runs: int) -> Sample:
    """Look at the process from outside."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines)
    descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Sample(runs, int(status["VmRSS"].split()[0]), int(status["Threads"]), descriptors)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Give the slope of the straight line of least squares."""
    x_mean = sum(x for x, _ in points) / len(points)
    y_mean = sum(y for _, y in points) / len(points)
    spread = sum((x - x_mean) ** 2 for x, _ in points)
    return sum((x - x_mean) * (y - y_mean) for x, y in points) / spread if spread else 0.0


def runs_by_status(port: int) -> Counter[str]:
    """Scrape the daemon, as Prometheus would."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    prefix = 'template_sync_runs_total{status="'
    found = (line.removeprefix(prefix).split('"} ') for line in text.splitlines() if line.startswith(prefix))
    return Counter({status: int(float(count)) for status, count in found})


def certificate(folder: Path) -> Path:
    """Make a certificate for localhost; the key is in the same file."""
    file = folder / "certificate.pem"
    openssl = shutil.which("openssl") or "openssl"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = [openssl, "req", "-x509", *kind, *name, "-keyout", str(folder / "key.pem"), "-out", str(file)]
    subprocess.run(command, check=True, capture_output=True)
    file.write_text(file.read_text() + (folder / "key.pem").read_text())
    return file


def start(server: Server, folder: Path, interval: str, port: int) -> subprocess.Popen[bytes]:
    """Start the daemon."""
    key = folder / "key"
    key.write_text(KEYS[0])
    key.chmod(0o600)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("SYNC_", "CRUN_", "DATABASE_URL"))},
        "CRUN_API_KEY_FILE": str(key),
        "CRUN_BASE_URL": f"https://localhost:{server.server_port}",
        "SYNC_CA_BUNDLE": str(folder / "certificate.pem"),
        "SYNC_INTERVAL": interval,
        "SYNC_RATE": "0",
        "SYNC_HTTP_PORT": str(port),
        "SYNC_PING_URL": f"http://127.0.0.1:{server.pinged.server_port}/ping",
    }
    with (folder / "log").open("wb") as log:
        return subprocess.Popen([sys.executable, "-m", "sync", "daemon"], cwd=folder, env=environment, stderr=log)


def watch(server: Server, process: subprocess.Popen[bytes], folder: Path, port: int, wanted: int) -> Iterator[Sample]:
    """Give a sample every half second until there were so many runs; meanwhile let weeks pass, and rotate the key."""
    evolved = rotated = 0
    while process.poll() is None:
        time.sleep(0.5)
        with suppress(OSError):
            runs = runs_by_status(port).total()
            yield sample(process.pid, runs)
            if runs >= wanted:
                return
            if runs // EVOLVE_EVERY > evolved:
                evolved = runs // EVOLVE_EVERY
                server.evolve()
            if runs // ROTATE_EVERY > rotated:
                rotated = runs // ROTATE_EVERY
                new = KEYS[rotated % 2]
                (folder / "new").write_text(new)
                (folder / "new").chmod(0o600)
                (folder / "new").replace(folder / "key")
                server.keys = {new}  # a run that is at work is refused; the next one has the new key
    raise SystemExit(f"the daemon left with {process.returncode}: {(folder / 'log').read_text()[-2000:]}")


def settle(server: Server, port: int) -> None:
    """Stop misbehaving, and wait for two more successes: the first may have begun before."""
    server.faulty = False
    before = runs_by_status(port)["succeeded"]
    ends = time.monotonic() + QUIET_SECONDS
    while runs_by_status(port)["succeeded"] < before + 2:
        if time.monotonic() > ends:
            raise SystemExit("no success after the faults stopped")
        time.sleep(0.2)


def differences(server: Server, folder: Path) -> list[str]:
    """Fold the feed as a consumer would, and compare: feed, tables, catalog. Empty when all three are one."""
    engine = open_engine(f"sqlite:///{folder / 'templates.db'}")
    told: dict[str, Any] = {}
    feed = feed_reader.changes(engine, since=0)
    for change in feed:
        if change["kind"] == "removed":
            del told[change["template_id"]]
        else:
            told[change["template_id"]] = change["document"]
    stored = {document["template_id"]: document for document in catalog_reader.catalog(engine)}
    answer = list_templates(server.catalog, {"page_size": "50"})
    answer["data"]["templates"] = list(server.catalog)
    records = read_envelope(json.dumps(answer).encode()).records or []
    read = (read_both_ways(decode(raw), looked_up=False).template for raw in records)
    served = {template.template_id: document(template) for template in read if template}
    checks: dict[str, Callable[[], bool]] = {
        "the feed has a gap": lambda: [change["seq"] for change in feed] != list(range(1, len(feed) + 1)),
        "the feed does not replay to the tables": lambda: told != stored,
        "the tables are not the catalog": lambda: stored != served,
    }
    found = [name for name, wrong in checks.items() if wrong()]
    engine.dispose()
    print(f"feed: {len(feed)} changes; catalog: {len(served)} templates")
    return found


def report(samples: Sequence[Sample], statuses: Counter[str], server: Server, seconds: float) -> None:
    """Print the figures."""
    warm = [each for each in samples if each.runs >= WARM_UP * samples[-1].runs]
    growth = slope([(each.runs, each.rss) for each in warm])
    half = slope([(each.runs, each.rss) for each in warm[len(warm) // 2 :]])
    print(
        f"{samples[-1].runs} runs in {seconds:.0f} s: {', '.join(f'{count} {name}' for name, count in statuses.items() if count)}"
    )
    print(f"faults fired: {', '.join(f'{count} × {name}' for name, count in server.fired.most_common())}; pings: {server.pings}")
    print(f"{'':12} {'first':>8} {'warm':>8} {'last':>8} {'most':>8}")
    for name, value in (("RSS, KiB", "rss"), ("threads", "threads"), ("descriptors", "descriptors")):
        figures = [getattr(each, value) for each in samples]
        print(f"{name:12} {figures[0]:8} {getattr(warm[0], value):8} {figures[-1]:8} {max(figures):8}")
    print(
        f"RSS slope after the first {WARM_UP:.0%}: {growth * 1000:+.1f} KiB per 1 000 runs; of the last 40 %: {half * 1000:+.1f}"
    )
    print(f"that is {growth * 96:+.1f} KiB a day at one run in 15 minutes")


def main() -> None:
    """Soak."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--interval", default="0.2s")
    parser.add_argument("--templates", type=int, default=280)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Server(options.templates, options.seed, certificate(folder))
        for each in (server, server.pinged):
            Thread(target=each.serve_forever, daemon=True).start()
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

"""The sandbox: the API on loopback, the files of the catalog, and the sandbox's own paths to control it."""

from __future__ import annotations

import time
from contextlib import suppress
from threading import RLock, Thread
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl

from sync.config.addresses import is_loopback_name
from sync.errors import UsageError
from sync.forms.form import JOB_PATH
from sync.sandbox.catalog import evolve
from sync.sandbox.http import HOST, JsonHandler, LoopbackServer
from sync.sandbox.media_files import MEDIA_URL, PREVIEW_PATH, media_response
from sync.sandbox.responses import CODES, FAILED, SHORT, Fault, Faults, envelope, error, list_templates
from sync.sandbox.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sync.outputs.commands import Evolution
    from sync.recording.replay import RecordedResponse, Replay
    from sync.sandbox.catalog import Record

SANDBOX_KEY = "ak_SandboxKeyOpensOnlyTheSandbox000"
ENDPOINT = "/api/v1/client/job/bytedance-templates"
TASK_PATH = "/api/v1/client/job/TaskInfo"

_REPLAYED = {ENDPOINT: "GET", "/sandbox": "GET"}
"""The paths with their methods; a recording contains responses of the catalog endpoint only."""
_METHODS = {**_REPLAYED, JOB_PATH: "POST", TASK_PATH: "GET", "/sandbox/evolve": "POST", "/sandbox/faults": "POST"}


class Sandbox:
    """The API on loopback, with a catalog that can change; as a context manager it serves while it is open.

    `url` is the base URL; `port` is the port, also if 0 selected a free one.
    """

    def __init__(
        self,
        catalog: Sequence[Record],
        *,
        key: str = SANDBOX_KEY,
        port: int = 0,
        latency_ms: int = 0,
        evolve_seed: int = 1,
        evolve_every: float | None = None,
        faults: Sequence[Fault] = (),
        clock: Callable[[], float] = time.time,
        replay: Replay | None = None,
        media_port: int | None = None,
    ) -> None:
        """Bind the port.

        Covers and previews are also served on `media_port`; if that port is in use, `serves_media` is False. A request to the API
        that arrives `evolve_every` seconds or more after the last change finds a week of changes. `clock` returns Unix seconds.

        Raises:
            UsageError: the port cannot be bound.
        """
        self.key = key
        self.latency = latency_ms / 1000
        self.catalog = tuple(catalog)  # replaced, never modified, so that a request sees one state
        self.faults = Faults(faults)
        self.replay = replay  # if set, its responses replace those of the catalog
        self._evolve_seed = evolve_seed
        self._evolve_every = evolve_every
        self._clock = clock
        self._evolved_at = clock()
        self._changing = RLock()
        try:
            self._servers = [_Server(self, port, _METHODS if replay is None else _REPLAYED)]
        except (OSError, OverflowError) as refused:
            reason = getattr(refused, "strerror", None) or str(refused)
            hint = "Choose another --port; 0 takes a free one."
            raise UsageError(f"The sandbox cannot listen on {HOST}:{port}: {reason}.", hint=hint) from refused
        if media_port is not None:
            with suppress(OSError):
                self._servers.append(_Server(self, media_port, {}, share_port=True))
        self.serves_media = len(self._servers) > 1
        self._threads = [Thread(target=each.serve_forever, args=(0.02,), name="sandbox", daemon=True) for each in self._servers]
        self.port = self._servers[0].server_address[1]
        self.url = f"http://{HOST}:{self.port}"
        self.tasks = Tasks(clock, self.url + PREVIEW_PATH)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop serving and close all connections; the port is free afterwards."""
        for server, thread in zip(self._servers, self._threads, strict=True):
            if thread.ident is not None:
                server.shutdown()
                thread.join()
            server.server_close()
            server.close_connections()

    def replace(self, catalog: Sequence[Record]) -> None:
        """Serve another catalog, from the next request."""
        with self._changing:
            self.catalog = tuple(catalog)

    def evolve(self) -> Evolution:
        """Apply one week of changes, and return them."""
        with self._changing:
            changed, evolution = evolve(self.catalog, self._evolve_seed)
            self.catalog = tuple(changed)
            self._evolve_seed += 1
            self._evolved_at = self._clock()
            return evolution

    def describe(self) -> dict[str, Any]:
        """Return the URLs, the key and the number of templates."""
        description = {
            "base_url": self.url,
            "endpoint": self.url + ENDPOINT,
            "job_endpoint": self.url + JOB_PATH,
            "task_endpoint": self.url + TASK_PATH,
            "key": self.key,
            "count": len(self.catalog),
        }
        if self.replay is not None:
            return {**description, "replay": self.replay.count}
        controls = {"evolve": f"POST {self.url}/sandbox/evolve", "media": MEDIA_URL, "faults": self.faults.as_json()}
        return {**description, **controls}

    def answer(self, path: str, query: str, body: bytes | None) -> dict[str, Any] | RecordedResponse:
        """Return the response of the API to a request with a valid key."""
        if self.replay is not None:
            return self.replay.next_response(query) or envelope(404, "The recording has no response to this request")
        with self._changing:
            if self._evolve_every is not None and self._clock() >= self._evolved_at + self._evolve_every:
                self.evolve()
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        is_page = path == ENDPOINT and not parameters.get("template_id")
        fault = self.faults.take(*CODES, *([SHORT] if is_page else []))
        if fault in CODES:
            return error(int(fault))
        if path == JOB_PATH:
            return self.tasks.create(self.catalog, body, fails=lambda: self.faults.take(FAILED) is not None)
        if path == TASK_PATH:
            return self.tasks.info(parameters)
        return list_templates(self.catalog, parameters, short=fault == SHORT)

    def control(self, path: str, body: bytes | None) -> dict[str, Any]:
        """Return the response of a path of the sandbox itself."""
        if path == "/sandbox/evolve":
            evolution = self.evolve()
            return {name: getattr(evolution, name) for name in evolution.__struct_fields__}
        return self.describe() if path == "/sandbox" else self.faults.answer(body)


class _Server(LoopbackServer):
    """Serves a sandbox.

    `methods` are the paths of the API that it serves, with the method of each: none on the port of covers and previews, which
    several sandboxes share, because all have the same files but not the same catalog.
    """

    def __init__(self, sandbox: Sandbox, port: int, methods: Mapping[str, str], *, share_port: bool = False) -> None:
        self.sandbox = sandbox
        self.methods = methods
        super().__init__(port, _Handler, share_port=share_port)

    def service_actions(self) -> None:
        """Send callbacks that are due; `serve_forever` calls this at least at each of its intervals."""
        self.sandbox.tasks.send_callbacks()


class _Handler(JsonHandler):
    server: _Server

    def do_GET(self) -> None:  # noqa: N802 - the base class named it
        body = self.read_body()
        path, _, query = self.path.partition("?")
        if not is_loopback_name(self.headers.get("Host", "")):
            self.send(envelope(403, "The sandbox answers to loopback names only"))
        elif self.command != "POST" and (media := media_response(path, self.headers.get("Range", ""))):
            self.send_bytes(*media)  # no key is needed, as with the vendor's storage
        elif isinstance(answer := self._answer(path, query, body), dict):
            self.send(answer)
        else:
            self.send_recorded(answer)

    do_HEAD = do_POST = do_GET  # noqa: N815 - the base class named them

    def _answer(self, path: str, query: str, body: bytes | None) -> dict[str, Any] | RecordedResponse:
        sandbox = self.server.sandbox
        if path not in self.server.methods:
            return error(404)
        if self.command != self.server.methods[path]:
            return envelope(405, f"Use {self.server.methods[path]}")
        if path.startswith("/sandbox"):
            return sandbox.control(path, body)
        time.sleep(sandbox.latency)
        if self.headers.get("x-api-key") != sandbox.key:
            return error(401)
        return sandbox.answer(path, query, body)

"""Generation tasks: a request is validated against the form of its template, accepted, and ends with a sample video.

Nothing is generated. What the API leaves open is decided here: errors are a 422 with one sentence each, the times of a task are
those below, and a callback is the response to TaskInfo, sent once, when the task has ended.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from ipaddress import ip_address
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from sync.catalog.json_values import decode_json
from sync.catalog.parsing import parse_record
from sync.client.http import send
from sync.client.network import Network, TransportFailure
from sync.config.addresses import LOOPBACK_ORIGIN, http_url, origin_of
from sync.errors import MissingExtra
from sync.forms.form import REQUEST_SCHEMA, Form
from sync.forms.validation import problems
from sync.sandbox.responses import ERRORS, envelope, error, success

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sync.sandbox.catalog import Record

NOTE = "This is a sandbox: nothing is generated and nothing is spent."
_PENDING, _DURATION = 1, 3
"""Seconds after which a task runs, and after which it has ended."""
_KEPT = 1000
"""Number of tasks in memory; older ones are forgotten."""
_CALLBACK_ERROR = (
    "callback_url: must be a loopback address, such as http://127.0.0.1:8000/callback; the sandbox calls no other address"
)


@dataclass(slots=True)
class _Task:
    """An accepted request; `callback` says what came of its callback."""

    task_id: str
    created_at: float
    fails: bool
    callback_url: str | None
    callback: str = ""

    @property
    def ends_at(self) -> float:
        return self.created_at + _DURATION


class Tasks:
    """The tasks of one sandbox. `clock` returns Unix seconds; `video_url` is the result of every task that succeeds."""

    def __init__(self, clock: Callable[[], float], video_url: str) -> None:
        self._clock = clock
        self._video_url = video_url
        self._changing = Lock()
        self._created = 0
        self._tasks: dict[str, _Task] = {}
        self._uncalled: deque[_Task] = deque(maxlen=_KEPT)

    def create(self, catalog: Sequence[Record], body: bytes | None, fails: Callable[[], bool]) -> dict[str, Any]:
        """Return the response, which may be an error, to a request with a valid key.

        `body` is None if its length is missing or too large; `fails` is called if the request is accepted.
        """
        try:
            request, errors = _parse(catalog, body)
        except MissingExtra as missing:
            return envelope(505, f"The sandbox cannot check this. {missing} {missing.hint}")
        if errors:
            return error(422, errors)
        with self._changing:
            self._created += 1
            task = _Task(f"task_sandbox_{self._created:08}", self._clock(), fails(), request.get("callback_url"))
            self._tasks[task.task_id] = task
            if len(self._tasks) > _KEPT:
                del self._tasks[next(iter(self._tasks))]
            if task.callback_url is not None:
                self._uncalled.append(task)
        return success({"task_id": task.task_id, "sandbox": NOTE})

    def info(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return the response, which may be an error, to a request for the status of a task."""
        if not query.get("task_id"):
            return error(422, ["task_id: is missing"])
        task = self._tasks.get(query["task_id"])
        return error(404) if task is None else self._status(task)

    def _status(self, task: _Task) -> dict[str, Any]:
        now = self._clock()
        ended = now >= task.ends_at
        status = "pending" if now < task.created_at + _PENDING else "running"
        code, message, urls = (501, ERRORS[501], []) if task.fails else (200, "success", [self._video_url])
        return success(
            {
                "task_id": task.task_id,
                "status": status if not ended else "failed" if task.fails else "success",
                "create_at": int(task.created_at),
                "complete_at": int(task.created_at) + _DURATION if ended else None,
                "duration_s": _DURATION if ended else None,
                "result": {"code": code, "message": message, "media_urls": urls} if ended else None,
                "sandbox": f"{NOTE} {task.callback}".rstrip(),
            }
        )

    def send_callbacks(self) -> None:
        """Send the callbacks of the tasks that have ended, each in a thread, because a receiver may be slow."""
        while True:
            with self._changing:
                if not self._uncalled or self._clock() < self._uncalled[0].ends_at:
                    return
                task = self._uncalled.popleft()
            Thread(target=self._send_callback, args=(task,), name="sandbox callback", daemon=True).start()

    def _send_callback(self, task: _Task) -> None:
        url, body = str(task.callback_url), json.dumps(self._status(task)).encode()
        headers = {"content-type": "application/json"}
        try:
            response = send(
                "POST", url, headers, body, network=Network(), limit=10.0, most=lambda _status: 0,
                is_permitted=lambda address: ip_address(address).is_loopback,
            )  # fmt: skip
            task.callback = f"The callback was answered with {response.status}."
        except TransportFailure as failure:
            task.callback = f"The callback failed: {failure}."


def _parse(catalog: Sequence[Record], body: bytes | None) -> tuple[dict[str, Any], list[str]]:
    """Return the request and its errors."""
    if body is None:
        return {}, ["the request: needs a Content-Length, of at most 99999 bytes"]
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        return {}, ["the request: must be JSON"]
    if found := problems(REQUEST_SCHEMA, request):
        return {}, [f"{problem.path or 'the request'}: {problem.message}" for problem in found]
    callback = [] if _is_callback(request.get("callback_url")) else [_CALLBACK_ERROR]
    return request, callback + _input_errors(catalog, request["input"])


def _is_callback(url: str | None) -> bool:
    try:
        return url is None or (url.isascii() and url.isprintable() and origin_of(http_url(url)) == LOOPBACK_ORIGIN)
    except ValueError:
        return False


def _input_errors(catalog: Sequence[Record], given: dict[str, Any]) -> list[str]:
    """Validate an input against the form of its template."""
    if "template_id" not in given:
        return ["input.template_id: is missing"]
    record = next((each for each in catalog if each.get("TemplateId") == given["template_id"]), None)
    if record is None:
        return ["input.template_id: the catalog has no such template"]
    document = parse_record(decode_json(json.dumps(record).encode()))
    return [f"input.{problem}" for problem in Form(document).validate(given)]

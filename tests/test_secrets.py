"""No secret is in any written byte: streams, files, database, site, messages, responses to agents, errors of drivers.

The servers return the secrets that they receive: the catalog the key, in records and errors; the receiver a webhook's secret and
its own address; the database server the password, in an error.
"""

from __future__ import annotations

import asyncio
import base64
import io
import re
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from sync.commands.output import Output
from tests.builders import record, records
from tests.command_line import environment, template_sync
from tests.conftest import server_url
from tests.daemons import DaemonProcess, Upstream
from tests.webhooks.receiver import Receiver, response

if TYPE_CHECKING:
    from pathlib import Path

    from tests.hostile import Reply, Request

KEY = "ak_Canary~Canary/Canary+Canary00"
PASSWORD = "p@ss/w%rd+Canary"
RAW = b"canary in the hook's own secret!"
HOOK = "whsec_" + base64.b64encode(RAW).decode()


def percent(secret: bytes) -> str:
    """Percent-encode each byte."""
    return "".join(f"%{byte:02x}" for byte in secret)


def forms(secret: bytes) -> set[bytes]:
    """Return the forms in which a secret must not appear: literal, and percent-encoded."""
    usual = quote(secret, safe="")
    lower = re.sub("%..", lambda escape: escape[0].lower(), usual)
    return {secret, *(form.encode() for form in (usual, lower, percent(secret), percent(secret).upper()))}


SECRETS = {form for secret in (KEY.encode(), PASSWORD.encode(), RAW, HOOK.encode()) for form in forms(secret)}


def found_in(written: bytes) -> list[bytes]:
    return sorted(form for form in SECRETS if form in written)


def quoting(request: Request) -> Reply:
    """Refuse with a body that quotes the secret in several spellings and the URL."""
    result = b" ".join([HOOK.encode(), RAW, quote(RAW).encode(), request.path.encode()])
    return response(500, result)


def with_key_in_it(number: int) -> dict[str, Any]:
    """Make a record that contains the key in every text."""
    spelled = "".join(f"\\u{ord(letter):04x}" for letter in KEY)
    texts = {"Title": f"a {KEY}", "Title_en": quote(KEY, safe=""), "Hint": {KEY: [spelled, percent(KEY.encode()).upper()]}}
    return record(str(number), Tags=[KEY], Tags_en=[percent(KEY.encode())], Cover=f"https://x.example/?{KEY}", **texts)


@pytest.mark.ci_slice
def test_no_output_of_a_synchronisation_contains_a_secret(tmp_path: Path) -> None:
    shown: list[bytes] = []
    with Upstream([*records(2), with_key_in_it(3)]) as upstream, Receiver(quoting) as quotes, Receiver() as takes:
        upstream.keys = {KEY}
        hooks = [ENDPOINT.format(name=name, url=url) for name, url in (("shop", quotes.url), ("other", takes.url))]
        variables = upstream.settings(
            CRUN_API_KEY=KEY, SYNC_LOG_LEVEL="debug", SYNC_WEBHOOKS_FILE="hooks.toml", HOOK=HOOK,
            SYNC_METRICS_FILE="metrics.prom", SYNC_SITE_DIR="daemons-site", SYNC_HTTP_PORT="0", SYNC_INTERVAL="0.3s",
        )  # fmt: skip
        (tmp_path / "hooks.toml").write_text("".join(hooks))

        def ran(line: str) -> int:
            result = template_sync(*line.split(), folder=tmp_path, variables=variables)
            shown.append(f"{line}\n{result.out}\n{result.err}".encode())
            return result.code

        for line in COMMANDS:
            assert ran(line) == TROUBLED.get(line, 0), shown[-1].decode()
        upstream.reply = (401, {"code": 401, "message": f"no such key: {KEY}"}, {})
        assert [ran(line) for line in ("run", "run --json", "refresh 1", "doctor", "status", "runs")] == [77, 77, 77, 77, 0, 0]
        upstream.reply = None
        variables["CRUN_API_KEY"] = f"{KEY}\nx"
        assert ran("run") == 78
        variables["CRUN_API_KEY"] = f" {KEY}\n"
        with DaemonProcess(tmp_path, variables) as daemon:
            daemon.wait_for("run_finished")
            shown += [str(daemon.probe(path)).encode() for path in ("/metrics", "/livez", "/readyz")]
            assert daemon.stop() == 0
            shown.append(daemon.output.encode())
        shown += [request.body + str({**request.headers, "host": ""}).encode() for request in (*quotes.requests, *takes.requests)]
        assert (len(quotes.requests) >= 2, takes.abouts) == (True, ["1", "2", "3"])  # a slow machine also sends the retry
    shown.append(asyncio.run(responses_to_an_agent(tmp_path)))
    assert b"[secret]" in b"".join(shown), "the outputs contain masked secrets"
    for written in shown:
        assert found_in(written) == [], written[:200]
        assert b"/hooks/secret-path" not in written or written.startswith(b"config"), "the path of a URL may be a secret"
    files = [file for file in tmp_path.rglob("*") if file.is_file() and file.name != "hooks.toml"]
    assert {"templates.db", "walk.recording", "metrics.prom", "feed.xml", "index.html"} <= {file.name for file in files}
    assert {str(file): found_in(file.read_bytes()) for file in files if found_in(file.read_bytes())} == {}


def test_the_messages_of_a_command_mask_all_its_secrets() -> None:
    stdout, stderr = io.StringIO(), io.StringIO()
    out = Output(stdout, stderr, {})
    out.hide([KEY, PASSWORD])
    out.message(f"error: {KEY} and {quote(PASSWORD, safe='')}")
    assert (stdout.getvalue(), stderr.getvalue()) == ("", "error: [secret] and [secret]\n")


ENDPOINT = '[[endpoint]]\nname = "{name}"\nurl = "{url}"\nsecret_env = "HOOK"\nfrom = "start"\n'
COMMANDS = (
    "run --record walk.recording", "run --json --dry-run", "status", "status --json", "doctor", "doctor --json", "config --json",
    "list", "list --json", "show 3", "form 3", "history 3", "changes --since 0 --json", "runs --json", "refresh 3", "diff 1 2",
    "tags", "export --format csv", "export --format jsonl", "export --format atom", "site gallery",
    "webhooks list", "webhooks list --json", "webhooks test shop", "webhooks deliver", "db check",
)  # fmt: skip
TROUBLED = {"webhooks test shop": 75, "webhooks deliver": 75}
"""Commands that report a failure, with their exit codes: the receiver refuses every message."""


async def responses_to_an_agent(folder: Path) -> bytes:
    """Call every tool over stdio; return all responses and what the server wrote to stderr."""
    beside = folder / "mcp.stderr"
    url = f"sqlite:///{folder / 'templates.db'}"
    where = StdioServerParameters(
        command=sys.executable,
        args=["-m", "sync", "mcp"],
        env=environment(DATABASE_URL=url, CRUN_API_KEY=KEY, SYNC_LOG_LEVEL="debug"),
    )
    calls: dict[str, dict[str, Any]] = {
        "search_templates": {}, "get_template": {"template_id": "3"}, "get_form": {"template_id": "3"},
        "validate_input": {"template_id": "3", "input": {}}, "price_history": {"template_id": "3"}, "recent_changes": {},
        "catalog_status": {},
    }  # fmt: skip
    with beside.open("w") as errors:
        async with Client(stdio_client(where, errlog=errors)) as client:
            answers = [await client.call_tool(name, arguments) for name, arguments in calls.items()]
    return b"\n".join([*(each.model_dump_json().encode() for each in answers), beside.read_bytes()])


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_no_error_of_a_driver_shows_a_password(kind: str, tmp_path: Path) -> None:
    server = sa.engine.make_url(server_url(kind))
    host = f"{server.host or '127.0.0.1'}:{server.port or {'postgresql': 5432, 'mariadb': 3306}[kind]}"
    written = quote(PASSWORD, safe="")
    wrong = [
        f"{server.username}:{written}@{host}/nothing_here",
        f"no_such_user:{written}@{host}/nothing_here",
        f"no_such_user:{written}@{host}/nothing_here?ssl_ca=/no/such/file&sslrootcert=/no/such/file&sslmode=verify-full",
        f"no_such_user:{written}@no-such-host.invalid/nothing_here",
        f"no_such_user:{written}@127.0.0.1:9/nothing_here?sslpassword=inner",
        f"no_such_user:{written}@{host}/nothing_here?no_such_option={written}",
    ]
    base = {"CRUN_API_KEY": KEY, "CRUN_BASE_URL": "http://127.0.0.1:9", "SYNC_LOG_LEVEL": "debug"}
    for url in wrong:
        for line in ("status", "doctor", "db upgrade", "db current", "config", "run"):
            variables = {**base, "DATABASE_URL": f"{kind}://{url}"}
            result = template_sync(*line.split(), folder=tmp_path, variables=variables)
            assert result.code != 0 or line == "config", (url, line)
            assert found_in((result.out + result.err).encode()) == [], line

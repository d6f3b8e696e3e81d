"""The MCP server with the official client: over stdio in a nearly empty environment, and in memory."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

from sync.agents import server as served
from sync.agents.server import server_of
from sync.api import Catalog
from sync.outputs.schema import DIALECT
from sync.outputs.tools import TOOLS
from tests.builders import record, records, run_with
from tests.command_line import environment, template_sync
from tests.faults import dumped
from tests.json_forms import check

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.builders import Database

ROOT = Path(__file__).parents[2]
ARGUMENTS: dict[str, dict[str, Any]] = {
    "search_templates": {"search": "number", "limit": 1},
    "filter_values": {},
    "get_template": {"template_id": "2"},
    "get_form": {"template_id": "2"},
    "validate_input": {"template_id": "2", "input": {}},
    "price_history": {"template_id": "2"},
    "recent_changes": {},
    "catalog_status": {},
}


async def use(client: Client) -> dict[str, Any]:
    """List the tools and call each; return the answers."""
    listed = (await client.list_tools()).tools
    assert [tool.name for tool in listed] == list(TOOLS)
    for tool in listed:
        hints = tool.annotations
        assert hints is not None
        assert (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint) == (
            True, False, True, False,
        )  # fmt: skip
        assert tool.input_schema["additionalProperties"] is False
        Draft202012Validator.check_schema(tool.input_schema)
        assert tool.output_schema is not None
        Draft202012Validator.check_schema(tool.output_schema)
        assert tool.output_schema["type"] == "object"
    answers = {}
    for name, arguments in ARGUMENTS.items():
        called = await client.call_tool(name, arguments)  # the client validates it against the output schema, too
        assert not called.is_error, called.content
        assert json.loads(called.content[0].text) == called.structured_content  # type: ignore[union-attr]
        check(f"mcp.{name}", called.structured_content)
        answers[name] = called.structured_content
    return answers


async def refused(client: Client, tool: str, arguments: dict[str, Any]) -> str:
    called = await client.call_tool(tool, arguments)
    assert (called.is_error, called.structured_content, len(called.content)) == (True, None, 1)
    return str(called.content[0].text)  # type: ignore[union-attr]


def configuration(document: str) -> dict[str, Any]:
    """Read the configuration of a host in a document."""
    (found,) = re.findall(r"```json\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)
    server: dict[str, Any] = json.loads(found)["mcpServers"]["templates"]
    return server


def over_stdio(url: str, using: Callable[[Client], Awaitable[Any]], mode: str = "auto", **variables: str) -> Any:
    """Start a server as a host does with the configuration of the README, in a nearly empty environment."""
    server = configuration("README.md")
    assert server == configuration("docs/agents.md")
    assert (server["command"].rpartition("/")[2], [*server["env"]]) == ("template-sync", ["DATABASE_URL"])

    async def session() -> Any:
        where = StdioServerParameters(
            command=sys.executable, args=["-W", "error", "-m", "sync", *server["args"]], env={"DATABASE_URL": url, **variables}
        )
        async with Client(stdio_client(where), mode=mode) as client:
            return await using(client)

    return asyncio.run(session())


def in_memory(catalog: Catalog, using: Callable[[Client], Awaitable[Any]], mode: str = "auto") -> Any:
    async def session() -> Any:
        async with Client(server_of(catalog), mode=mode) as client:
            return await using(client)

    return asyncio.run(session())


@pytest.fixture
def filled(sqlite: Database) -> Database:
    run_with([*records(2), record("3", Title_en="\x1b[2JNumber \u202e3")], sqlite.engine)
    return sqlite


def test_the_official_client_over_stdio_without_a_key(filled: Database) -> None:
    answers = over_stdio(filled.url, use, CRUN_API_KEY_FILE="/no/such/key", CRUN_API_KEY="no key\n")
    assert answers["search_templates"]["templates"][0]["template_id"] == "1"
    assert (answers["search_templates"]["more"], answers["catalog_status"]["present"]) == (True, 3)
    titles = {each["title_en"] for each in answers["recent_changes"]["changes"]}
    assert titles == {"Number 1", "Number 2", r"\x1b[2JNumber \u202e3"}


@pytest.mark.long
def test_both_versions_of_the_protocol_get_the_same_answers(filled: Database) -> None:
    modern, legacy = over_stdio(filled.url, use), over_stdio(filled.url, use, mode="legacy")
    for answers in (modern, legacy):
        answers["catalog_status"].pop("last_success_age_seconds")
    assert modern == legacy


@pytest.mark.long
def test_two_clients_at_once_and_many_calls_side_by_side(filled: Database) -> None:
    async def session() -> list[Any]:
        where = StdioServerParameters(command=sys.executable, args=["-m", "sync", "mcp"], env={"DATABASE_URL": filled.url})
        async with Client(stdio_client(where)) as one, Client(stdio_client(where)) as other:
            calls = [each.call_tool("get_template", {"template_id": str(1 + n % 3)}) for n in range(12) for each in (one, other)]
            return await asyncio.gather(*calls)

    ids = [each.structured_content["template_id"] for each in asyncio.run(session())]
    assert ids == [str(1 + n % 3) for n in range(12) for _ in range(2)]


def test_no_tool_needs_to_write(filled: Database) -> None:
    file = filled.url.removeprefix("sqlite:///")
    before = dumped(filled.engine)
    with Catalog(f"sqlite:///file:{file}?mode=ro&uri=true") as catalog:
        assert in_memory(catalog, use)["catalog_status"]["present"] == 3
    assert dumped(filled.engine) == before


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_both_versions_of_the_protocol_in_memory(filled: Database, mode: str) -> None:
    async def slips(client: Client) -> None:
        await use(client)
        assert await refused(client, "search_templates", {"max_prise": 1}) != ""
        assert await refused(client, "get_template", {"template_id": "9"}) == "No template '9' was ever seen."
        with pytest.raises(MCPError, match="There is no such tool; the tools are search_templates, "):
            await client.call_tool("drop_table", {})

    with Catalog(filled.engine) as catalog:
        in_memory(catalog, slips, mode)


def test_an_unexpected_error_is_an_internal_error_and_a_masked_log_line(
    filled: Database, capsys: pytest.CaptureFixture[str], logging_as_before: None
) -> None:
    from sync.logs import configure

    configure(style="json", level="info", secrets=["hunter2hunter2"])

    class Broken(Catalog):
        def status(self) -> Any:
            raise RuntimeError("postgresql://me:hunter2hunter2@db/x")

    with Broken(filled.engine) as catalog:
        message = in_memory(catalog, lambda client: refused(client, "catalog_status", {}))
    assert message == "Internal error. The log of this server has the details."
    line = json.loads(capsys.readouterr().err.strip().splitlines()[-1])
    assert (line["event"], line["tool"]) == ("tool_failed", "catalog_status")
    assert "[secret]" in json.dumps(line)
    assert "hunter2" not in json.dumps(line)


def test_a_database_error_is_reported_without_its_url(filled: Database) -> None:
    async def broken(client: Client) -> str:
        filled.execute("DROP TABLE template_tags")
        return await refused(client, "search_templates", {"tag": "x"})

    with Catalog(filled.engine) as catalog:
        message = in_memory(catalog, broken)
    assert message == "Internal error: the database cannot be read now. The log of this server has the reason."


def test_the_tools_have_no_schema_dialect_and_no_text_of_the_catalog(filled: Database) -> None:
    async def listed(client: Client) -> str:
        return (await client.list_tools()).model_dump_json()

    with Catalog(filled.engine) as catalog:
        text = in_memory(catalog, listed)
    assert DIALECT not in text
    assert "战斗游戏" not in text
    assert served.INSTRUCTIONS.isascii()


@pytest.mark.ci_slice
def test_a_closed_stdin_ends_the_server_with_0_and_without_output(filled: Database) -> None:
    ended = template_sync("mcp", folder=filled_folder(filled), stdin=subprocess.DEVNULL)
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def filled_folder(filled: Database) -> Path:
    return Path(filled.url.removeprefix("sqlite:///")).parent


def started(filled: Database) -> subprocess.Popen[str]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-m", "sync", "mcp"]
    return subprocess.Popen(command, cwd=filled_folder(filled), env=environment(), text=True, **pipes)  # type: ignore[call-overload,no-any-return]


BEGIN = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "0"}},
}  # fmt: skip


@pytest.mark.long
def test_a_client_that_disconnects_ends_the_server_with_0(filled: Database) -> None:
    process = started(filled)
    assert process.stdout
    process.stdout.close()
    _, message = process.communicate(json.dumps(BEGIN) + "\n", timeout=60)
    assert (process.returncode, message) == (0, "")


@pytest.mark.long
def test_invalid_messages_do_not_end_the_server(filled: Database) -> None:
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "catalog_status", "arguments": []}}
    process = started(filled)
    assert process.stdin
    assert process.stdout
    process.stdin.write("\x00nonsense\n" + "[" * 100_000 + "\n")
    for request, part in (
        (BEGIN, "result"),
        (call, "error"),
        ({**call, "id": 3, "params": {"name": "catalog_status"}}, "result"),
    ):
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        while (answer := json.loads(process.stdout.readline())).get("id") != request["id"]:
            pass
        assert part in answer, answer
    message = process.communicate(timeout=60)[1]
    assert (process.returncode, "Traceback" in message) == (0, False)


def test_a_missing_file_is_refused_with_its_absolute_path(tmp_path: Path) -> None:
    refused = template_sync("mcp", folder=tmp_path, variables={"DATABASE_URL": "sqlite:///nowhere/x.db"}, in_process=True)
    assert (refused.code, refused.out) == (69, "")
    assert refused.err.startswith(f"error: There is no database at {tmp_path}/nowhere/x.db.\n  → Set DATABASE_URL, with an abs")
    assert list(tmp_path.iterdir()) == []


def test_tables_of_another_version_are_refused_at_the_start(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "templates.db")) as connection:
        connection.execute("CREATE TABLE theirs (x INTEGER)")
    refused = template_sync("mcp", folder=tmp_path, in_process=True)
    assert (refused.code, refused.out) == (69, "")
    assert "template-sync" in refused.err


@pytest.mark.long
def test_a_database_server_that_is_down_at_the_start_is_a_warning(tmp_path: Path) -> None:
    variables = {"DATABASE_URL": "postgresql://me:hunter2hunter2@127.0.0.1:9/x"}
    ended = template_sync("mcp", folder=tmp_path, variables=variables, stdin=subprocess.DEVNULL)
    assert (ended.code, ended.out) == (0, "")
    assert json.loads(ended.err)["event"] == "database_unreachable"
    assert "hunter2" not in ended.err


def test_a_missing_extra_is_named(filled: Database) -> None:
    code = "import sys; sys.modules['mcp'] = None; sys.argv[:] = ['x', 'mcp']; from sync.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=filled_folder(filled), env=environment(), input="", capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == (
        "error: `template-sync mcp` needs mcp, which is not installed.\n"
        "  → Install this program with its extra mcp: in a checkout, pip install '.[mcp]'.\n"
    )


def test_other_commands_import_no_large_library(filled: Database) -> None:
    code = (
        "import sys; sys.argv[:] = ['template-sync', 'schema', 'change']; from sync.__main__ import main\n"
        "heavy = {'mcp', 'mcp_types', 'jsonschema', 'sqlalchemy', 'structlog'}\n"
        "try: main()\nfinally: print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "[]")


@pytest.mark.parametrize(("line", "request_id"), [
    ('{"jsonrpc": "2.0", "id": 1, "method": "ping"}', None),
    ('{"jsonrpc": "2.0", "id": 7, "method": "x", "params": {"a": "\\ud800"}}', 7),
    ('{"jsonrpc": "2.0", "id": "deep", "method": "x", "params": {"a": %s}}' % ("[" * 5000 + "]" * 5000), "deep"),
    ('{"jsonrpc": "2.0", "id": 9', 9),
    ('{"jsonrpc": "2.0", "id": true, "method": 5}', None),
    ("no JSON", None),
])  # fmt: skip
def test_a_line_that_cannot_be_parsed_gets_an_error_if_it_has_an_id(line: str, request_id: int | str | None) -> None:
    error = served.error_for(line)
    assert (error and (error.id, error.error.code)) == (request_id and (request_id, -32700))


@pytest.mark.ci_slice
def test_a_message_that_cannot_be_parsed_is_answered_over_stdio(sqlite: Database) -> None:
    run_with(records(1), sqlite.engine)
    call = (
        '{"jsonrpc": "2.0", "id": %s, "method": "tools/call", "params": {"name": "get_form", "arguments": {"template_id": %s}}}'
    )
    lines = [call % (7, '"\\ud800"'), call % ('"deep"', "[" * 5000 + "]" * 5000), '{"jsonrpc": "2.0", "id": 9', "no JSON"]
    done = subprocess.run(
        [sys.executable, "-m", "sync", "mcp"],
        input="\n".join(lines) + "\n",
        env=environment(DATABASE_URL=sqlite.url),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    answers = {answer["id"]: answer for answer in map(json.loads, done.stdout.splitlines())}
    assert {answers[key]["error"]["code"] for key in (7, "deep", 9)} == {-32700}
    assert answers[7]["error"]["message"].startswith("This message cannot be parsed: Invalid JSON")
    assert (sorted(map(str, answers)), done.returncode) == (["7", "9", "deep"], 0)

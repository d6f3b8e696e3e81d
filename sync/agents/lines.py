"""Answers to lines of JSON-RPC that the MCP library cannot parse. The library drops them, and the client would wait for ever."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import mcp_types as types
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

_ID = re.compile(r'"id"\s*:\s*(\d+|"[^"\\]*")')


class Lines:
    """The lines of stdin that can be parsed; each other line that has an id is answered with an error.

    Args:
        lines: the lines as they come.
        send: sends a message to the client; set it before the first line is read.
    """

    def __init__(self, lines: AsyncIterator[str], send: Callable[[SessionMessage], Awaitable[None]] | None = None) -> None:
        self._lines = lines
        self.send = send

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield each line that can be parsed."""
        async for line in self._lines:
            error = error_for(line)
            if error is None:
                yield line
            elif self.send is not None:
                await self.send(SessionMessage(error))


def error_for(line: str) -> types.JSONRPCError | None:
    """Build the error for a line that cannot be parsed and has an id; None for any other line."""
    try:
        types.jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValidationError as invalid:
        request_id = _id(line)
        if request_id is None:
            return None  # nobody waits for an answer; the library logs it
        reason = str(invalid.errors(include_input=False, include_url=False)[0]["msg"]).partition(" at line ")[0]
        data = types.ErrorData(code=types.PARSE_ERROR, message=f"This message cannot be parsed: {reason}.")
        return types.JSONRPCError(jsonrpc="2.0", id=request_id, error=data)
    return None


def _id(line: str) -> int | str | None:
    """Read the id of a line that need not be valid JSON."""
    try:
        message = json.loads(line)
        found = message.get("id") if isinstance(message, dict) else None
    except (ValueError, RecursionError):
        match = _ID.search(line)
        found = json.loads(match[1]) if match else None
    return found if isinstance(found, int | str) and not isinstance(found, bool) else None

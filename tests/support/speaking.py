"""The official MCP client, and requests by hand, as one caller of a gateway."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp import Client as Mcp
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent, Tool

from domain.json import Json
from tests.support.gateways import Client

ISSUE: dict[str, Json] = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Lamp is dim"}
REVISIONS = {"2025-11-25": "legacy", "2026-07-28": "2026-07-28"}
_MODERN = "2026-07-28"


@asynccontextmanager
async def speaking(caller: Client, revision: str = "2026-07-28") -> AsyncIterator[Mcp]:
    """The official client, as this caller."""
    async with httpx2.AsyncClient(headers=caller.headers, trust_env=False, timeout=20) as http:
        transport = streamable_http_client(f"{caller.url}/mcp", http_client=http)
        async with Mcp(transport, mode=REVISIONS[revision]) as client:
            assert client.protocol_version == revision
            yield client


async def listed(caller: Client) -> dict[str, Tool]:
    """Every tool, page by page."""
    found: dict[str, Tool] = {}
    async with speaking(caller) as mcp:
        cursor = None
        while True:
            page = await mcp.list_tools(cursor=cursor)
            found |= {tool.name: tool for tool in page.tools}
            cursor = page.next_cursor
            if cursor is None:
                return found


async def called(caller: Client, name: str, arguments: Mapping[str, Json]) -> CallToolResult:
    """One call; a listing first, so that the client holds the answer against what the tool promised."""
    async with speaking(caller) as mcp:
        await mcp.list_tools()
        return await mcp.call_tool(name, dict(arguments))


def words(answer: CallToolResult) -> str:
    """What the model reads."""
    [block] = answer.content
    assert isinstance(block, TextContent)
    return block.text


async def posted(caller: Client, body: Any, **headers: str) -> httpx2.Response:
    """A request by hand."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    usual = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    async with httpx2.AsyncClient(trust_env=False, timeout=20) as http:
        return await http.post(f"{caller.url}/mcp", content=content, headers={**usual, **caller.headers, **headers})


async def asked(
    caller: Client, method: str, params: Mapping[str, Any] | None = None, revision: str = _MODERN, **capabilities: Any
) -> Any:
    """One request by hand: the result, or `{"error": ...}`. `capabilities` are the client's, from 2026-07-28 on."""
    given = dict(params or {})
    headers = {"mcp-protocol-version": revision}
    if revision == _MODERN:
        names = {"protocolVersion": revision, "clientCapabilities": capabilities}
        meta = {f"io.modelcontextprotocol/{key}": value for key, value in names.items()}
        given["_meta"] = {**given.get("_meta", {}), **meta}
        headers["mcp-method"] = method
        name = given.get("name", given.get("taskId"))
        headers |= {"mcp-name": name} if name else {}
    answer = await posted(caller, {"jsonrpc": "2.0", "id": 1, "method": method, "params": given}, **headers)
    if answer.headers["content-type"].startswith("text/event-stream"):
        frames = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
        body = next(each for each in frames if "id" in each)
    else:
        body = answer.json()
    return body["result"] if "result" in body else {"error": body["error"]}

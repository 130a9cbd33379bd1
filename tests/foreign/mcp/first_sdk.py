# mypy: ignore-errors
# (written against another major version than the one we have installed)
"""The official Python SDK before its second version, as its users write it: list, call, meet an error."""

import asyncio
import json
import sys

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from mcp.shared.exceptions import McpError


async def main(url: str, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    changed = asyncio.Event()

    async def hear(message: object) -> None:
        if "ToolListChangedNotification" in repr(message):
            changed.set()

    async with (
        streamablehttp_client(url, headers=headers) as (read, write, _),
        ClientSession(read, write, message_handler=hear) as session,
    ):
        begun = await session.initialize()
        tools = await session.list_tools()
        issue = {"owner": "lin-harbour", "repo": "lighthouse", "title": "From the first SDK"}
        done = await session.call_tool("github_create_issue", issue)
        wrong = await session.call_tool("github_create_issue", {"owner": "lin-harbour"})
        try:
            await session.call_tool("github_nothing", {})
            unknown = ""
        except McpError as error:
            unknown = error.error.message
        said = {
            "revision": begun.protocolVersion,
            "tools": [tool.name for tool in tools.tools],
            "title": done.structuredContent["title"],
            "violations": [each["pointer"] for each in wrong.structuredContent["violations"]],
            "unknown": unknown,
        }
        sys.stdout.write(json.dumps(said))


asyncio.run(main(*sys.argv[1:]))

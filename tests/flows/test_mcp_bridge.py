"""`mandate mcp`: a client that only starts programs lists, calls, hears and is refused as over HTTP."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client as Mcp
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.flows.test_mcp import REVOKE
from tests.support.gateways import GrantedAgent, RunningGateway, agent_with_grant, connected
from tests.support.speaking import ISSUE, REVISIONS

COMMAND = ("-m", "gateway.cli", "mcp")


@pytest.fixture
async def agent(gateway: RunningGateway) -> GrantedAgent:
    owner = gateway.client()
    return await agent_with_grant(owner, (await connected(owner)).id)


def environment(agent: GrantedAgent, url: str | None = None) -> dict[str, str]:
    given = {"MANDATE_URL": url or agent.client.url, "MANDATE_TOKEN": agent.client.token or ""}
    return {**os.environ, **given, "PYTHONPATH": str(Path(__file__).parents[2])}


async def bridged(lines: bytes, environ: dict[str, str], *words: str) -> tuple[int, list[Any], str]:
    """What the program says to these lines; its end; its complaints."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, *COMMAND, *words),
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        said, complained = await running.communicate(lines)
    return running.returncode or 0, [json.loads(line) for line in said.splitlines()], complained.decode()


def line(method: str, **more: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": method, "method": method, **more}).encode() + b"\n"


@pytest.mark.parametrize("revision", REVISIONS)
async def test_the_official_client_works_over_the_bridge(agent: GrantedAgent, revision: str) -> None:
    parameters = StdioServerParameters(command=sys.executable, args=[*COMMAND], env=environment(agent))
    heard: list[float] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    async with Mcp(stdio_client(parameters), mode=REVISIONS[revision]) as mcp:
        assert mcp.protocol_version == revision
        tools = [tool.name for tool in (await mcp.list_tools()).tools]
        done = await mcp.call_tool("github_create_issue", dict(ISSUE), progress_callback=hear)
        wrong = await mcp.call_tool("github_create_issue", {})
    assert "github_create_issue" in tools
    assert not done.is_error, done
    assert heard[0] == 0
    assert wrong.structured_content["code"] == "INVALID_PARAMETERS"


async def test_changes_of_the_list_are_heard_at_both_revisions(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    parameters = StdioServerParameters(command=sys.executable, args=[*COMMAND], env=environment(agent))
    async with Mcp(stdio_client(parameters), mode="2026-07-28") as mcp, mcp.listen(tools_list_changed=True) as events:
        await owner.ask(REVOKE, {"id": agent.grant})
        async with asyncio.timeout(10):
            await anext(aiter(events))


async def test_what_was_asked_before_the_end_is_answered(agent: GrantedAgent) -> None:
    lines = line("ping") + b"\nno JSON\n" + line("tools/call", params={"name": "github_get_account", "arguments": {}})
    code, said, complained = await bridged(lines, environment(agent))
    assert code == 0, complained
    by_id = {each["id"]: each for each in said}
    assert by_id["ping"]["result"] == {}
    assert by_id[None]["error"]["code"] == -32700
    assert by_id["tools/call"]["result"]["isError"] is False


async def test_a_bad_key_and_an_absent_gateway_are_errors_of_the_protocol(agent: GrantedAgent, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("mnd_nonsense\n")
    _, [refused], complained = await bridged(line("ping"), environment(agent), "--token-file", str(key))
    assert refused["id"] == "ping"
    assert refused["error"]["data"]["code"] == "UNAUTHENTICATED"
    _, [absent], _ = await bridged(line("ping"), environment(agent, "http://127.0.0.1:9"))
    assert "cannot be reached" in absent["error"]["message"]
    assert "mnd_" not in complained + str(absent)


async def test_without_a_key_or_with_no_address_it_says_what_to_set(agent: GrantedAgent) -> None:
    environ = environment(agent)
    code, _, complained = await bridged(b"", {**environ, "MANDATE_TOKEN": ""})
    assert (code, complained.count("\n")) == (1, 1)
    assert "MANDATE_TOKEN" in complained
    code, _, complained = await bridged(b"", environ, "--url", "ftp://nowhere")
    assert (code, "http://" in complained) == (1, True)

"""MCP clients that other people wrote meet our door: the conformance suite, the Inspector, the first Python SDK."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from domain.secrets import Secret
from gateway.app import application
from gateway.settings import Settings
from gateway.starting import development
from tests.support.emulate import FOREIGN
from tests.support.gateways import GrantedAgent, RunningGateway, agent_with_grant, connected
from tests.support.node import NODE, CannotInstall, install_locked
from tests.support.servers import new_database
from tests.support.serving import free_listener, serving
from tests.support.venvs import CannotInstall as NoPackages
from tests.support.venvs import python_with

FOLDER = FOREIGN / "mcp"
INSPECTOR = "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
SUITE = "node_modules/@modelcontextprotocol/conformance/dist/index.js"


class Front:
    """Another address of the same gateway, whose every request carries one token: the suite cannot send any."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.token = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            carried = (b"authorization", f"Bearer {self.token}".encode())
            await self._app({**scope, "headers": [*scope["headers"], carried]}, receive, send)
            return
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})


@pytest.fixture(scope="module")
async def front(
    postgres_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    """Where an agent with one grant is let in without a word."""
    listener = free_listener()
    async with new_database(postgres_url, migrated_template) as database:
        folder = tmp_path_factory.mktemp("gateway")
        settings = Settings.model_validate({"database_url": Secret(database), "data_dir": folder})
        async with development(settings, "127.0.0.1", listener.getsockname()[1]) as made:
            app = application(made.plan, made.sandboxes)
            before = Front(app)
            async with serving(app, listener=listener) as url, serving(before) as address:
                owner = RunningGateway(url, made, settings).client()
                agent = await agent_with_grant(owner, (await connected(owner)).id)
                before.token = agent.client.token or ""
                yield f"{address}/mcp"


async def ran(program: str, *words: str) -> tuple[int, str]:
    """A program of the folder: how it ended, and what it said."""
    try:
        await asyncio.to_thread(install_locked, FOLDER)
    except CannotInstall as problem:
        pytest.fail(str(problem), pytrace=False)
    process = await asyncio.create_subprocess_exec(
        NODE, program, *words, cwd=FOLDER, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(90):
        said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


#: Scenarios that ask for nothing we do not offer: the suite's other ones call test tools, prompts and resources.
WHOLE = {
    "2025-11-25": (
        *("server-initialize", "server-session-lifecycle", "ping", "tools-list", "server-sse-polling"),
        *("server-sse-multiple-streams", "dns-rebinding-protection"),
    ),
    "2026-07-28": (
        *("tools-list", "server-sse-multiple-streams", "sep-2164-resource-not-found", "dns-rebinding-protection"),
        *("http-header-validation", "input-required-result-missing-input-response"),
        *("input-required-result-unsupported-methods", "input-required-result-ignore-extra-params"),
        "input-required-result-validate-input",
    ),
}
#: Of these some checks need a test tool, or what we have none of; the suite says so, and nothing else may fail.
PARTLY = {
    "server-stateless": {
        "sep-2575-server-rejects-undeclared-capability",
        "sep-2575-missing-capability-http-400",
        "sep-2575-http-server-no-independent-requests-on-stream",
        "sep-2575-server-no-log-without-loglevel",
    },
    "caching": {
        "sep-2549-prompts-list-caching-hints",
        "sep-2549-resources-list-caching-hints",
        "sep-2549-resources-templates-list-caching-hints",
    },
}


@pytest.mark.parametrize(("revision", "scenario"), [(key, each) for key, names in WHOLE.items() for each in names])
async def test_a_scenario_of_the_conformance_suite_passes(front: str, revision: str, scenario: str) -> None:
    code, said = await ran(SUITE, "server", "--url", front, "--scenario", scenario, "--spec-version", revision)
    assert code == 0, said


@pytest.mark.parametrize("scenario", PARTLY)
async def test_only_what_we_do_not_offer_fails(front: str, scenario: str, tmp_path: Path) -> None:
    words = ("--scenario", scenario, "--spec-version", "2026-07-28", "-o", str(tmp_path))
    await ran(SUITE, "server", "--url", front, *words)
    [report] = tmp_path.glob("*/checks.json")
    checks: list[Any] = json.loads(report.read_text())
    assert {each["id"] for each in checks if each["status"] == "FAILURE"} == PARTLY[scenario]
    assert any(each["status"] == "SUCCESS" for each in checks)


# ----------------------------------------------------------------------------------------------------- the Inspector


@pytest.fixture
async def agent(gateway: RunningGateway) -> GrantedAgent:
    owner = gateway.client()
    return await agent_with_grant(owner, (await connected(owner)).id)


async def inspected(agent: GrantedAgent, *words: str) -> tuple[int, Any]:
    """What the Inspector's command line says, read as JSON."""
    where = (
        f"{agent.client.url}/mcp",
        "--transport",
        "http",
        "--header",
        f"Authorization: Bearer {agent.client.token}",
    )
    code, said = await ran(INSPECTOR, "--cli", *where, *words)
    return code, json.JSONDecoder().raw_decode(said, said.index("{"))[0] if "{" in said else said


async def test_the_inspector_lists_our_tools_and_finds_nothing_wrong_with_them(agent: GrantedAgent) -> None:
    code, said = await inspected(agent, "--method", "tools/list", "--strict")
    assert code == 0, said
    assert "github_create_issue" in [tool["name"] for tool in said["tools"]]


async def test_the_inspector_calls_a_tool_and_shows_an_error(agent: GrantedAgent) -> None:
    issue = ("owner=lin-harbour", "repo=lighthouse", "title=From the Inspector")
    words = ("--method", "tools/call", "--tool-name", "github_create_issue", "--tool-arg")
    code, said = await inspected(agent, *words, *issue)
    assert code == 0, said
    assert said["structuredContent"]["title"] == "From the Inspector"
    _, wrong = await inspected(agent, *words, "owner=lin-harbour")
    assert wrong["isError"] is True
    assert {each["pointer"] for each in wrong["structuredContent"]["violations"]} == {"/repo", "/title"}


# --------------------------------------------------------------------------------------- the first Python SDK


async def test_the_first_python_sdk_lists_calls_and_sees_errors(agent: GrantedAgent) -> None:
    try:
        python = await asyncio.to_thread(python_with, FOLDER / "requirements.txt")
    except NoPackages as problem:
        pytest.fail(str(problem), pytrace=False)
    process = await asyncio.create_subprocess_exec(
        *(python, FOLDER / "first_sdk.py", f"{agent.client.url}/mcp", agent.client.token or ""),
        env={**os.environ, "NO_PROXY": "127.0.0.1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        said, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()
    seen = json.loads(said)
    assert seen["revision"] == "2025-11-25"
    assert "github_create_issue" in seen["tools"]
    assert seen["title"] == "From the first SDK"
    assert set(seen["violations"]) == {"/repo", "/title"}
    assert "There is no such action" in seen["unknown"]

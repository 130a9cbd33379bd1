"""The examples for agents' frameworks run as they stand, with a script in the model's place and no network."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.gateways import RunningGateway, agent_with_grant, connected
from tests.support.venvs import CannotInstall, python_with

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = (
    "openai_agents/openai_agent.py",
    "anthropic_sdk/anthropic_agent.py",
    "langgraph/langgraph_agent.py",
    "pydantic_ai/pydantic_ai_agent.py",
)


@pytest.mark.parametrize("is_allowed", [True, False], ids=["allowed", "refused"])
@pytest.mark.parametrize("program", PROGRAMS)
async def test_an_example_acts_and_hears_a_refusal(gateway: RunningGateway, program: str, is_allowed: bool) -> None:
    try:
        python = await asyncio.to_thread(python_with, EXAMPLES / "requirements.txt")
    except CannotInstall as problem:
        pytest.fail(str(problem), pytrace=False)
    owner = gateway.client()
    account = await connected(owner, actions=["github.create_issue" if is_allowed else "github.get_account"])
    agent = await agent_with_grant(owner, account.id, actions=["github.create_issue"])
    private = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY") and name != "MODEL"}
    running = await asyncio.create_subprocess_exec(
        *(python, EXAMPLES / program),
        env={
            **private,
            "MANDATE_URL": gateway.url,
            "MANDATE_TOKEN": agent.client.token or "",
            "NO_PROXY": "127.0.0.1",
            "OPENAI_AGENTS_DISABLE_TRACING": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    async with asyncio.timeout(120):
        said, complained = await running.communicate()
    assert running.returncode == 0, complained.decode()
    assert said.decode().startswith("Mandate said: "), said
    wanted = "Lamp is dim" if is_allowed else "needs permissions the account was not asked for"
    assert wanted in said.decode(), said

# mypy: ignore-errors
# ruff: noqa: ARG002, INP001, T201
# (an example beside the project: its packages are not among ours)
"""An agent of the OpenAI Agents SDK that acts through Mandate, over MCP.

    pip install openai-agents
    MANDATE_TOKEN=mnd_… OPENAI_API_KEY=… python openai_agent.py "Open an issue about the dim lamp"

Without OPENAI_API_KEY a script stands in for the model, so that you can watch the way of a call first.
"""

import asyncio
import json
import os
import sys

from agents import Agent, Model, ModelResponse, Runner, Usage, set_tracing_disabled
from agents.mcp import MCPServerStreamableHttp
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

URL = os.environ.get("MANDATE_URL", "http://127.0.0.1:8000")
HEADERS = {"Authorization": f"Bearer {os.environ['MANDATE_TOKEN']}"}


async def main(wish: str) -> None:
    """Every tool of the list is an action that this agent was granted; a refusal is an answer to the model."""
    mandate = MCPServerStreamableHttp(
        params={"url": f"{URL}/mcp", "headers": HEADERS}, client_session_timeout_seconds=60, use_structured_content=True
    )
    model = None if os.environ.get("OPENAI_API_KEY") else Scripted()
    async with mandate:
        agent = Agent(name="worker", instructions="Use the tools.", mcp_servers=[mandate], model=model)
        result = await Runner.run(agent, wish)
    print(result.final_output)


class Scripted(Model):
    """First one call, then a word about its answer."""

    async def get_response(self, system_instructions, input, model_settings, tools, *rest, **more):  # noqa: ANN001, ANN002, ANN003, ANN201
        """As `agents.Model` wants it."""
        answers = [each for each in input if isinstance(each, dict) and each.get("type") == "function_call_output"]
        if not answers:
            issue = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Lamp is dim"}
            said = ResponseFunctionToolCall(
                type="function_call", call_id="call_1", name="github_create_issue", arguments=json.dumps(issue)
            )
        else:
            text = ResponseOutputText(type="output_text", text=f"Mandate said: {answers[-1]['output']}", annotations=[])
            said = ResponseOutputMessage(
                id="msg_1", type="message", role="assistant", status="completed", content=[text]
            )
        return ModelResponse(output=[said], usage=Usage(), response_id=None)

    def stream_response(self, *given, **more):  # noqa: ANN002, ANN003, ANN201
        """Not needed here."""
        raise NotImplementedError


if __name__ == "__main__":
    if not os.environ.get("OPENAI_API_KEY"):
        set_tracing_disabled(disabled=True)
    asyncio.run(main(" ".join(sys.argv[1:]) or "Open an issue about the dim lamp."))

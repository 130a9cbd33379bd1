# mypy: ignore-errors
# ruff: noqa: INP001, T201
# (an example beside the project: its packages are not among ours)
"""A PydanticAI agent that acts through Mandate: each action it was granted becomes a tool, from its JSON Schema.

    pip install pydantic-ai-slim     (with the extra of your model, e.g. `pydantic-ai-slim[anthropic]`)
    MANDATE_TOKEN=mnd_… MODEL=anthropic:claude-sonnet-4-5 python pydantic_ai_agent.py "Open an issue …"

Without MODEL a script stands in for the model, so that you can watch the way of a call first.
"""

import asyncio
import json
import os
import sys
import urllib.request

from pydantic_ai import Agent, RunContext, Tool
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

URL = os.environ.get("MANDATE_URL", "http://127.0.0.1:8000")
HEADERS = {"Authorization": f"Bearer {os.environ['MANDATE_TOKEN']}", "Content-Type": "application/json"}
DEFINITIONS = "{ toolDefinitions(format: JSON_SCHEMA) { name definition } }"
RUN = """
mutation ($call: JSON!, $key: String) {
  executeTool(input: {format: JSON_SCHEMA, call: $call, idempotencyKey: $key}) { answer errors { code message } }
}
"""


def main(wish: str) -> None:
    """Build the tools from what this agent was granted, and run it."""
    tools = [tool(each["name"], each["definition"]) for each in mandate(DEFINITIONS)["toolDefinitions"]]
    agent = Agent(os.environ.get("MODEL") or FunctionModel(scripted), tools=tools)
    print(agent.run_sync(wish).output)


def tool(name: str, schema: dict) -> Tool:
    """A refusal is an answer like any other: it says what to do next."""

    async def run(context: RunContext[None], **arguments: object) -> object:
        asked = {"call": {"name": name, "arguments": arguments}, "key": context.tool_call_id}
        done = (await asyncio.to_thread(mandate, RUN, asked))["executeTool"]
        return done["answer"] or done["errors"]

    return Tool.from_schema(run, name, schema["description"], schema, takes_ctx=True)


def scripted(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:  # noqa: ARG001
    """First one call, then a word about its answer."""
    last = messages[-1].parts[-1]
    if isinstance(last, ToolReturnPart):
        return ModelResponse([TextPart(f"Mandate said: {last.model_response_str()}")])
    issue = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Lamp is dim"}
    return ModelResponse([ToolCallPart("github_create_issue", issue, "call_1")])


def mandate(query: str, variables: dict | None = None) -> dict:
    """One GraphQL request."""
    body = json.dumps({"query": query, "variables": variables or {}}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{URL}/graphql", body, HEADERS), timeout=60) as answer:  # noqa: S310
        said = json.load(answer)
    if "errors" in said:
        raise SystemExit(f"Mandate: {said['errors'][0]['message']}")
    return said["data"]


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "Open an issue about the dim lamp.")

# mypy: ignore-errors
# ruff: noqa: INP001, T201
# (an example beside the project: its packages are not among ours)
"""A LangGraph graph that acts through Mandate: one node asks the model, one runs its calls.

    pip install langgraph            (and the chat model of your choice)
    MANDATE_TOKEN=mnd_… python langgraph_agent.py "Open an issue about the dim lamp"

A script stands in for the model. Any chat model of LangChain fits in its place: `ChatOpenAI(…).bind_tools(tools)`.
"""

import json
import os
import sys
import urllib.request

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.graph import END, START, MessagesState, StateGraph

URL = os.environ.get("MANDATE_URL", "http://127.0.0.1:8000")
HEADERS = {"Authorization": f"Bearer {os.environ['MANDATE_TOKEN']}", "Content-Type": "application/json"}
DEFINITIONS = "{ toolDefinitions(format: JSON_SCHEMA) { definition } }"
RUN = """
mutation ($call: JSON!, $key: String) {
  executeTool(input: {format: JSON_SCHEMA, call: $call, idempotencyKey: $key}) { answer errors { code message } }
}
"""


class Scripted(BaseChatModel):
    """First one call, then a word about its answer."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools, **more):  # noqa: ANN001, ANN003, ANN201, ARG002
        """What a real model would be told of."""
        return self

    def _generate(self, messages, stop=None, run_manager=None, **more):  # noqa: ANN001, ANN003, ANN202, ARG002
        if isinstance(messages[-1], ToolMessage):
            said = AIMessage(f"Mandate said: {messages[-1].content}")
        else:
            issue = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Lamp is dim"}
            said = AIMessage("", tool_calls=[{"name": "github_create_issue", "args": issue, "id": "call_1"}])
        return ChatResult(generations=[ChatGeneration(message=said)])


def main(wish: str) -> None:
    """Build the graph from what this agent was granted, and run it."""
    tools = [each["definition"] for each in mandate(DEFINITIONS)["toolDefinitions"]]
    model = Scripted().bind_tools(tools)

    def ask(state: MessagesState) -> dict:
        return {"messages": [model.invoke(state["messages"])]}

    def act(state: MessagesState) -> dict:
        return {"messages": [run(call) for call in state["messages"][-1].tool_calls]}

    def then(state: MessagesState) -> str:
        return "act" if state["messages"][-1].tool_calls else END

    graph = StateGraph(MessagesState)
    graph.add_node("ask", ask)
    graph.add_node("act", act)
    graph.add_edge(START, "ask")
    graph.add_conditional_edges("ask", then, ["act", END])
    graph.add_edge("act", "ask")
    print(graph.compile().invoke({"messages": [HumanMessage(wish)]})["messages"][-1].content)


def run(call: dict) -> ToolMessage:
    """The model's own name for the call is its idempotency key."""
    asked = {"call": {"name": call["name"], "arguments": call["args"]}, "key": call["id"]}
    done = mandate(RUN, asked)["executeTool"]
    status = "error" if done["errors"] else "success"
    return ToolMessage(json.dumps(done["answer"] or done["errors"]), tool_call_id=call["id"], status=status)


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

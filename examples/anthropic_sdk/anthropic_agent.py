# mypy: ignore-errors
# ruff: noqa: INP001, T201
# (an example beside the project: its packages are not among ours)
"""Claude, by the Anthropic SDK, acting through Mandate: definitions and calls go over GraphQL, as the SDK has them.

    pip install anthropic
    MANDATE_TOKEN=mnd_… ANTHROPIC_API_KEY=… python anthropic_agent.py "Open an issue about the dim lamp"

Without ANTHROPIC_API_KEY a script stands in for the model, so that you can watch the way of a call first.
"""

import json
import os
import sys

import anthropic
import httpx2

URL = os.environ.get("MANDATE_URL", "http://127.0.0.1:8000")
HEADERS = {"Authorization": f"Bearer {os.environ['MANDATE_TOKEN']}"}
DEFINITIONS = "{ toolDefinitions(format: ANTHROPIC) { definition } }"
RUN = "mutation ($call: JSON!) { executeTool(input: {format: ANTHROPIC, call: $call}) { answer } }"


def main(wish: str) -> None:
    """Hand over the definitions, hand back the answers, until the model has nothing more to ask for."""
    model = anthropic.Anthropic(**({} if os.environ.get("ANTHROPIC_API_KEY") else scripted()))
    tools = [each["definition"] for each in mandate(DEFINITIONS)["toolDefinitions"]]
    messages = [{"role": "user", "content": wish}]
    while True:
        said = model.messages.create(model="claude-sonnet-4-5", max_tokens=1024, tools=tools, messages=messages)
        messages.append({"role": "assistant", "content": [each.model_dump(exclude_none=True) for each in said.content]})
        calls = [each for each in said.content if each.type == "tool_use"]
        if not calls:
            print("".join(each.text for each in said.content if each.type == "text"))
            return
        # The block's own id is the idempotency key: a call that is sent twice is done once.
        answers = [mandate(RUN, {"call": call.model_dump(exclude_none=True)}) for call in calls]
        messages.append({"role": "user", "content": [each["executeTool"]["answer"] for each in answers]})


def mandate(query: str, variables: dict | None = None) -> dict:
    """One GraphQL request."""
    body = {"query": query, "variables": variables or {}}
    answer = httpx2.post(f"{URL}/graphql", json=body, headers=HEADERS, timeout=60).json()
    if "errors" in answer:
        raise SystemExit(f"Mandate: {answer['errors'][0]['message']}")
    return answer["data"]


def scripted() -> dict:
    """A transport that answers as the API does: first one call, then a word about its answer."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked = json.loads(request.content)
        last = asked["messages"][-1]["content"]
        if isinstance(last, str):
            issue = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Lamp is dim"}
            block = {"type": "tool_use", "id": "toolu_1", "name": "github_create_issue", "input": issue}
        else:
            block = {"type": "text", "text": f"Mandate said: {last[0]['content']}"}
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": asked["model"],
            "content": [block],
            "stop_reason": "end_turn" if block["type"] == "text" else "tool_use",
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
        return httpx2.Response(200, json=message)

    return {"api_key": "none", "http_client": httpx2.Client(transport=httpx2.MockTransport(answer))}


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "Open an issue about the dim lamp.")

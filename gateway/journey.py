"""One whole journey against a simulated GitHub, made as a user's own programs would make it: over HTTP and a socket.

catalogue → connect (consent page included) → agent → grant → execute → the live events it produced
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from domain.json import Json
from gateway.browsing import Browser, post_json

INTEGRATION = "github"
_PROTOCOL = Subprotocol("graphql-transport-ws")

_CATALOGUE = """
query { integrations { totalCount nodes { name isSandbox authSchemes actions(first: 100) { totalCount } } } }
"""
_CONNECT = """
mutation ($actions: [String!]) {
  connect(input: {integration: "github", authScheme: OAUTH2, actions: $actions, label: "Trying Mandate"}) {
    session { id authorizationUrl requestedScopes explanation } errors { code message }
  }
}
"""
_SESSION = """
query ($id: ID!) {
  node(id: $id) {
    ... on ConnectSession { status error connection { id isSandbox grantedScopes account { label } } }
  }
}
"""
_AGENT = """
mutation ($name: String!) { createAgent(input: {name: $name}) { agent { id name } errors { code message } } }
"""
_KEY = """
mutation ($agent: ID!) {
  createAgentToken(input: {agent: $agent}) { token agentToken { prefix } errors { code message } }
}
"""
_GRANT = """
mutation ($agent: ID!, $connection: ID!, $actions: [String!]!) {
  createGrant(input: {agent: $agent, connection: $connection, permissionLevel: READ_WRITE, allowedActions: $actions}) {
    grant { id permissionLevel effectiveActions { slug } } errors { code message }
  }
}
"""
_EXECUTE = """
mutation ($input: ExecuteInput!) {
  execute(input: $input) {
    execution { id status result durationMs error { code message } }
    errors { code message ... on PermissionDenied { reason } }
  }
}
"""
_WATCH = """
subscription ($connection: ID!, $after: String) {
  executionEvents(connection: $connection, after: $after) { status occurredAt execution { id action { slug } } }
}
"""

_ACTIONS = ["github.list_repos", "github.list_issues", "github.create_issue"]


class JourneyFailed(Exception):
    """A step did not do what it should; the message says which answer came."""


@dataclass(frozen=True, slots=True)
class _Account:
    connection: str
    label: str


class Journey:
    """Prints each step as it happens; `run` tells whether all of them succeeded."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._token = token

    async def run(self) -> bool:
        """The whole journey."""
        print("\n  One journey, from the catalogue to live events:\n", flush=True)
        try:
            await self._catalogue()
            account = await self._connect()
            agent_token = await self._grant(account)
            await self._execute_and_watch(account, agent_token)
        except (JourneyFailed, OSError, KeyError, TypeError) as error:
            print(f"\n  The journey failed: {error}\n", flush=True)
            return False
        print("\n  The journey succeeded.\n", flush=True)
        return True

    async def _catalogue(self) -> None:
        found = await self._ask(_CATALOGUE)
        names = [
            f"{each['name']} ({each['actions']['totalCount']} actions{', SANDBOX' if each['isSandbox'] else ''})"
            for each in found["integrations"]["nodes"]
        ]
        _say("catalogue", ", ".join(names))

    async def _connect(self) -> _Account:
        """As a person: follow the link, consent at the (simulated) service, come back."""
        begun = _done(await self._ask(_CONNECT, {"actions": cast(Json, _ACTIONS)}), "connect")["session"]
        _say("connect", f"asks for: {begun['explanation'].splitlines()[0]}")
        browser = Browser()
        consent = await browser.open(begun["authorizationUrl"])
        back = await browser.press(consent, decision="authorize")
        session = (await self._ask(_SESSION, {"id": begun["id"]}))["node"]
        if session["status"] != "COMPLETED":
            raise JourneyFailed(f"connecting ended as {session['status']} (page {back.status}): {session['error']}")
        connection = session["connection"]
        label = connection["account"]["label"]
        _say("consent", f"connected as {label}{' (SANDBOX account)' if connection['isSandbox'] else ''}")
        return _Account(connection["id"], label)

    async def _grant(self, account: _Account) -> str:
        name = f"journey-{secrets.token_hex(3)}"
        agent = _done(await self._ask(_AGENT, {"name": name}), "createAgent")["agent"]
        issued = _done(await self._ask(_KEY, {"agent": agent["id"]}), "createAgentToken")
        _say("agent", f"{name}, key {issued['agentToken']['prefix']}… (shown once)")
        wanted: Mapping[str, Json] = {
            "agent": agent["id"],
            "connection": account.connection,
            "actions": cast(Json, _ACTIONS),
        }
        grant = _done(await self._ask(_GRANT, wanted), "createGrant")["grant"]
        allowed = ", ".join(each["slug"] for each in grant["effectiveActions"])
        _say("grant", f"{grant['permissionLevel']} on {account.label}: {allowed}")
        return str(issued["token"])

    async def _execute_and_watch(self, account: _Account, agent_token: str) -> None:
        """The owner watches while the agent acts."""
        after = (await self._ask("{ historyCursor }"))["historyCursor"]
        async with connect(self._url.replace("http", "ws", 1) + "/graphql", subprotocols=[_PROTOCOL]) as socket:
            await self._watch(socket, {"connection": account.connection, "after": after})
            repository = await self._first_repository(agent_token)
            owner, _, repo = repository.partition("/")
            parameters: Json = {"owner": owner, "repo": repo, "title": "Hello from an agent"}
            made = await self._run(agent_token, "github.create_issue", parameters)
            _say("execute", f"github.create_issue on {repository}: {made['status']} in {made['durationMs']} ms")
            refused = await self._refused(agent_token, owner, repo)
            _say("refused", refused)
            seen = [await _next_event(socket) for _ in range(4)]
        told = ", ".join(f"{each['execution']['action']['slug']} {each['status']}" for each in seen)
        _say("live events", told)
        if [each["status"] for each in seen] != ["RUNNING", "SUCCEEDED"] * 2:
            raise JourneyFailed("the live events are not the ones that happened")

    async def _watch(self, socket: ClientConnection, variables: Json) -> None:
        await socket.send(
            json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {self._token}"}})
        )
        if json.loads(await socket.recv())["type"] != "connection_ack":
            raise JourneyFailed("the socket was not acknowledged")
        asked = {"id": "watch", "type": "subscribe", "payload": {"query": _WATCH, "variables": variables}}
        await socket.send(json.dumps(asked))

    async def _first_repository(self, agent_token: str) -> str:
        listed = await self._run(agent_token, "github.list_repos", {"limit": 5})
        repositories = [each for each in listed["result"] if not each.get("is_private")]
        name = str(repositories[0]["full_name"])
        _say("execute", f"github.list_repos: {listed['status']}, {len(listed['result'])} repositories")
        return name

    async def _refused(self, agent_token: str, owner: str, repo: str) -> str:
        """What the grant does not name is refused, and says why."""
        body: Json = {"action": "github.create_branch", "parameters": {"owner": owner, "repo": repo, "branch": "x"}}
        answer = (await self._ask(_EXECUTE, {"input": body}, agent_token))["execute"]
        if answer["execution"] is not None:
            raise JourneyFailed("an action outside the grant was executed")
        return f"github.create_branch: {answer['errors'][0]['message']}"

    async def _run(self, agent_token: str, action: str, parameters: Json) -> Any:
        body: Json = {"action": action, "parameters": parameters, "idempotencyKey": secrets.token_hex(8)}
        done = _done(await self._ask(_EXECUTE, {"input": body}, agent_token), "execute")["execution"]
        if done["status"] != "SUCCEEDED":
            raise JourneyFailed(f"{action} ended as {done['status']}: {done['error']}")
        return done

    async def _ask(self, query: str, variables: Mapping[str, Json] | None = None, token: str | None = None) -> Any:
        headers = {"authorization": f"Bearer {token or self._token}"}
        body: Json = {"query": query, "variables": dict(variables or {})}
        answer = cast(Any, await post_json(f"{self._url}/graphql", headers, body))
        if answer.get("errors"):
            raise JourneyFailed(answer["errors"][0]["message"])
        return answer["data"]


def _done(answer: Any, field: str) -> Any:
    payload = answer[field]
    if payload["errors"]:
        raise JourneyFailed(f"{field}: {payload['errors'][0]['message']}")
    return payload


async def _next_event(socket: ClientConnection) -> Any:
    message = json.loads(await socket.recv())
    if message["type"] != "next" or "errors" in message["payload"]:
        raise JourneyFailed(f"the subscription said {message['type']}")
    return message["payload"]["data"]["executionEvents"]


def _say(step: str, words: str) -> None:
    print(f"    {step:12} {words}", flush=True)

"""No secret leaves (promise S1): a journey with real secrets, past an upstream that echoes and fails, and then every
place is looked through: the database, Redis, the logs at DEBUG, answers, error pages.

The controls prove the looking: each place holds something that was put there on purpose, and it is found.
"""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
import redis.asyncio
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters._kit.catalogue import manifest_of, sandbox_module
from domain.callers import Role
from domain.json import Json
from domain.secrets import Secret
from gateway import logs
from tests.support.canaries import Canaries, dumped
from tests.support.gateways import (
    CONNECT,
    CREATE_AGENT,
    CREATE_GRANT,
    CREATE_TOKEN,
    EXECUTE,
    SESSION,
    Client,
    RunningGateway,
    running_gateway,
)
from tests.support.servers import new_database
from tests.support.serving import serving
from tests.support.speaking import posted
from tests.support.visitors import Visitor, visitor

KEY = "ghp_sandbox_lin_repo"
WRONG_KEY = "ghp_" + "w" * 36
METRICS = "metrics-token-canary-0123456789"
OIDC = "oidc-client-secret-canary-0123456789"
REPOSITORY = {"owner": "lin-harbour", "repo": "lighthouse"}
AUDIT = "{ auditEvents(first: 100) { nodes { type actor reason error status } } connections { nodes { id status } } }"
FAULTS = ("500", "401", "garbage", "reset", "huge", "lost_answer")
TOKEN = 'mutation { createConnectToken(input: {externalUserId: "kim", integrations: ["github"]}) { token connectUrl } }'


class Echoing:
    """The simulated GitHub, with a habit: whatever it was sent that is secret, it says again wherever there is room."""

    def __init__(self, app: ASGIApp, canaries: Canaries) -> None:
        self._app = app
        self._canaries = canaries

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        echo = headers.get("authorization", "")
        body = b""
        messages: list[Message] = []

        async def heard() -> Message:
            nonlocal body
            message = await receive()
            body += message.get("body", b"")
            return message

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._app(scope, heard, keep)
        self._note(scope["path"], echo, body)
        await _sent(messages, f" {echo} {body.decode(errors='replace')}" if echo else "", send)

    def _note(self, path: str, authorization: str, body: bytes) -> None:
        """What a service gets to see of ours is a secret between the two."""
        if authorization:
            scheme, _, value = authorization.partition(" ")
            self._canaries.plant(f"{scheme} of {len(value)}", value)
        if path.endswith("/access_token"):
            for name, values in parse_qs(body.decode()).items():
                if name in ("code", "code_verifier", "client_secret"):
                    self._canaries.plant(name, values[0])


async def _sent(messages: list[Message], echo: str, send: Send) -> None:
    body = b"".join(each.get("body", b"") for each in messages)
    try:
        body = json.dumps(_echoed(json.loads(body), echo)).encode()
    except ValueError:
        body += echo.encode()
    [start, *_] = messages
    headers = [pair for pair in start["headers"] if pair[0] != b"content-length"]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({**start, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _echoed(value: Any, echo: str) -> Any:
    """Texts that a service may write as it likes: messages, titles, descriptions."""
    if isinstance(value, list):
        return [_echoed(each, echo) for each in value]
    if not isinstance(value, dict):
        return value
    roomy = ("message", "title", "body", "description", "error_description")
    return {
        name: f"{each}{echo}" if name in roomy and isinstance(each, str) else _echoed(each, echo)
        for name, each in value.items()
    }


@dataclass
class Stage:
    """Everything that is watched."""

    gateway: RunningGateway
    canaries: Canaries
    upstream: str
    redis_url: str


@asynccontextmanager
async def _staged(postgres_url: str, template: str, redis_url: str, folder: Path) -> AsyncIterator[Stage]:
    canaries = Canaries()
    echoing = Echoing(sandbox_module("github").sandbox(folder / "github.json"), canaries)
    box = manifest_of("github").sandbox
    assert box
    async with (
        serving(echoing) as upstream,
        new_database(postgres_url, template) as address,
        running_gateway(
            address,
            folder,
            redis_url=redis_url,
            file=_file(upstream, box.client_id, box.client_secret),
            metrics_token=Secret(METRICS),
            oidc_client_secret=Secret(OIDC),
        ) as running,
    ):
        for name in ("master.key", "development.key"):
            lines = [each for each in (folder / name).read_text().splitlines() if not each.startswith("-----")]
            canaries.plant(name, lines[0].rpartition(":")[2])
        canaries.plant("metrics token", METRICS)
        canaries.plant("OIDC client secret", OIDC)
        canaries.plant("API key", KEY)
        canaries.plant("refused API key", WRONG_KEY)
        yield Stage(running, canaries, upstream, redis_url)


def _file(upstream: str, client_id: str, client_secret: str) -> Json:
    service: Json = {
        "client_id": client_id,
        "client_secret": client_secret,
        "base_url": upstream,
        "authorize_url": f"{upstream}/login/oauth/authorize",
        "token_url": f"{upstream}/login/oauth/access_token",
        "sandbox": False,
    }
    return {"integrations": {"github": service}, "egress": {"allow": ["127.0.0.0/8"]}}


class Listener(logging.Handler):
    """Everything that any library logs, at any level."""

    def __init__(self, canaries: Canaries) -> None:
        super().__init__(logging.DEBUG)
        self._canaries = canaries

    def emit(self, record: logging.LogRecord) -> None:
        """With arguments put in, and the exception with its chain; without what the tests' own clients log here."""
        is_ours = record.name.startswith("httpcore") or (
            record.name == "httpx2" and "/access_token" not in str(record.args)
        )
        if is_ours:
            return
        text = logging.Formatter("%(name)s %(message)s").format(record)
        self._canaries.see("logs", f"{text} {record.args!r}")

    def heard(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Ours, as they would be written."""
        self._canaries.see("logs", repr(dict(event)))
        raise structlog.DropEvent


@asynccontextmanager
async def _overheard(stage: Stage) -> AsyncIterator[None]:
    """Logs and Redis, while something happens."""
    listener, root = Listener(stage.canaries), logging.getLogger()
    before, level = structlog.get_config(), root.level
    root.addHandler(listener)
    root.setLevel(logging.DEBUG)
    structlog.configure(
        processors=[logs.redact, logs.without_locals, listener.heard],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        cache_logger_on_first_use=False,
    )
    client = redis.asyncio.from_url(stage.redis_url)
    channel = client.pubsub()
    await channel.psubscribe("*")
    hearing = asyncio.create_task(_channelled(channel, stage.canaries))
    try:
        yield
        await client.publish("mandate-test-end", "end")
        await asyncio.wait_for(hearing, 10)
        for key in await client.keys("*"):
            stage.canaries.see("redis", key)
            stage.canaries.see("redis", await client.dump(key) or b"")
    finally:
        hearing.cancel()
        await client.aclose()
        structlog.configure(**before)
        root.removeHandler(listener)
        root.setLevel(level)


async def _channelled(channel: Any, canaries: Canaries) -> None:
    async for message in channel.listen():
        canaries.see("redis", repr(message))
        if message["channel"] == b"mandate-test-end":
            return


async def _answered(stage: Stage, client: Client, query: str, variables: Any = None) -> Any:
    """Ask, and keep the whole answer, headers and all."""
    answer = await client.post(query, variables)
    stage.canaries.see("GraphQL", repr(dict(answer.headers)) + answer.text)
    return answer.json()["data"]


async def _told_once(client: Client, query: str, variables: Any = None) -> Any:
    """Answers that are meant to tell a secret, to the one who asked, once."""
    return (await client.post(query, variables)).json()["data"]


async def _connected(stage: Stage, owner: Client, person: Visitor) -> str:
    wish = {"input": {"integration": "github", "actions": ["github.create_issue"]}}
    session = (await _answered(stage, owner, CONNECT, wish))["connect"]["session"]
    await person.open(session["authorizationUrl"])
    assert person.at
    page = person.at.headers["location"]
    state = parse_qs(urlsplit(page).query)["state"][0]
    stage.canaries.plant("state", state)
    person.at = await person.http.get(page)
    form = person.form()
    back = await person.http.post(page, data={**form.fields, "decision": "authorize"})
    arrived = await person.http.get(back.headers["location"])
    stage.canaries.see("pages", repr(dict(arrived.headers)) + arrived.text)
    stage.canaries.see("pages", (await person.http.get(back.headers["location"])).text)  # a second time: refused
    for cookie in person.http.cookies.jar:
        stage.canaries.plant(f"cookie {cookie.name[:12]}", str(cookie.value))
    ended = (await _answered(stage, owner, SESSION, {"id": session["id"]}))["node"]
    return str(ended["connection"]["id"])


async def _agent(stage: Stage, owner: Client, connection: str) -> Client:
    agent = (await _answered(stage, owner, CREATE_AGENT, {"input": {"name": "worker"}}))["createAgent"]["agent"]["id"]
    token = (await _told_once(owner, CREATE_TOKEN, {"input": {"agent": agent}}))["createAgentToken"]["token"]
    stage.canaries.plant("agent's key", token)
    grant = {"agent": agent, "connection": connection, "permissionLevel": "FULL", "approval": "NEVER"}
    await _answered(stage, owner, CREATE_GRANT, {"input": grant})
    return Client(owner.url, token)


async def _executed(stage: Stage, agent: Client) -> None:
    """Successes, refusals and every failure, over both doors."""
    for action, parameters in (
        ("github.get_account", {}),
        ("github.create_issue", {**REPOSITORY, "title": "A lamp"}),
        ("github.create_issue", {**REPOSITORY, "repo": "nowhere", "title": "A lamp"}),
        ("github.create_issue", {**REPOSITORY}),
    ):
        await _answered(stage, agent, EXECUTE, {"input": {"action": action, "parameters": parameters}})
    async with httpx2.AsyncClient(trust_env=False) as http:
        for fault in FAULTS:
            wish = {"kind": fault, "match": "* /repos/*", "megabytes": 12}
            assert (await http.post(f"{stage.upstream}/_sandbox/faults", json=wish)).is_success
            parameters = {**REPOSITORY, "title": fault}
            request = {"action": "github.create_issue", "parameters": parameters}
            await _answered(stage, agent, EXECUTE, {"input": request})
    call: Any = {"name": "github_create_issue", "arguments": {**REPOSITORY, "title": "By MCP"}}
    for params in (call, {**call, "arguments": {}}):
        answer = await posted(agent, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        stage.canaries.see("MCP", repr(dict(answer.headers)) + answer.text)


async def _at_the_page(stage: Stage, owner: Client, person: Visitor) -> None:
    """The connect page, with a wrong key and a right one."""
    made = (await _told_once(owner, TOKEN))["createConnectToken"]
    stage.canaries.plant("connect token", made["token"])
    await person.open(made["connectUrl"])
    for key in (WRONG_KEY, KEY):
        answer = await person.send(person.form("credential.token"), credential__token=key)
        stage.canaries.see("pages", repr(dict(answer.headers)) + answer.text)
    for cookie in person.http.cookies.jar:
        stage.canaries.plant(f"cookie {cookie.name[:12]}", str(cookie.value))


async def _signed_in(stage: Stage, person: Visitor) -> None:
    links = stage.gateway.made.plan.links
    assert links
    token = stage.gateway.made.issuer.issue("harbour", "ada", [Role.OWNER])
    code = links.issue(Secret(token))
    stage.canaries.plant("one-time link", code)
    stage.canaries.plant("caller's token", token)
    answer = await person.open(f"{stage.gateway.url}/login?once={code}")
    stage.canaries.see("pages", answer.text)
    for cookie in person.http.cookies.jar:
        stage.canaries.plant(f"cookie {cookie.name[:12]}", str(cookie.value))
    headers = {"x-mandate-csrf": "1"}
    asked = await person.http.post(f"{stage.gateway.url}/graphql", json={"query": AUDIT}, headers=headers)
    stage.canaries.see("GraphQL", asked.text)


async def _malformed(stage: Stage) -> None:
    """Requests that are refused before they are understood, with a secret where it does not belong."""
    secret = stage.canaries.secrets["agent's key"]
    wrong = Client(stage.gateway.url, secret[:-1] + ("0" if secret[-1] != "0" else "1"))
    stage.canaries.see("GraphQL", (await wrong.post("{ viewer { subject } }")).text)
    async with httpx2.AsyncClient(trust_env=False) as http:
        for path in ("/oauth/callback?state=x&code=y", "/oauth/start/x", "/connect/x", "/login?once=x", "/metrics"):
            answer = await http.get(f"{stage.gateway.url}{path}")
            stage.canaries.see("pages", repr(dict(answer.headers)) + answer.text)


@pytest.fixture(scope="module")
async def stage(
    postgres_url: str, migrated_template: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stage]:
    """After the whole journey."""
    folder = tmp_path_factory.mktemp("canaries")
    async with _staged(postgres_url, migrated_template, redis_url, folder) as made, _overheard(made):
        owner = made.gateway.client(tenant="harbour")
        async with visitor() as person, visitor() as visiting, visitor() as signing:
            agent = await _agent(made, owner, await _connected(made, owner, person))
            await _executed(made, agent)
            await _at_the_page(made, owner, visiting)
            await _signed_in(made, signing)
        await _malformed(made)
        await _answered(made, owner, AUDIT)
        address = made.gateway.settings.database_url
        assert address
        for table, content in (await dumped(address.reveal())).items():
            made.canaries.see(f"table {table}", content)
        yield made


async def test_no_secret_is_anywhere(stage: Stage) -> None:
    assert stage.canaries.found() == []


async def test_enough_was_watched_and_enough_was_seen(stage: Stage) -> None:
    names = set(stage.canaries.secrets)
    assert len(names) >= 12, names
    assert {"agent's key", "API key", "connect token", "code", "code_verifier", "client_secret", "state"} <= names
    assert any(name.startswith("Bearer") for name in names), "the access token, as the service saw it"
    assert {"logs", "redis", "GraphQL", "MCP", "pages", "table credentials"} <= set(stage.canaries.places)
    assert all(any(seen) for place, seen in stage.canaries.places.items() if not place.startswith("table"))


async def test_a_secret_that_is_there_is_found(stage: Stage) -> None:
    """The controls: in each place something stands that we know, and it is found in whatever spelling."""
    known = Canaries(places=stage.canaries.places)
    known.plant("the account", "lin-harbour")
    assert {"the account in GraphQL", "the account in pages", "the account in table connections"} <= set(known.found())
    for spelling in (KEY, KEY[::-1], base64.b64encode(f"a:{KEY}".encode()).decode(), KEY.encode().hex()):
        planted = Canaries(secrets={"key": KEY}, places={"somewhere": [f"x {spelling} y".encode()]})
        assert planted.found() == ["key in somewhere"]


async def test_logs_and_redis_are_really_heard(stage: Stage) -> None:
    heard = Canaries(secrets={"control": "control-canary"})
    inner = Stage(stage.gateway, heard, stage.upstream, stage.redis_url)
    async with _overheard(inner):
        logging.getLogger("some.library").debug("said %s", "control-canary")
        client = redis.asyncio.from_url(stage.redis_url)
        await client.publish("control", "control-canary")
        await client.set("control", "control-canary", ex=60)
        await client.aclose()
    assert heard.found() == ["control in logs", "control in redis"]

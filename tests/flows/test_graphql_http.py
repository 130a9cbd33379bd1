"""GraphQL over HTTP to the letter: media types and their statuses, GET where it is safe, listed documents, cost."""

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import pytest

from domain.errors import Misconfigured
from domain.json import Json
from gateway.doors.asking import trusted
from schema.build import schema
from schema.kept import ABOUT_THE_TENANT, CATALOGUE_ONLY
from tests.support.gateways import EXECUTE, Client, RunningGateway, agent_with_grant, connected, running_gateway
from tests.support.servers import new_database

VIEWER = "{ viewer { subject } }"
STRICT = "application/graphql-response+json"
CREATE = 'mutation { createAgent(input: {name: "by GET"}) { agent { id } } }'
CATALOGUE = """
{ integrations(first: 5) { totalCount pageInfo { hasNextPage } edges { cursor node {
  id slug name description category tier authSchemes documentationUrl isSandbox credentialSchema callbackUrl
  actions(first: 3) { totalCount nodes {
    id slug title description effect isIdempotent requiredScopes parametersSchema resultSchema digest
    integration { slug }
  } }
} } } }
"""


@pytest.fixture(scope="module")
async def owner(gateway: RunningGateway) -> Client:
    return gateway.client()


async def post(client: Client, body: Json, accept: str = "*/*", **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False) as http:
        return await http.post(
            f"{client.url}/graphql", json=body, headers={**client.headers, "accept": accept, **headers}
        )


async def get(client: Client, parameters: dict[str, str], **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False) as http:
        address = f"{client.url}/graphql?{urlencode(parameters)}"
        return await http.get(address, headers={**client.headers, **headers})


# ------------------------------------------------------------------------------------------------ statuses


@pytest.mark.parametrize(
    ("query", "strict_status"),
    [
        (VIEWER, 200),
        ("{ viewer", 400),
        ("{ nothing }", 400),
        ("query ($id: ID!) { node(id: $id) { id } }", 400),
        ('{ connections(after: "nonsense") { totalCount } }', 200),
        ("query A { viewer { subject } } query B { viewer { roles } }", 400),
    ],
)
async def test_the_strict_media_type_tells_by_its_status_whether_the_request_was_run(
    owner: Client, query: str, strict_status: int
) -> None:
    strict = await post(owner, {"query": query}, STRICT)
    assert (strict.status_code, strict.headers["content-type"]) == (strict_status, STRICT)
    lenient = await post(owner, {"query": query}, "application/json")
    assert (lenient.status_code, lenient.headers["content-type"]) == (200, "application/json")
    assert lenient.json() == strict.json()


async def test_several_operations_need_a_name(owner: Client) -> None:
    document = "query A { viewer { subject } } query B { viewer { roles } }"
    answer = (await post(owner, {"query": document})).json()
    assert "operationName" in answer["errors"][0]["message"]
    named = (await post(owner, {"query": document, "operationName": "B"})).json()
    assert named["data"]["viewer"] == {"roles": ["owner"]}
    unknown = await post(owner, {"query": document, "operationName": "C"}, STRICT)
    assert unknown.status_code == 400
    assert "no operation of the name" in unknown.json()["errors"][0]["message"]


# ------------------------------------------------------------------------------------------------ GET


async def test_a_query_may_be_asked_by_get(owner: Client) -> None:
    parameters = {
        "query": "query Find($slug: String!) { integration(slug: $slug) { name } }",
        "variables": json.dumps({"slug": "github"}),
        "operationName": "Find",
    }
    answer = await get(owner, parameters)
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["integration"]["name"] == "GitHub"


async def test_nothing_is_changed_by_get(owner: Client) -> None:
    answer = await get(owner, {"query": CREATE})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert (await owner.ask("{ agents { totalCount } }"))["agents"]["totalCount"] == 0


async def test_nothing_is_changed_by_get_whichever_operation_is_named(owner: Client) -> None:
    document = VIEWER.replace("{", "query Safe {", 1) + CREATE.replace("mutation", "mutation Unsafe")
    assert (await get(owner, {"query": document, "operationName": "Safe"})).status_code == 200
    assert (await get(owner, {"query": document, "operationName": "Unsafe"})).status_code == 405
    assert (await get(owner, {"query": document}, accept=STRICT)).status_code == 400


async def test_a_get_needs_a_token_as_well(gateway: RunningGateway) -> None:
    assert (await get(Client(gateway.url, None), {"query": VIEWER})).status_code == 401


@pytest.mark.parametrize("parameters", [{}, {"query": ""}, {"query": VIEWER, "variables": "{"}, {"variables": "{}"}])
async def test_a_wrong_address_is_refused_as_a_bad_request(owner: Client, parameters: dict[str, str]) -> None:
    assert (await get(owner, parameters)).status_code == 400


async def test_what_is_already_known_is_not_sent_again(owner: Client) -> None:
    first = await get(owner, {"query": CATALOGUE})
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    again = await get(owner, {"query": CATALOGUE}, **{"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    other = await get(owner, {"query": VIEWER}, **{"if-none-match": tag})
    assert other.status_code == 200


async def test_a_subscription_is_not_answered_over_plain_http(owner: Client) -> None:
    document = "subscription { auditEvents { id } }"
    assert (await post(owner, {"query": document})).status_code == 400
    assert (await get(owner, {"query": document})).status_code == 400


# ------------------------------------------------------------------------------------------------ cost, keys


async def test_an_answer_says_what_it_was_counted_as_when_asked(owner: Client) -> None:
    query = "{ agents(first: 20) { nodes { name grants(first: 10) { nodes { id permissionLevel } } } } }"
    answer = (await post(owner, {"query": query, "extensions": {"cost": True}})).json()
    assert answer["extensions"] == {"cost": {"counted": 462, "allowed": 10_000}}
    assert "extensions" not in (await post(owner, {"query": query})).json()


async def test_the_same_idempotency_key_in_the_header_is_the_same_execution(owner: Client) -> None:
    agent = (await agent_with_grant(owner, (await connected(owner)).id)).client
    issue: Json = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Once"}
    body: Json = {"query": EXECUTE, "variables": {"input": {"action": "github.create_issue", "parameters": issue}}}
    answers = [(await post(agent, body, **{"idempotency-key": "one"})).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["data"]["execute"]["execution"]["idempotencyKey"] == "one"


# ------------------------------------------------------------------------------------------------ kept answers


async def test_a_kept_answer_is_what_would_be_computed(gateway: RunningGateway) -> None:
    """Two tenants as different as can be, and an agent: whatever is listed as the same for everybody is."""
    rich, poor = gateway.client(), gateway.client()
    agent = (await agent_with_grant(rich, (await connected(rich)).id)).client
    await rich.ask('mutation { setIntegrationEnabled(input: {slug: "slack", isEnabled: false}) { errors { code } } }')
    computed = CATALOGUE.replace("slug name", "slug isEnabled name")
    answers = [(await client.ask(computed)) for client in (rich, poor, agent)]
    for answer in answers:
        for edge in answer["integrations"]["edges"]:
            del edge["node"]["isEnabled"]
    kept = [await client.ask(CATALOGUE) for client in (rich, poor, agent, rich, poor, agent)]
    assert all(each == answers[0] for each in [*answers, *kept])


async def test_what_is_a_tenants_own_is_not_kept(gateway: RunningGateway) -> None:
    owner = gateway.client()
    switch = """mutation ($on: Boolean!) {
      setIntegrationEnabled(input: {slug: "slack", isEnabled: $on}) { errors { code } }
    }"""
    for wanted in (False, True, False):
        await owner.ask(switch, {"on": wanted})
        found = await owner.ask('{ integration(slug: "slack") { name isEnabled } }')
        assert found["integration"]["isEnabled"] is wanted
    only = "{ integrations(isConnected: true) { totalCount } }"
    assert (await owner.ask(only))["integrations"]["totalCount"] == 0
    await connected(owner)
    assert (await owner.ask(only))["integrations"]["totalCount"] == 1


async def test_a_kept_answer_is_not_for_who_is_not_known(gateway: RunningGateway, owner: Client) -> None:
    await owner.ask(CATALOGUE)
    assert (await Client(gateway.url, "nonsense").post(CATALOGUE)).status_code == 401


def test_every_field_that_is_kept_is_one_of_the_schema() -> None:
    types = schema()._schema.type_map
    for name, fields in CATALOGUE_ONLY.items():
        known = set(types[name].fields) | {"__schema", "__type"}  # type: ignore[attr-defined]  # object types
        assert fields <= known, name
    for kind, field, argument in ABOUT_THE_TENANT:
        assert argument in types[kind].fields[field].args  # type: ignore[attr-defined]


def test_every_argument_of_a_kept_query_was_thought_about() -> None:
    fields = schema()._schema.type_map["Query"].fields  # type: ignore[attr-defined]
    listed = {"integrations": {"first", "after", "search", "category", "isConnected"}}
    listed |= {"integration": {"slug"}, "action": {"slug"}}
    for name, arguments in listed.items():
        assert set(fields[name].args) == arguments, f"Is the answer of {name} still the same for everybody?"


# ------------------------------------------------------------------------------------------------ listed documents


@pytest.fixture(scope="module")
async def listing(
    postgres_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Client]:
    """A gateway that runs two documents and no others."""
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "documents.json").write_text(json.dumps({"viewer": VIEWER, _sha256(CATALOGUE): CATALOGUE}))
    file: Json = {"graphql": {"documents": str(folder / "documents.json"), "only_documents": True}}
    async with (
        new_database(postgres_url, migrated_template) as address,
        running_gateway(address, folder, file=file) as running,
    ):
        yield running.client()


def _sha256(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@pytest.mark.parametrize("name", ["viewer", _sha256(VIEWER), _sha256(VIEWER).removeprefix("sha256:")])
async def test_a_listed_document_is_asked_for_by_its_name_or_its_hash(listing: Client, name: str) -> None:
    assert (await post(listing, {"documentId": name})).json() == {"data": {"viewer": {"subject": "ada"}}}
    assert (await get(listing, {"documentId": name})).json() == {"data": {"viewer": {"subject": "ada"}}}


async def test_a_listed_document_may_be_sent_in_full(listing: Client) -> None:
    assert (await post(listing, {"query": VIEWER})).json()["data"] == {"viewer": {"subject": "ada"}}


async def test_no_other_document_is_run(listing: Client) -> None:
    refused = await post(listing, {"query": "{ viewer { roles } }"})
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["extensions"]["code"] == "DOCUMENT_NOT_TRUSTED"
    async with listing.socket() as socket:
        await socket.subscribe("{ viewer { roles } }")
        message = await socket.receive()
        assert (message["type"], message["payload"]) == ("error", refused.json()["errors"])
        await socket.send({"id": "2", "type": "subscribe", "payload": {"documentId": "viewer"}})
        assert (await socket.next())["viewer"] == {"subject": "ada"}


@pytest.mark.parametrize(
    "body", [{"documentId": "unknown"}, {"documentId": 7}, {"documentId": "viewer", "query": VIEWER}]
)
async def test_a_document_that_cannot_be_meant_is_refused(listing: Client, body: Json) -> None:
    assert (await post(listing, body)).status_code == 400


async def test_documents_are_sent_in_full_where_none_are_listed(owner: Client) -> None:
    refused = await post(owner, {"documentId": "viewer"})
    assert refused.json()["errors"][0]["extensions"]["code"] == "DOCUMENT_NOT_FOUND"


def test_a_manifest_of_apollo_is_read_as_well(tmp_path: Path) -> None:
    operations = [{"id": "1", "name": "Viewer", "type": "query", "body": VIEWER}]
    manifest = tmp_path / "manifest.json"
    manifest.write_text(
        json.dumps({"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations})
    )
    assert trusted(manifest, only=True).text("1") == VIEWER


@pytest.mark.parametrize("content", ["", "[]", '{"a": 1}', json.dumps({"sha256:" + "0" * 64: VIEWER})])
def test_a_manifest_that_is_none_is_refused_at_the_start(tmp_path: Path, content: str) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text(content)
    with pytest.raises(Misconfigured, match=r"graphql\.documents"):
        trusted(manifest, only=False)


def test_allowing_only_listed_documents_needs_a_list() -> None:
    with pytest.raises(Misconfigured, match="needs"):
        trusted(None, only=True)

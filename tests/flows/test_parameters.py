"""Wrong input: all mistakes at once, each with its pointer, and nothing is sent."""

import httpx2
import pytest

from domain.json import Json
from tests.support.gateways import Client, RunningGateway, agent_with_grant, connected

ISSUE = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Fog"}


@pytest.fixture(scope="module")
async def owner(gateway: RunningGateway) -> Client:
    return gateway.client()


@pytest.fixture(scope="module")
async def agent(owner: Client) -> Client:
    return (await agent_with_grant(owner, (await connected(owner)).id)).client


async def test_all_mistakes_in_parameters_come_at_once_with_pointers(agent: Client, gateway: RunningGateway) -> None:
    before = await gateway.effects()
    wrong: Json = {"owner": 7, "title": "x" * 5000, "labels": ["ok", 3], "colour": "red"}
    done = await agent.execute("github.create_issue", wrong)
    [error] = done["errors"]
    assert done["execution"] is None
    assert (error["__typename"], error["code"]) == ("InvalidParameters", "INVALID_PARAMETERS")
    assert error["path"] == ["input", "parameters"]
    assert {each["pointer"] for each in error["violations"]} == {"/owner", "/repo", "/title", "/labels/1", "/colour"}
    assert all(each["message"] for each in error["violations"])
    assert await gateway.effects() == before


@pytest.mark.parametrize("parameters", [None, [], "text", 1, True])
async def test_parameters_that_are_no_object_are_refused(agent: Client, parameters: Json) -> None:
    answer = await agent.answer(
        "mutation ($input: ExecuteInput!) { execute(input: $input) { execution { id } errors { code path } } }",
        {"input": {"action": "github.create_issue", "parameters": parameters}},
    )
    if parameters is None:  # a required input that is null is a malformed request
        assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    else:
        assert answer["data"]["execute"]["errors"] == [{"code": "INVALID_PARAMETERS", "path": ["input", "parameters"]}]


async def test_an_unknown_action_is_refused_with_the_nearest_name(agent: Client) -> None:
    done = await agent.execute("github.create_isue", ISSUE)
    [error] = done["errors"]
    assert (error["__typename"], error["path"]) == ("NotFound", ["input", "action"])
    assert error["message"] == "There is no such action. Did you mean github.create_issue?"


@pytest.mark.parametrize("action", ["", ".", "nowhere.do_it", "github", "x" * 100_000, "git\u0000hub.create_issue"])
async def test_an_action_that_resembles_none_is_refused_without_repeating_it(agent: Client, action: str) -> None:
    done = await agent.execute(action, ISSUE)
    [error] = done["errors"]
    assert error["code"] == "NOT_FOUND"
    assert len(error["message"]) < 100


@pytest.mark.parametrize("seconds", [0, -1, 301, 2_147_483_647])
async def test_a_deadline_out_of_bounds_is_refused(agent: Client, seconds: int) -> None:
    done = await agent.execute("github.create_issue", ISSUE, deadlineSeconds=seconds)
    [error] = done["errors"]
    assert (error["code"], error["path"]) == ("INVALID_INPUT", ["input", "deadlineSeconds"])


@pytest.mark.parametrize("key", ["", "x" * 201, "line\nbreak", "nul\u0000"])
async def test_an_unfit_idempotency_key_is_refused(agent: Client, key: str) -> None:
    done = await agent.execute("github.create_issue", ISSUE, idempotencyKey=key)
    [error] = done["errors"]
    assert (error["code"], error["path"]) == ("INVALID_INPUT", ["input", "idempotencyKey"])


@pytest.mark.parametrize("title", ["nul \u0000 inside", "👩‍🚀 ünïcödé", "\u202eright to left"])
async def test_no_text_makes_the_gateway_fail(agent: Client, title: str) -> None:
    answer = await agent.answer(
        "mutation ($input: ExecuteInput!) { execute(input: $input) { execution { status } errors { code } } }",
        {"input": {"action": "github.create_issue", "parameters": {**ISSUE, "title": title}}},
    )
    assert "errors" not in answer or answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST", answer


@pytest.mark.parametrize("number", [2**63, -(2**63), 1.5, True])
async def test_no_number_makes_the_gateway_fail(agent: Client, number: float) -> None:
    parameters: Json = {"owner": "lin-harbour", "repo": "lighthouse", "number": number}
    answer = await agent.answer(
        "mutation ($input: ExecuteInput!) { execute(input: $input) { execution { status } errors { code } } }",
        {"input": {"action": "github.get_issue", "parameters": parameters}},
    )
    code = answer["errors"][0]["extensions"]["code"] if "errors" in answer else ""
    assert code in ("", "BAD_REQUEST"), answer


@pytest.mark.parametrize(
    "query",
    [
        "query ($t: String) { connections(search: $t) { totalCount } }",
        "query ($t: String) { agents(search: $t) { totalCount } }",
        "query ($t: String) { integrations(search: $t) { totalCount } }",
        "query ($t: String) { connections(integration: $t) { totalCount } }",
        "query ($t: String) { executions(integration: $t, action: $t) { nodes { id } } }",
        "query ($t: String) { auditEvents(integration: $t) { nodes { id } } }",
        "query ($t: String!) { auditEvents(types: [$t]) { nodes { id } } }",
    ],
)
@pytest.mark.parametrize("text", ["nul \u0000", "%_\\%", "' OR 1=1 --", "x" * 50_000])
async def test_no_filter_text_makes_the_gateway_fail(owner: Client, query: str, text: str) -> None:
    answer = await owner.answer(query, {"t": text})
    if "errors" in answer:
        assert answer["errors"][0]["extensions"]["code"] in ("BAD_REQUEST", "INVALID_INPUT"), answer
    else:
        assert '"id"' not in str(answer)


@pytest.mark.parametrize("name", ["", " ", "x" * 101, "nul\u0000", "two\nlines"])
async def test_an_unfit_name_of_an_agent_is_refused(owner: Client, name: str) -> None:
    query = "mutation ($n: String!) { createAgent(input: {name: $n}) { agent { id } errors { code path } } }"
    made = (await owner.ask(query, {"n": name}))["createAgent"]
    assert made == {"agent": None, "errors": [{"code": "INVALID_INPUT", "path": ["input", "name"]}]}


@pytest.mark.parametrize("text", ["nul\u0000", "x" * 1001])
async def test_an_unfit_description_of_an_agent_is_refused(owner: Client, text: str) -> None:
    query = 'mutation ($d: String) { createAgent(input: {name: "a", description: $d}) { errors { code path } } }'
    answer = await owner.answer(query, {"d": text})
    assert answer["data"]["createAgent"]["errors"] == [{"code": "INVALID_INPUT", "path": ["input", "description"]}]


@pytest.mark.parametrize("first", [0, -1, 101, 2_147_483_647])
@pytest.mark.parametrize("field", ["connections", "agents", "grants", "executions", "auditEvents", "integrations"])
async def test_a_page_size_out_of_bounds_is_refused(owner: Client, field: str, first: int) -> None:
    answer = await owner.answer(f"{{ {field}(first: {first}) {{ nodes {{ id }} }} }}")
    assert answer["errors"][0]["extensions"]["code"] == "INVALID_INPUT"


@pytest.mark.parametrize("cursor", ["", "nonsense", "aTpub25zZW5zZQ", "ü", "aDox" * 1000, "bjp4", "aTo"])
@pytest.mark.parametrize("field", ["connections", "agents", "grants", "executions", "auditEvents", "integrations"])
async def test_a_cursor_that_is_none_is_refused(owner: Client, field: str, cursor: str) -> None:
    query = f"query ($after: String) {{ {field}(after: $after) {{ nodes {{ id }} }} }}"
    answer = await owner.answer(query, {"after": cursor})
    if (field, cursor) != ("integrations", "bjp4"):  # that one is a cursor of this list
        assert answer["errors"][0]["extensions"]["code"] == "INVALID_INPUT", answer


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00"])
async def test_no_moment_makes_the_gateway_fail(owner: Client, moment: str) -> None:
    query = """query ($t: DateTime) {
      executions(since: $t, until: $t) { nodes { id } }
      auditEvents(since: $t) { nodes { id } }
    }"""
    answer = await owner.answer(query, {"t": moment})
    code = answer["errors"][0]["extensions"]["code"] if "errors" in answer else ""
    assert code in ("", "INVALID_INPUT", "BAD_REQUEST"), answer


async def test_an_agents_name_may_hold_any_printable_text(owner: Client) -> None:
    query = "mutation ($n: String!) { createAgent(input: {name: $n}) { agent { name } errors { code } } }"
    made = (await owner.ask(query, {"n": "  Ünï <script>alert(1)</script> 👩‍🚀 "}))["createAgent"]
    name = made["agent"]["name"] if made["agent"] else None
    assert name in ("Ünï <script>alert(1)</script> 👩‍🚀", None)


@pytest.mark.parametrize(
    "value",
    [b'"half \\ud83d"', b"1" + b"0" * 400, b"NaN", b"[" * 5000, b'"\xff"', b'"\x01"', b'{"a": 1,}'],
)
async def test_what_is_not_json_is_refused_in_one_shape(owner: Client, value: bytes) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.post(
            f"{owner.url}/graphql",
            content=b'{"query": "query ($t: String) { connections(search: $t) { totalCount } }", "variables": {"t": '
            + value
            + b"}}",
            headers={**owner.headers, "content-type": "application/json"},
        )
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_half_a_character_in_a_document_is_a_syntax_error(owner: Client) -> None:
    answer = await owner.answer('{ connections(search: "\\ud83d") { totalCount } }')
    assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"

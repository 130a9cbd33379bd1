"""Services that are asked by POST only, refuse with 200 and take a key without a scheme: GraphQL as many speak it."""

import json

import pytest

from adapters._kit.integration import FolderIntegration, Override
from domain.errors import AnswerGarbled, ReconnectNeeded, Rejected
from tests.adapters.kit.sample import TOKEN, call, in_turn, manifest, reply, setting

FORM = {"sign": "plain", "fields": [{"name": "token", "title": "Token", "description": "Theirs."}]}
CHECK = {"method": "POST", "path": "graphql", "json": {"query": "{ me { id name } }"}}
DESCRIBED = manifest(
    api_key=FORM,
    check={**CHECK, "account": "data.me.id", "label": "data.me.name"},
    answers={"failure": "errors", "error": "errors.*.code", "errors": {"ENDED": "reconnect_needed"}},
)


async def test_the_connection_test_asks_with_a_body_and_the_key_alone() -> None:
    transport = in_turn(reply(200, {"data": {"me": {"id": "1", "name": "Lin"}}}))
    found = await FolderIntegration(DESCRIBED, (), transport, Override(), None).identify(setting())
    assert (found.account.id, found.account.label) == ("1", "Lin")
    (sent,) = transport.requests
    assert (sent.method, json.loads(sent.body or b"")) == ("POST", CHECK["json"])
    assert sent.headers["authorization"] == TOKEN


@pytest.mark.parametrize(
    ("errors", "problem"),
    [([{"code": "ENDED"}], ReconnectNeeded), ([{"code": "ODD"}], Rejected), ([{"message": "prose"}], Rejected)],
)
async def test_errors_beside_data_are_a_refusal(errors: list[dict[str, str]], problem: type[Exception]) -> None:
    transport = in_turn(reply(200, {"data": None, "errors": errors}))
    with pytest.raises(problem):
        await call(transport, DESCRIBED).post("graphql", json={}, harmless=True)


@pytest.mark.parametrize("body", [{"data": {}}, {"data": {}, "errors": []}, {"data": {}, "errors": None}])
async def test_without_errors_it_is_a_yes(body: dict[str, object]) -> None:
    transport = in_turn(reply(200, body))  # type: ignore[arg-type]  # literals of the test
    assert (await call(transport, DESCRIBED).post("graphql", json={})).at("data") == {}


async def test_what_is_no_json_is_no_yes() -> None:
    with pytest.raises(AnswerGarbled):
        await call(in_turn(reply(200, b"<html>")), DESCRIBED).post("graphql", json={})

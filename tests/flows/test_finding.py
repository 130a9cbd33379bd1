"""Finding actions and services through the gateway: what the caller may do goes first, and nothing is hidden."""

from typing import Any

import pytest

from tests.support.gateways import Client, RunningGateway, agent_with_grant, connected

SEARCH = """query ($query: String!, $first: Int) { searchActions(query: $query, first: $first) {
  score action { slug viewerCanExecute }
} }"""
RECOMMEND = """query ($profile: BusinessProfileInput!) { recommendIntegrations(profile: $profile) {
  integration { slug } reason isRequired suggestedActions { slug } requiredScopes
} }"""


async def searched(client: Client, query: str, first: int | None = None) -> list[tuple[str, bool]]:
    """What was found, and whether the caller could execute it."""
    matches = (await client.ask(SEARCH, {"query": query, "first": first}))["searchActions"]
    assert all(0 < each["score"] <= 1 for each in matches)
    return [(each["action"]["slug"], each["action"]["viewerCanExecute"]) for each in matches]


async def test_an_agent_sees_first_what_it_may_do_and_then_what_it_could_be_granted(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id, actions=["github.create_issue"])
    found = await searched(agent.client, "create an issue", first=30)
    assert found[0] == ("github.create_issue", True)
    assert ("github.update_issue", False) in found
    other = await agent_with_grant(owner, account.id, level="READ_ONLY")
    assert dict(await searched(other.client, "create an issue", first=30))["github.create_issue"] is False


async def test_what_is_connected_goes_before_what_fits_a_little_better(gateway: RunningGateway) -> None:
    owner = gateway.client()
    before = await searched(owner, "write a message", first=3)
    assert {can for _, can in before} == {False}
    assert "github" not in {slug.partition(".")[0] for slug, _ in before}


async def test_something_far_off_does_not_go_first_because_it_could_be_done(gateway: RunningGateway) -> None:
    owner = gateway.client()
    await connected(owner)
    found = await searched(owner, "buy a domain")
    assert found[0][0].endswith(".purchase_domain")


@pytest.mark.parametrize(("query", "first"), [("deploy", 0), ("deploy", 51), ("deploy", -1), ("d" * 401, 5)])
async def test_what_cannot_be_asked_is_refused(gateway: RunningGateway, query: str, first: int) -> None:
    answer = await gateway.client().answer(SEARCH, {"query": query, "first": first})
    assert answer["errors"][0]["extensions"]["code"] == "INVALID_INPUT"


async def test_a_question_without_a_word_finds_nothing(gateway: RunningGateway) -> None:
    assert await searched(gateway.client(), "  !? ") == []


async def test_first_is_ten_unless_it_is_said(gateway: RunningGateway) -> None:
    owner = gateway.client()
    assert len(await searched(owner, "list")) == 10
    assert len(await searched(owner, "list", first=3)) == 3


async def recommended(client: Client, **profile: Any) -> dict[str, Any]:
    found = (await client.ask(RECOMMEND, {"profile": profile}))["recommendIntegrations"]
    return {each["integration"]["slug"]: each for each in found}


async def test_a_business_is_told_what_it_needs_and_why(gateway: RunningGateway) -> None:
    found = await recommended(gateway.client(), applicationType="saas", features=["payments"], goToMarket=["seo"])
    assert found["stripe"]["isRequired"]
    assert "“payments”" in found["stripe"]["reason"]
    assert "stripe.set_up_subscription" in {each["slug"] for each in found["stripe"]["suggestedActions"]}
    assert found["vercel"]["requiredScopes"]


@pytest.mark.parametrize("features", [["x" * 201], ["x"] * 51])
async def test_a_profile_beyond_all_measure_is_refused(gateway: RunningGateway, features: list[str]) -> None:
    answer = await gateway.client().answer(RECOMMEND, {"profile": {"applicationType": "saas", "features": features}})
    assert answer["errors"][0]["extensions"]["code"] == "INVALID_INPUT"
    assert answer["errors"][0]["extensions"]["path"] == ["profile", "features"]

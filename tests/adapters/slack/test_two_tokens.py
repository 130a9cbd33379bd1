"""Slack's two tokens of one consent, through a running gateway: the app posts, the person searches."""

from tests.adapters.slack.test_in_the_gateway import by_consent
from tests.foreign.journeys import succeed
from tests.support.gateways import RunningGateway, agent_with_grant

ACTIONS = ("slack.send_message", "slack.search_messages")


async def test_one_consent_lets_the_app_post_and_search_in_the_persons_name(gateway: RunningGateway) -> None:
    owner = gateway.client()
    agent = (await agent_with_grant(owner, await by_consent(owner, *ACTIONS), actions=ACTIONS)).client
    await succeed(agent, "slack.send_message", channel="C0HARBOUR", text="Seals on the slipway")
    found = await succeed(agent, "slack.search_messages", query="slipway")
    assert [each["username"] for each in found] == ["mandate"]

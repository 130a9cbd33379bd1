"""The whole journey to Slack as somebody else wrote it: connect, grant, act, watch, resume."""

from uuid import uuid4

from tests.foreign.journeys import connect_as, seen, story, succeed, told, watching
from tests.support.gateways import Client, RunningGateway, agent_with_grant

ACTIONS = (
    "slack.list_channels",
    "slack.create_channel",
    "slack.send_message",
    "slack.update_message",
    "slack.get_channel_history",
    "slack.list_users",
    "slack.get_user_info",
)


async def test_an_agent_does_a_days_work_while_its_owner_watches(emulate_gateway: RunningGateway) -> None:
    owner = emulate_gateway.client()
    connection = (await connect_as(owner, "slack", ACTIONS, "ada"))["id"]
    agent = (await agent_with_grant(owner, connection)).client
    after = (await owner.ask("{ historyCursor }"))["historyCursor"]

    async with watching(owner, connection, after) as socket:
        await _work(agent, f"pier-{uuid4().hex[:12]}")
        events = await seen(socket, 2 * len(ACTIONS))
    async with watching(owner, connection, events[2]["cursor"]) as socket:
        resumed = await seen(socket, 2 * len(ACTIONS) - 3)

    assert told(events) == story(ACTIONS)
    assert resumed == events[3:]


async def test_a_workspace_is_named_and_only_the_scopes_asked_for_are_granted(emulate_gateway: RunningGateway) -> None:
    connection = await connect_as(emulate_gateway.client(), "slack", ["slack.list_channels"], "grace")
    assert connection["account"]["label"] == "Harbour Works"
    assert connection["grantedScopes"] == ["channels:read"]


async def test_an_action_beyond_the_granted_scopes_is_refused_before_it_leaves(emulate_gateway: RunningGateway) -> None:
    owner = emulate_gateway.client()
    connection = (await connect_as(owner, "slack", ["slack.list_channels"], "ada"))["id"]
    agent = (await agent_with_grant(owner, connection)).client
    payload = await agent.execute("slack.list_users", {})
    assert payload["execution"] is None
    assert payload["errors"][0]["missingScopes"] == ["users:read"], payload


async def _work(agent: Client, name: str) -> None:
    """Seven actions, each building on the ones before."""
    channels = await succeed(agent, "slack.list_channels")
    assert "harbour" in {channel["name"] for channel in channels}
    channel = (await succeed(agent, "slack.create_channel", name=name))["id"]
    posted = await succeed(agent, "slack.send_message", channel=channel, text="Tide & time")
    await succeed(agent, "slack.update_message", channel=channel, ts=posted["ts"], text="Tide and time")
    history = await succeed(agent, "slack.get_channel_history", channel=channel)
    assert "Tide and time" in {message["text"] for message in history}
    people = {person["name"]: person["id"] for person in await succeed(agent, "slack.list_users")}
    assert (await succeed(agent, "slack.get_user_info", user=people["grace"]))["real_name"] == "Grace Moor"

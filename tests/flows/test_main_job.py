"""The main job: connect, grant, execute, watch."""

from tests.support.gateways import RunningGateway, agent_with_grant, connected

WATCH = """
subscription ($connection: ID!, $after: String) {
  executionEvents(connection: $connection, after: $after) { cursor status execution { id status action { slug } } }
}
"""
ISSUE = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Lamp is dim"}


async def test_an_agent_acts_on_a_connected_account_while_its_owner_watches(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    after = (await owner.ask("{ historyCursor }"))["historyCursor"]
    async with owner.socket() as socket:
        await socket.subscribe(WATCH, {"connection": account.id, "after": after})
        done = await agent.client.execute("github.create_issue", ISSUE)
        seen = [(await socket.next())["executionEvents"] for _ in range(2)]
    assert done["execution"]["status"] == "SUCCEEDED", done
    assert done["execution"]["result"]["title"] == "Lamp is dim"
    assert [event["status"] for event in seen] == ["RUNNING", "SUCCEEDED"]
    assert {event["execution"]["id"] for event in seen} == {done["execution"]["id"]}


async def test_the_history_tells_who_did_what_and_parameters_only_as_a_hash(gateway: RunningGateway) -> None:
    owner = gateway.client()
    account = await connected(owner)
    agent = await agent_with_grant(owner, account.id)
    await agent.client.execute("github.create_issue", {**ISSUE, "title": "Only the hash of this"})
    query = "{ auditEvents(first: 100) { nodes { type actor action parametersHash status } } }"
    answer = await owner.post(query)
    events = answer.json()["data"]["auditEvents"]["nodes"]
    assert [event["type"] for event in reversed(events)] == [
        "connect_session.opened",
        "connection.activated",
        "connect_session.completed",
        "agent.created",
        "agent.token_created",
        "grant.created",
        "execution.started",
        "execution.succeeded",
    ]
    assert "Only the hash of this" not in answer.text
    assert events[0]["parametersHash"] == events[1]["parametersHash"]

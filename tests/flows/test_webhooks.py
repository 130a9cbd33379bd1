"""Webhooks: signed, in order, nothing left out, and honest about what could not be delivered."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from standardwebhooks import Webhook

from domain.callers import Role
from domain.json import Json
from gateway.rekeying import rotate
from tests.flows.ageing import Ageing, ageing
from tests.support.fleets import fleet
from tests.support.gateways import ERRORS, Client, RunningGateway, running_gateway
from tests.support.receivers import Behaviour, Receiver, receiving
from tests.support.servers import new_database

WEBHOOK = "webhook { id url status types cursor lastDeliveredAt failingSince retryAt lastError }"
CREATE = f"mutation ($input: CreateWebhookInput!) {{ createWebhook(input: $input) {{ secret {WEBHOOK} {ERRORS} }} }}"
UPDATE = f"mutation ($input: UpdateWebhookInput!) {{ updateWebhook(input: $input) {{ {WEBHOOK} {ERRORS} }} }}"
DELETE = f"mutation ($input: DeleteWebhookInput!) {{ deleteWebhook(input: $input) {{ {WEBHOOK} {ERRORS} }} }}"
REPLAY = f"mutation ($input: ReplayWebhookInput!) {{ replayWebhook(input: $input) {{ {WEBHOOK} {ERRORS} }} }}"
ROTATE = f"""mutation ($input: RotateWebhookSecretInput!) {{
  rotateWebhookSecret(input: $input) {{ secret {WEBHOOK} {ERRORS} }}
}}"""
LIST = f"{{ webhooks {{ totalCount nodes {{ {WEBHOOK.removeprefix('webhook')[2:-1]} }} }} }}"
DELIVERIES = """query ($webhook: ID, $status: WebhookDeliveryStatus) {
  webhookDeliveries(webhook: $webhook, status: $status) {
    nodes { eventId type status attempts responseStatus error retryAt replayAfter }
  }
}"""
NEW_AGENT = "mutation ($name: String!) { createAgent(input: {name: $name}) { agent { id } } }"
ALERTS = "{ alerts { nodes { kind status message whatToDo webhookId } } }"


@pytest.fixture(scope="module")
async def gateway(
    postgres_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningGateway]:
    """One whose operator allows webhooks on this machine."""
    file: Json = {"egress": {"allow": ["127.0.0.0/8"]}}
    async with (
        new_database(postgres_url, migrated_template) as address,
        running_gateway(address, tmp_path_factory.mktemp("gateway"), file=file) as running,
    ):
        yield running


@pytest.fixture
def owner(gateway: RunningGateway) -> Client:
    return gateway.client()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


async def _created(owner: Client, url: str, *types: str) -> Any:
    made = (await owner.ask(CREATE, {"input": {"url": url, "types": list(types) or None}}))["createWebhook"]
    assert made["errors"] == [], made
    return made


async def _agents(owner: Client, *names: str) -> list[str]:
    """Something happens: ids of agents that were made, one after another."""
    return [(await owner.ask(NEW_AGENT, {"name": name}))["createAgent"]["agent"]["id"] for name in names]


def _told(receiver: Receiver) -> list[str]:
    """The agents that messages were about, in the order they came."""
    return [each.event["agentId"] for each in receiver.messages if each.event["type"] == "agent.created"]


async def _tried_now(database: Ageing, webhook: str, *, days: int = 0) -> None:
    """What waits for its next attempt has waited long enough; and it began to fail so many days earlier."""
    changed = "UPDATE webhooks SET retry_at = now(), failing_since = failing_since - $2 * interval '1 day'"
    await database.connection.execute(f"{changed} WHERE id = $1", UUID(hex=webhook.partition("_")[2]), days)


async def _until(owner: Client, query: str, is_so: Any, variables: Any = None) -> Any:
    """Ask until the answer is so. What is waited for happens in the background, soon."""
    async with asyncio.timeout(20):
        while True:
            data = await owner.ask(query, variables)
            if is_so(data):
                return data
            await asyncio.sleep(0.05)


async def test_a_message_is_signed_by_the_standard_and_is_the_audit_event(owner: Client, receiver: Receiver) -> None:
    made = await _created(owner, receiver.url)
    [message] = await receiver.heard(1)
    told = Webhook(made["secret"]).verify(message.body, dict(message.headers))
    assert message.headers["content-type"] == "application/json"
    assert message.headers["webhook-id"] == told["data"]["id"]
    assert (told["type"], told["timestamp"]) == ("webhook.created", told["data"]["occurredAt"])
    assert told["data"]["webhookId"] == made["webhook"]["id"]
    fields = await owner.ask('{ __type(name: "AuditEvent") { fields { name } } }')
    assert set(told["data"]) == {each["name"] for each in fields["__type"]["fields"]}
    asked = f'{{ auditEvents(types: ["webhook.created"]) {{ nodes {{ {" ".join(told["data"])} }} }} }}'
    [event] = (await owner.ask(asked))["auditEvents"]["nodes"]
    del event["occurredAt"], told["data"]["occurredAt"]  # the same moment, written by two hands
    assert event == told["data"]


async def test_events_come_in_order_and_only_those_asked_for(owner: Client, receiver: Receiver) -> None:
    await _created(owner, receiver.url, "agent.*")
    made = await _agents(owner, *"abcdefgh")
    await receiver.heard(8)
    assert _told(receiver) == made
    assert {each.event["type"] for each in receiver.messages} == {"agent.created"}


@pytest.mark.parametrize("fault", [500, 400, "drop", "garbage", "redirect"])
async def test_what_is_not_accepted_is_sent_again_and_what_follows_waits(
    owner: Client, receiver: Receiver, database: Ageing, fault: Behaviour
) -> None:
    receiver.answers.append(fault)
    hook = (await _created(owner, receiver.url, "agent.*"))["webhook"]["id"]
    made = await _agents(owner, "a", "b", "c")
    await receiver.heard(1)
    found = await _until(owner, DELIVERIES, lambda data: data["webhookDeliveries"]["nodes"], {"webhook": hook})
    [waiting] = found["webhookDeliveries"]["nodes"]
    assert (waiting["status"], waiting["attempts"]) == ("RETRYING", 1)
    assert waiting["responseStatus"] == {"redirect": 307}.get(str(fault), fault if isinstance(fault, int) else None)
    assert waiting["error"]
    await _tried_now(database, hook)
    messages = await receiver.heard(4)
    assert _told(receiver) == [made[0], *made]
    assert messages[0].headers["webhook-id"] == messages[1].headers["webhook-id"]
    seen = await _until(
        owner, DELIVERIES, lambda data: data["webhookDeliveries"]["nodes"][0]["status"] != "RETRYING", {"webhook": hook}
    )
    [delivered] = seen["webhookDeliveries"]["nodes"]
    assert (delivered["status"], delivered["attempts"], delivered["error"]) == ("DELIVERED", 2, None)


async def test_an_answer_that_never_ends_is_not_waited_for(owner: Client, receiver: Receiver) -> None:
    receiver.answers.append("endless")
    await _created(owner, receiver.url, "agent.*")
    made = await _agents(owner, "a", "b")
    await receiver.heard(2)
    assert _told(receiver) == made


async def test_after_three_days_it_is_given_up_stopped_and_said_and_goes_on_when_it_is_mended(
    owner: Client, receiver: Receiver, database: Ageing
) -> None:
    receiver.always = 500
    hook = (await _created(owner, receiver.url, "agent.*"))["webhook"]["id"]
    made = await _agents(owner, "a", "b")
    await _until(owner, LIST, lambda data: data["webhooks"]["nodes"][0]["retryAt"])
    await _tried_now(database, hook, days=3)
    stopped = await _until(owner, LIST, lambda data: data["webhooks"]["nodes"][0]["status"] == "STOPPED")
    assert stopped["webhooks"]["nodes"][0]["lastError"].startswith("It answered 500")
    alerted = await _until(owner, ALERTS, lambda data: "WEBHOOK_STOPPED" in str(data))
    [alert] = [each for each in alerted["alerts"]["nodes"] if each["kind"] == "WEBHOOK_STOPPED"]
    assert (alert["status"], alert["webhookId"]) == ("OPEN", hook)
    assert "updateWebhook" in alert["whatToDo"]
    [dead] = (await owner.ask(DELIVERIES, {"status": "DEAD"}))["webhookDeliveries"]["nodes"]
    assert (dead["attempts"], dead["retryAt"]) == (2, None)

    receiver.always = 204
    receiver.messages.clear()
    mended = (await owner.ask(UPDATE, {"input": {"id": hook, "isEnabled": True}}))["updateWebhook"]["webhook"]
    assert mended["status"] == "ACTIVE"
    await receiver.heard(1)
    assert _told(receiver) == [made[1]]
    await _until(owner, ALERTS, lambda data: {each["status"] for each in data["alerts"]["nodes"]} == {"CLOSED"})

    await owner.ask(REPLAY, {"input": {"id": hook, "after": dead["replayAfter"]}})
    await receiver.heard(3)
    assert _told(receiver) == [made[1], *made]
    assert receiver.messages[1].headers["webhook-id"] == dead["eventId"]
    await _until(owner, DELIVERIES, lambda data: "DELIVERED" in str(data), {"webhook": hook})


async def test_an_endpoint_that_says_it_is_gone_is_stopped_at_once(owner: Client, receiver: Receiver) -> None:
    receiver.always = 410
    await _created(owner, receiver.url)
    stopped = await _until(owner, LIST, lambda data: data["webhooks"]["nodes"][0]["status"] == "STOPPED")
    assert "410" in stopped["webhooks"]["nodes"][0]["lastError"]


async def test_a_webhook_that_fails_for_an_hour_is_said(owner: Client, receiver: Receiver, database: Ageing) -> None:
    receiver.always = 500
    hook = (await _created(owner, receiver.url, "agent.*"))["webhook"]["id"]
    await _agents(owner, "a")
    await _until(owner, LIST, lambda data: data["webhooks"]["nodes"][0]["failingSince"])
    looked = "SELECT next_look_at < now() + interval '61 minutes' FROM alert_watches JOIN webhooks USING (tenant)"
    assert await database.connection.fetchval(f"{looked} WHERE id = $1", UUID(hex=hook.partition("_")[2]))
    await _tried_now(database, hook, days=1)
    await _agents(owner, "b")  # in place of the hour: something happens, so it is looked at again
    await _until(owner, ALERTS, lambda data: "WEBHOOK_FAILING" in str(data))
    receiver.always = 204
    await _tried_now(database, hook)
    await _until(owner, ALERTS, lambda data: {each["status"] for each in data["alerts"]["nodes"]} == {"CLOSED"})


async def test_a_replay_can_pass_over_what_waits(owner: Client, receiver: Receiver) -> None:
    receiver.answers.append(400)
    hook = (await _created(owner, receiver.url, "agent.*"))["webhook"]["id"]
    await _agents(owner, "poison")
    await _until(owner, LIST, lambda data: data["webhooks"]["nodes"][0]["retryAt"])
    now = (await owner.ask("{ historyCursor }"))["historyCursor"]
    assert (await owner.ask(REPLAY, {"input": {"id": hook, "after": now}}))["replayWebhook"]["errors"] == []
    made = await _agents(owner, "fine")
    await receiver.heard(2)
    assert _told(receiver)[1:] == made


async def test_a_new_secret_signs_beside_the_old_one_for_a_while(owner: Client, receiver: Receiver) -> None:
    made = await _created(owner, receiver.url, "agent.*")
    hook, old = made["webhook"]["id"], made["secret"]
    new = (await owner.ask(ROTATE, {"input": {"id": hook}}))["rotateWebhookSecret"]["secret"]
    await _agents(owner, "a")
    [both] = await receiver.heard(1)
    for each in (old, new):
        Webhook(each).verify(both.body, dict(both.headers))
    assert both.headers["webhook-signature"].count("v1,") == 2
    newest = (await owner.ask(ROTATE, {"input": {"id": hook, "graceSeconds": 0}}))["rotateWebhookSecret"]["secret"]
    await _agents(owner, "b")
    last = (await receiver.heard(2))[1]
    Webhook(newest).verify(last.body, dict(last.headers))
    assert last.headers["webhook-signature"].count("v1,") == 1


async def test_a_paused_webhook_hears_later_and_a_deleted_one_never(owner: Client, receiver: Receiver) -> None:
    hook = (await _created(owner, receiver.url, "agent.*"))["webhook"]["id"]
    await owner.ask(UPDATE, {"input": {"id": hook, "isEnabled": False}})
    made = await _agents(owner, "a", "b")
    await owner.ask(UPDATE, {"input": {"id": hook, "isEnabled": True}})
    await receiver.heard(2)
    assert _told(receiver) == made
    gone = (await owner.ask(DELETE, {"input": {"id": hook}}))["deleteWebhook"]["webhook"]
    assert (gone["status"], gone["url"]) == ("DELETED", "")
    assert (await owner.ask(LIST))["webhooks"]["totalCount"] == 0
    [error] = (await owner.ask(UPDATE, {"input": {"id": hook, "isEnabled": True}}))["updateWebhook"]["errors"]
    assert error["code"] == "NOT_FOUND"


async def test_tenants_hear_of_themselves_alone(gateway: RunningGateway, receiver: Receiver) -> None:
    mine, theirs = gateway.client(), gateway.client()
    hook = (await _created(mine, receiver.url, "agent.*"))["webhook"]["id"]
    await _agents(theirs, "x", "y")
    made = await _agents(mine, "a")
    await receiver.heard(1)
    assert _told(receiver) == made
    for mutation, more in ((UPDATE, {"isEnabled": False}), (DELETE, {}), (ROTATE, {}), (REPLAY, {"after": "aDox"})):
        [answer] = (await theirs.ask(mutation, {"input": {"id": hook, **more}})).values()
        assert [(each["code"], each["path"]) for each in answer["errors"]] == [("NOT_FOUND", ["input", "id"])]
    query = "query ($id: ID!) { node(id: $id) { id } }"
    assert (await theirs.ask(query, {"id": hook}))["node"] is None
    assert (await mine.ask(query, {"id": hook}))["node"] == {"id": hook}
    assert (await theirs.ask(DELIVERIES, {"webhook": hook}))["webhookDeliveries"]["nodes"] == []


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "http://10.0.0.1/hook",
        "https://10.0.0.1/hook",
        "https://169.254.169.254/latest",
        "https://[::1]/hook",
        "https://user:word@example.com/hook",
        "https://example.com/hook#part",
        "ftp://example.com/hook",
        "example.com",
        "https://example.com/" + "x" * 2_000,
        "",
    ],
)
async def test_only_https_to_the_public_internet_is_accepted(owner: Client, url: str) -> None:
    refused = (await owner.ask(CREATE, {"input": {"url": url}}))["createWebhook"]
    assert (refused["webhook"], refused["secret"]) == (None, None)
    assert [(each["code"], each["path"]) for each in refused["errors"]] == [("INVALID_INPUT", ["input", "url"])]


async def test_a_name_that_leads_inside_is_refused_when_it_is_connected_to(
    postgres_url: str, migrated_template: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with (
        new_database(postgres_url, migrated_template) as address,
        running_gateway(address, tmp_path) as strict,
    ):
        owner = strict.client()
        await _created(owner, receiver.url.replace("http://127.0.0.1", "https://localhost"), "agent.*")
        await _agents(owner, "a")
        found = await _until(owner, LIST, lambda data: data["webhooks"]["nodes"][0]["lastError"])
    assert found["webhooks"]["nodes"][0]["lastError"] == "No answer: refused address."
    assert receiver.messages == []


@pytest.mark.parametrize("types", [[], ["*"], ["Agent.*"], ["a"] * 51])
async def test_types_that_cannot_be_are_refused(owner: Client, types: list[str]) -> None:
    asked: Json = {"url": "https://example.com/hook", "types": list[Json](types)}
    refused = (await owner.ask(CREATE, {"input": asked}))["createWebhook"]
    assert [each["path"][:2] for each in refused["errors"]] == [["input", "types"]]


async def test_there_is_an_end_to_how_many_there_can_be(owner: Client) -> None:
    made = await asyncio.gather(
        *(owner.ask(CREATE, {"input": {"url": "https://example.com/h", "types": ["x"]}}) for _ in range(22))
    )
    codes = [[each["code"] for each in one["createWebhook"]["errors"]] for one in made]
    assert sorted(codes) == [[]] * 20 + [["CONFLICT"]] * 2


@pytest.mark.parametrize("role", [Role.MEMBER, Role.AUDITOR])
async def test_only_admins_make_webhooks_and_auditors_may_look(gateway: RunningGateway, role: Role) -> None:
    client = gateway.client(role)
    refused = (await client.ask(CREATE, {"input": {"url": "https://example.com/h"}}))["createWebhook"]
    assert [each["code"] for each in refused["errors"]] == ["PERMISSION_DENIED"]
    answer = await client.answer(LIST)
    assert ("errors" in answer) is (role is Role.MEMBER)


async def test_several_processes_deliver_each_message_once_and_in_order(
    postgres_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory, receiver: Receiver
) -> None:
    folder, file = tmp_path_factory.mktemp("two"), {"egress": {"allow": ["127.0.0.0/8"]}}
    async with (
        new_database(postgres_url, migrated_template) as address,
        running_gateway(address, folder, file=file) as one,
        running_gateway(address, folder, file=file) as other,
    ):
        here, there = one.client(tenant="both"), other.client(tenant="both")
        await _created(here, receiver.url, "agent.*")
        made = [id for n in range(10) for client in (here, there) for id in await _agents(client, f"a{n}")]
        await receiver.heard(20)
        assert _told(receiver) == made


async def test_what_a_process_had_claimed_when_it_died_is_delivered_by_another(
    owner: Client, receiver: Receiver, database: Ageing
) -> None:
    hook = (await _created(owner, receiver.url, "agent.*"))["webhook"]["id"]
    until = "now() + $2 * interval '1 second'"
    claim = f"UPDATE webhooks SET claim = gen_random_uuid(), claimed_until = {until} WHERE id = $1"  # noqa: S608
    id = UUID(hex=hook.partition("_")[2])
    await database.connection.execute(claim, id, 3600)
    made = await _agents(owner, "a", "b")
    await database.connection.execute(claim, id, -1)
    await receiver.heard(2)
    assert _told(receiver) == made


async def test_the_secret_is_told_once_and_lies_sealed(owner: Client, receiver: Receiver, database: Ageing) -> None:
    made = await _created(owner, receiver.url)
    secret = made["secret"].removeprefix("whsec_").encode()
    assert b"whsec_" not in str(await owner.ask(LIST)).encode()
    rows = await database.connection.fetch("SELECT sealed FROM webhook_secrets")
    assert rows
    assert all(secret not in row["sealed"] for row in rows)
    [message] = await receiver.heard(1)
    assert secret not in message.body


async def test_new_data_keys_leave_the_secret_as_it_is(
    gateway: RunningGateway, owner: Client, receiver: Receiver, database: Ageing
) -> None:
    made = await _created(owner, receiver.url, "agent.*")
    id = UUID(hex=made["webhook"]["id"].partition("_")[2])
    key = "SELECT key_id FROM webhook_secrets WHERE webhook_id = $1"
    before = await database.connection.fetchval(key, id)
    assert await rotate(gateway.settings, lambda _: None)
    assert await database.connection.fetchval(key, id) != before
    await _agents(owner, "a")
    [message] = await receiver.heard(1)
    Webhook(made["secret"]).verify(message.body, dict(message.headers))


async def test_after_kill_9_nothing_is_missing_and_the_order_holds(
    postgres_url: str, migrated_template: str, tmp_path: Path, receiver: Receiver
) -> None:
    async with (
        new_database(postgres_url, migrated_template) as address,
        fleet(address, tmp_path) as ships,
        ageing(address) as database,
    ):
        async with ships.process() as first:
            owner = ships.client(first)
            await _created(owner, receiver.url, "agent.*")
            making = asyncio.ensure_future(_agents(owner, *(f"a{n}" for n in range(200))))
            await receiver.heard(20)
            await first.end(signal.SIGKILL)
            with suppress(httpx2.TransportError):
                await making
        async with ships.process() as second:
            owner = ships.client(second)
            await _agents(owner, "the last")
            # A minute has passed. Only now: what the dead process had sent to the database may have been done after it.
            await database.connection.execute("UPDATE webhooks SET claimed_until = now()")
            query = '{ auditEvents(types: ["agent.created"], first: 100) { nodes { agentId } } }'
            made = [each["agentId"] for each in (await owner.ask(query))["auditEvents"]["nodes"]]
            async with asyncio.timeout(20):
                while made[0] not in _told(receiver):
                    await receiver.heard(len(receiver.messages) + 1)
    told = list(dict.fromkeys(_told(receiver)))
    assert told[-len(made) :] == made[::-1]
    assert len(_told(receiver)) - len(told) < 200, "some may come twice"

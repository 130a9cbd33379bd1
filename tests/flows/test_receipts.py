"""A receipt for every finished execution, and a history to take along: checked by the command line alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from domain.json import Json
from tests.support.gateways import Client, agent_with_grant, connected, running_gateway
from tests.support.processes import mandate
from tests.support.servers import new_database

RECEIPT = """query ($id: ID!) { node(id: $id) { ... on Execution {
  receipt createdAt startedAt finishedAt approval { id planHash } action { digest } connection { account { id } }
} } }"""
EVENTS = "query ($id: ID!) { auditEvents(execution: $id) { nodes { type parametersHash } } }"
ISSUE: Json = {"owner": "lin-harbour", "repo": "lighthouse", "title": "A lamp is out"}
DECIDE = """mutation ($input: DecideApprovalInput!) { decideApproval(input: $input) {
  approval { status } errors { message }
} }"""


async def _receipt(client: Client, execution: str) -> Any:
    return (await client.ask(RECEIPT, {"id": execution}))["node"]


async def _verified(folder: Path, receipt: Json, *more: str) -> tuple[int, str]:
    file = folder / "receipt.json"
    file.write_text(json.dumps(receipt))
    ended = await mandate("audit", "verify", str(file), *more)
    return ended.code, ended.out + ended.err


@pytest.fixture
async def address(postgres_url: str, migrated_template: str) -> Any:
    async with new_database(postgres_url, migrated_template) as made:
        yield made


async def test_receipts_and_history_are_checked_by_the_command_line_alone(address: str, tmp_path: Path) -> None:
    async with running_gateway(address, tmp_path) as gateway:
        owner = gateway.client(tenant="acme")
        account = await connected(owner)
        agent = await agent_with_grant(owner, account.id)
        done = (await agent.client.execute("github.list_repos", {}))["execution"]
        assert done["status"] == "SUCCEEDED", done
        node = await _receipt(owner, done["id"])
        receipt, said = node["receipt"], node["receipt"]["statement"]
        assert receipt == (await _receipt(agent.client, done["id"]))["receipt"], "the same whoever asks, and whenever"
        assert (said["execution"], said["agent"], said["grant"]) == (done["id"], agent.agent, agent.grant)
        assert (said["tenant"], said["connection"], said["approval"]) == ("acme", account.id, None)
        assert (said["actionDigest"], said["account"]) == (
            node["action"]["digest"],
            node["connection"]["account"]["id"],
        )
        assert said["outcome"] == {"status": "SUCCEEDED", "error": None}
        events = (await owner.ask(EVENTS, {"id": done["id"]}))["auditEvents"]["nodes"]
        assert {each["parametersHash"] for each in events} == {said["parametersHash"]}
        failed = (await agent.client.execute("github.get_repo", {"owner": "no", "repo": "body"}))["execution"]
        assert (await _receipt(owner, failed["id"]))["receipt"]["statement"]["outcome"]["status"] == "FAILED"

    code, told = await _verified(tmp_path, receipt)
    assert (code, told) == (0, f"The receipt is what was signed, for acme. Signed by the key {receipt['key']}.\n")
    export = tmp_path / "history.jsonl"
    settings = {"DATABASE_URL": address, "MANDATE_DATA_DIR": str(tmp_path)}
    taken = await mandate("audit", "export", "--tenant", "acme", "--out", str(export), **settings)
    assert taken.code == 0, taken.err
    whole = await mandate("audit", "verify", str(export), "--key", receipt["key"])
    assert whole.code == 0, whole.err
    assert "are whole, sealed up to record" in whole.out
    assert "younger" not in whole.out, "a gateway that ends in order leaves nothing unsealed"
    assert (await _verified(tmp_path, receipt, "--against", str(export)))[0] == 0

    changed = {**receipt, "statement": {**said, "account": "somebody else"}}
    assert await _verified(tmp_path, changed) == (1, "The receipt is not what was signed.\n")
    export.write_text(export.read_text().replace('"execution.succeeded"', '"execution.failed"', 1))
    code, told = await _verified(tmp_path, receipt, "--against", str(export))
    assert code == 1
    assert "something was changed" in told
    assert (await mandate("audit", "verify", str(tmp_path / "nowhere"))).code == 1


async def test_a_receipt_names_the_yes_that_it_rests_on(address: str, tmp_path: Path) -> None:
    async with running_gateway(address, tmp_path) as gateway:
        owner = gateway.client()
        account = await connected(owner)
        agent = await agent_with_grant(owner, account.id, approval="ALWAYS")
        asked = (await agent.client.execute("github.list_repos", {}, mode="BACKGROUND"))["execution"]
        before = await _receipt(owner, asked["id"])
        assert (asked["status"], before["receipt"]) == ("AWAITING_APPROVAL", None)
        question = before["approval"]
        after = (await owner.ask("{ historyCursor }"))["historyCursor"]
        async with owner.socket() as watching:
            await watching.subscribe(
                "subscription ($a: String) { executionEvents(after: $a) { status } }", {"a": after}
            )
            wish: Json = {"id": question["id"], "approve": True, "planHash": question["planHash"]}
            assert not (await owner.ask(DECIDE, {"input": wish}))["decideApproval"]["errors"]
            while (await watching.next())["executionEvents"]["status"] != "SUCCEEDED":
                pass
        said = (await _receipt(owner, asked["id"]))["receipt"]["statement"]
        approval = said["approval"]
        assert (approval["id"], approval["planHash"]) == (question["id"], question["planHash"])
        assert (approval["status"], approval["decidedBy"]) == ("APPROVED", "user:ada")
        assert said["actionDigest"]


async def test_settling_an_unknown_execution_gives_a_new_receipt(address: str, tmp_path: Path) -> None:
    async with running_gateway(address, tmp_path) as gateway:
        owner = gateway.client()
        agent = await agent_with_grant(owner, (await connected(owner)).id)
        await gateway.misbehave("lost_answer", "POST /repos/*/issues")
        done = (await agent.client.execute("github.create_issue", ISSUE))["execution"]
        assert done["status"] == "UNKNOWN", done
        first = (await _receipt(owner, done["id"]))["receipt"]["statement"]
        settle = "mutation ($i: ResolveExecutionInput!) { resolveExecution(input: $i) { errors { message } } }"
        await owner.ask(settle, {"i": {"id": done["id"], "happened": True}})
        second = (await _receipt(owner, done["id"]))["receipt"]["statement"]
        assert (first["outcome"]["status"], second["outcome"]["status"]) == ("UNKNOWN", "SUCCEEDED")
        assert second["position"]["ended"] > first["position"]["ended"]


async def test_other_tenants_and_other_agents_get_no_receipt(address: str, tmp_path: Path) -> None:
    async with running_gateway(address, tmp_path) as gateway:
        owner = gateway.client()
        agent = await agent_with_grant(owner, (account := await connected(owner)).id)
        done = (await agent.client.execute("github.list_repos", {}))["execution"]
        assert (await gateway.client().ask(RECEIPT, {"id": done["id"]}))["node"] is None
        other = await agent_with_grant(owner, account.id)
        assert (await other.client.ask(RECEIPT, {"id": done["id"]}))["node"] is None

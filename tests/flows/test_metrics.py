"""`/metrics`: what came in, what became of it, and what it took; for the operator's Prometheus alone."""

import json
from collections.abc import AsyncIterator

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from domain.json import Json
from domain.secrets import Secret
from tests.house.tree import ROOT
from tests.support.gateways import RunningGateway, agent_with_grant, connected, running_gateway
from tests.support.servers import new_database

TOKEN = "canary-metrics-4f1"
ISSUE: Json = {"owner": "lin-harbour", "repo": "lighthouse", "title": "Fog"}


@pytest.fixture(scope="module")
async def measured(
    postgres_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningGateway]:
    async with (
        new_database(postgres_url, migrated_template) as address,
        running_gateway(address, tmp_path_factory.mktemp("gateway"), metrics_token=Secret(TOKEN)) as running,
    ):
        yield running


async def page(gateway: RunningGateway, token: str | None) -> httpx2.Response:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(trust_env=False) as http:
        return await http.get(f"{gateway.url}/metrics", headers=headers)


async def figures(gateway: RunningGateway) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample by its name and the values of its labels."""
    told = await page(gateway, TOKEN)
    assert told.status_code == 200
    return {
        (sample.name, tuple(sorted(sample.labels.values()))): sample.value
        for family in text_string_to_metric_families(told.text)
        for sample in family.samples
    }


async def test_there_is_no_page_where_no_token_was_set(gateway: RunningGateway) -> None:
    assert (await page(gateway, None)).status_code == 404
    assert (await page(gateway, "")).status_code == 404


@pytest.mark.parametrize("token", [None, "", "nonsense", TOKEN[:-1], TOKEN + "x"])
async def test_without_the_token_there_is_nothing_to_see(measured: RunningGateway, token: str | None) -> None:
    refused = await page(measured, token)
    assert (refused.status_code, refused.content) == (404, b"")


async def test_executions_are_counted_and_the_services_time_is_told_apart(measured: RunningGateway) -> None:
    owner = measured.client()
    agent = (await agent_with_grant(owner, (await connected(owner)).id)).client
    before = await figures(measured)
    done = await agent.execute("github.create_issue", ISSUE)
    assert done["execution"]["status"] == "SUCCEEDED"
    missing = await agent.execute("github.get_repo", {"owner": "lin-harbour", "repo": "nowhere"})
    assert missing["execution"]["status"] == "FAILED"
    refused = await owner.execute("slack.post_message", {"channel": "C1", "text": "hello"})
    assert refused["errors"]
    after = await figures(measured)

    def more(name: str, *labels: str) -> float:
        key = (name, tuple(sorted(labels)))
        return after.get(key, 0) - before.get(key, 0)

    assert more("mandate_executions_total", "SUCCEEDED", "") == 1
    assert more("mandate_executions_total", "FAILED", "PROVIDER_NOT_FOUND") == 1
    assert more("mandate_requests_total", "graphql", "200") == 3
    assert more("mandate_upstream_seconds_count", "answered") == 2
    assert more("mandate_overhead_seconds_count", "graphql") == 2
    took, ours = more("mandate_request_seconds_sum", "graphql"), more("mandate_overhead_seconds_sum", "graphql")
    assert 0 < ours < took
    assert sum(value for (name, _), value in after.items() if name == "mandate_refusals_total") >= 1


async def test_sockets_and_those_who_follow_are_counted(measured: RunningGateway) -> None:
    owner = measured.client()
    begin = (await owner.ask("{ historyCursor }"))["historyCursor"]
    watch = "subscription ($after: String) { auditEvents(after: $after) { cursor } }"
    async with owner.socket() as one, owner.socket() as two:
        for socket in (one, two):
            await socket.subscribe(watch, {"after": begin})
        await connected(owner)
        for socket in (one, two):
            await socket.next()
        now = await figures(measured)
    assert now["mandate_sockets", ()] == 2
    assert now["mandate_shared_subscriptions", ()] == 2
    assert now["mandate_subscription_groups", ()] == 1
    assert now["mandate_bus_live", ()] == 1
    assert now["mandate_pool_connections", ()] >= 1


async def test_the_page_tells_nothing_of_whom_it_is_about(measured: RunningGateway) -> None:
    owner = measured.client(tenant="canary-tenant", subject="canary-subject")
    await connected(owner)
    assert "canary" not in (await page(measured, TOKEN)).text


async def test_the_dashboard_shows_figures_that_there_are(measured: RunningGateway) -> None:
    dashboard = (ROOT / "docs" / "grafana.json").read_text()
    names = {name for name, _ in await figures(measured)}
    families = {name.removesuffix("_total").removesuffix("_bucket").removesuffix("_count") for name in names}
    for panel in json.loads(dashboard)["panels"]:
        for target in panel["targets"]:
            asked = {word for word in _words(target["expr"]) if word.startswith(("mandate_", "process_"))}
            known = {each.removesuffix("_total").removesuffix("_bucket").removesuffix("_count") for each in asked}
            assert known, panel["title"]
            assert known <= families, panel["title"]


def _words(expression: str) -> list[str]:
    return "".join(each if each.isalnum() or each == "_" else " " for each in expression).split()

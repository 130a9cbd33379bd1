"""Google Analytics as a newcomer meets it: a running gateway, the practice service, consent, an agent at work."""

import httpx2

from adapters._kit.sandbox_google import google_people
from adapters.google_analytics.sandbox_state import EDIT, HARBOUR, READ
from tests.foreign.journeys import succeed
from tests.support.gateways import CONNECT, SESSION, RunningGateway, agent_with_grant

ACTIONS = ["google_analytics.view_traffic", "google_analytics.set_up_key_events"]


async def test_an_agent_views_traffic_and_sets_up_key_events(gateway: RunningGateway) -> None:
    owner = gateway.client()
    begun = (await owner.ask(CONNECT, {"input": {"integration": "google_analytics", "actions": [*ACTIONS]}}))["connect"]
    assert not begun["errors"], begun
    async with httpx2.AsyncClient(follow_redirects=True, trust_env=False) as browser:
        page = await browser.get(begun["session"]["authorizationUrl"])
        asked = {**page.url.params, "account": google_people()[0].sub, "decision": "authorize"}
        assert (await browser.post(page.url, data=asked)).is_success
    connection = (await owner.ask(SESSION, {"id": begun["session"]["id"]}))["node"]["connection"]
    assert connection["account"]["label"] == "mara@harbour.example"
    assert {READ, EDIT} <= set(connection["grantedScopes"])
    agent = (await agent_with_grant(owner, connection["id"])).client

    (account,) = await succeed(agent, "google_analytics.list_properties")
    assert account["properties"][0]["property_id"] == HARBOUR
    traffic = await succeed(
        agent, "google_analytics.view_traffic", property_id=HARBOUR, period="last_7_days", by=["channel"]
    )
    assert traffic["rows"][0]["part"] == {"channel": "Organic Search"}
    told = {"property_id": HARBOUR, "event_names": ["berth_booked", "sign_up"]}
    assert await succeed(agent, "google_analytics.set_up_key_events", **told) == {
        "created": ["sign_up"],
        "existing": ["berth_booked"],
    }

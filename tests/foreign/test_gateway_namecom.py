"""name.com as its own description tells it: what the gateway sends is understood, with an API key and no OAuth."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from domain.json import Json
from tests.foreign.journeys import succeed
from tests.support.gateways import CONNECT, RunningGateway, agent_with_grant, running_gateway
from tests.support.prism import prism
from tests.support.servers import new_database

DESCRIPTION = Path(__file__).parents[1] / "adapters" / "namecom" / "description.json"
DOMAIN = "lamp-works.com"
PRICE = 12.99
SAMPLES: dict[str, Json] = {
    "username": "harbour-works",
    "domainName": DOMAIN,
    "purchasable": True,
    "premium": True,  # its price is in the offer: Prism takes `DOMAIN:getPricing` for the name of a domain
    "purchaseType": "registration",
    "purchasePrice": PRICE,
    "renewalPrice": 14.99,
    "transferPrice": PRICE,
    "totalPaid": PRICE,
    "order": 7,
    "type": "A",
    "host": "www",
    "answer": "192.0.2.1",
    "ttl": 300,
    "id": 12,
    "nextPage": None,
}
KEY: dict[str, Json] = {"username": "harbour-works", "token": "a-token-for-name.com-0123456789"}
RECORD: dict[str, Json] = {"domain": DOMAIN, "type": "A", "host": "www"}


@pytest.fixture(scope="module")
async def namecom(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with prism(DESCRIPTION, SAMPLES, tmp_path_factory.mktemp("prism")) as address:
        yield address


@pytest.fixture(scope="module")
async def prism_gateway(
    namecom: str, postgres_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningGateway]:
    file: Json = {
        "integrations": {"namecom": {"base_url": namecom, "sandbox": False}},
        "egress": {"allow": ["127.0.0.0/8"]},
    }
    async with (
        new_database(postgres_url, migrated_template) as address,
        running_gateway(address, tmp_path_factory.mktemp("gateway"), file=file) as running,
    ):
        yield running


async def test_everything_the_gateway_sends_fits_the_description(prism_gateway: RunningGateway) -> None:
    owner = prism_gateway.client()
    made = (await owner.ask(CONNECT, {"input": {"integration": "namecom", "credentials": KEY}}))["connect"]
    assert not made["errors"], made
    assert made["connection"]["account"]["label"] == "harbour-works"
    agent = (await agent_with_grant(owner, made["connection"]["id"], "FULL")).client

    account = await succeed(agent, "namecom.get_account")
    found = await succeed(agent, "namecom.search_domains", keyword="lamp")
    free = await succeed(agent, "namecom.check_availability", domains=[DOMAIN])
    bought = await succeed(agent, "namecom.purchase_domain", domain=DOMAIN, max_price=20)
    await succeed(agent, "namecom.set_nameservers", domain=DOMAIN, nameservers=["ns1.example.com", "ns2.example.com"])
    await succeed(agent, "namecom.list_dns_records", domain=DOMAIN)
    written = await succeed(agent, "namecom.create_dns_record", **RECORD, answer="192.0.2.1")
    await succeed(agent, "namecom.upsert_dns_record", **RECORD, values=["192.0.2.2", "192.0.2.3"])
    await succeed(agent, "namecom.delete_dns_record", domain=DOMAIN, record_id=written["id"])

    assert account == {"id": "harbour-works"}
    assert [offer["domain"] for offer in found] == [DOMAIN]
    assert free[0]["purchasable"] is True
    assert (bought["domain"], bought["state"], bought["total_paid"]) == (DOMAIN, "registered", "12.99")


async def test_prism_refuses_what_the_description_does_not_tell(namecom: str) -> None:
    async with httpx2.AsyncClient(auth=("harbour-works", "any"), trust_env=False) as http:
        answer = await http.post(f"{namecom}/core/v1/domains:checkAvailability", json={"domains": [DOMAIN]})
    assert answer.status_code >= 400

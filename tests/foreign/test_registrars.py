"""DNSimple and Cloudflare as Prism plays them, from the outlines of their APIs: everything every action sends is taken.

Neither has an emulator that we know of. Prism refuses what the outline does not describe, keeps no state and answers
with samples; what depends on state is shown against our own sandboxes.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from adapters._kit.catalogue import load_one
from adapters._kit.egress import Egress
from adapters._kit.http import HttpTransport
from adapters._kit.integration import FolderIntegration, Override
from domain.catalogue import Account, AuthScheme, CallSetting, Credential
from domain.json import Json
from domain.secrets import Secret
from tests.support.prism import prism

HERE = Path(__file__).parents[1] / "adapters"
DOMAIN = "lamp-works.com"
ONE: dict[str, Json] = {"domain": DOMAIN}
RECORD: dict[str, Json] = {**ONE, "type": "A", "host": "www"}
WRITTEN: dict[str, Json] = {**RECORD, "answer": "192.0.2.1"}

Calls = list[tuple[str, dict[str, Json]]]

DNSIMPLE: Calls = [
    ("get_account", {}),
    ("list_accounts", {}),
    ("list_contacts", {"limit": 7}),
    ("search_domains", {"keyword": "lamp", "tlds": ["com"]}),
    ("check_availability", {"domains": [DOMAIN]}),
    ("get_pricing", {**ONE, "years": 1}),
    ("purchase_domain", {**ONE, "max_price": 1000, "contact_id": 7}),
    ("get_registration", {**ONE, "registration_id": 7}),
    ("renew_domain", {**ONE, "max_price": 1000}),
    ("list_domains", {}),
    ("get_domain", ONE),
    ("set_nameservers", {**ONE, "nameservers": ["ns1.example.com", "ns2.example.com"]}),
    ("list_zones", {}),
    ("list_dns_records", ONE),
    ("create_dns_record", WRITTEN),
    ("update_dns_record", {**WRITTEN, "record_id": "7"}),
    ("delete_dns_record", {**ONE, "record_id": "7"}),
    ("upsert_dns_record", {**RECORD, "values": ["192.0.2.2"]}),
    ("batch_dns_changes", {**ONE, "creates": [{"type": "A", "host": "www", "answer": "192.0.2.1"}]}),
]
CLOUDFLARE: Calls = [
    ("get_account", {}),
    ("list_accounts", {}),
    ("verify_token", {}),
    ("search_domains", {"keyword": "lamp", "tlds": ["com"]}),
    ("check_availability", {"domains": [DOMAIN]}),
    ("get_pricing", ONE),
    ("purchase_domain", {**ONE, "max_price": 1000}),
    ("get_registration", ONE),
    ("list_domains", {}),
    ("get_domain", ONE),
    ("list_zones", {}),
    ("list_dns_records", ONE),
    ("create_dns_record", WRITTEN),
    ("update_dns_record", {**WRITTEN, "record_id": "0" * 32}),
    ("delete_dns_record", {**ONE, "record_id": "0" * 32}),
    ("upsert_dns_record", {**RECORD, "values": ["192.0.2.2"]}),
]
SAMPLES: dict[str, dict[str, Json]] = {
    "dnsimple": {
        "available": True,
        "premium": False,
        "registration_price": 12.5,
        "renewal_price": 12.5,
        "transfer_price": 12.5,
        "trustee_price": None,
        "minimum_registration": 1,
        "total_pages": 1,
        "type": "A",
        "content": "192.0.2.1",
    },
    "cloudflare": {
        "success": True,
        "registrable": True,
        "tier": "standard",
        "registration_cost": "9.15",
        "renewal_cost": "9.15",
        "currency": "USD",
        "domain_name": DOMAIN,
        "name": DOMAIN,
        "id": "0" * 32,
        "total_pages": 1,
        "type": "A",
        "content": "192.0.2.1",
    },
}


@dataclass(frozen=True)
class Front:
    """The integration in front of somebody's registrar."""

    integration: FolderIntegration
    account: Account
    address: str

    async def run(self, name: str, /, **parameters: Json) -> Any:
        """Run an action as a checked execution would."""
        action = self.integration.actions[f"{self.integration.slug}.{name}"]
        assert action.check(parameters) == ()
        credential = Credential(AuthScheme.API_KEY, {"token": Secret("a-token-of-a-test-0123456789")}, {})
        deadline = datetime.now(UTC) + timedelta(seconds=30)
        setting = CallSetting(credential, self.account, is_sandbox=False, key=uuid4(), deadline_at=deadline)
        return await self.integration.run(action, parameters, setting)


@pytest.fixture(scope="module")
async def way_out() -> AsyncIterator[HttpTransport]:
    async with HttpTransport(Egress.allowing(networks=["127.0.0.0/8"], http=True), version="0") as transport:
        yield transport


@pytest.fixture(scope="module", params=["dnsimple", "cloudflare"])
async def front(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, way_out: HttpTransport
) -> AsyncIterator[Front]:
    slug = request.param
    account = Account("1234" if slug == "dnsimple" else "string", "Harbour Works")  # as Prism calls every account
    async with prism(HERE / slug / "description.json", SAMPLES[slug], tmp_path_factory.mktemp("prism")) as address:
        yield Front(load_one(slug, way_out, Override(base_url=address), None), account, address)


async def test_everything_that_is_sent_is_as_described(front: Front) -> None:
    calls = DNSIMPLE if front.integration.slug == "dnsimple" else CLOUDFLARE
    assert {f"{front.integration.slug}.{name}" for name, _ in calls} == set(front.integration.actions)
    for name, parameters in calls:
        await front.run(name, **parameters)


async def test_prism_refuses_what_the_description_does_not_tell(front: Front) -> None:
    async with httpx2.AsyncClient(headers={"authorization": "Bearer any"}, trust_env=False) as client:
        assert (await client.patch(f"{front.address}/nowhere", json={})).status_code >= 400

"""The vocabulary at work: the same errand at every registrar, through the gateway, its sandboxes and the database."""

from typing import Any

import pytest

from adapters._kit.catalogue import manifest_of
from domain.json import Json
from tests.support.gateways import CONNECT, RunningGateway

MORE: dict[str, dict[str, Json]] = {"namecom": {}, "dnsimple": {"contact_id": 1001}, "cloudflare": {}}


@pytest.mark.parametrize("registrar", MORE)
async def test_search_buy_and_point_is_one_errand_everywhere(gateway: RunningGateway, registrar: str) -> None:
    owner, box = gateway.client(), manifest_of(registrar).sandbox
    assert box is not None
    fields: dict[str, Json] = {**box.try_fields}
    made = (await owner.ask(CONNECT, {"input": {"integration": registrar, "credentials": fields}}))["connect"]
    assert (made["errors"], made["connection"]["status"]) == ([], "ACTIVE")

    async def run(action: str, **parameters: Json) -> Any:
        done = await owner.execute(f"{registrar}.{action}", parameters)
        assert (done["errors"], done["execution"]["status"]) == ([], "SUCCEEDED"), done
        return done["execution"]["result"]

    offers = await run("search_domains", keyword="lighthouse keepers", tlds=["com", "net", "org", "dev"])
    chosen = next(offer for offer in offers if offer["purchasable"])
    limit = float(chosen["purchase_price"])
    assert (await run("check_availability", domains=[chosen["domain"]]))[0]["purchasable"] is True
    await run("purchase_domain", domain=chosen["domain"], max_price=limit, **MORE[registrar])

    [record] = await run(
        "upsert_dns_record", domain="harbour-office.com", type="A", host="shop", values=["203.0.113.9"]
    )
    assert (record["host"], record["answer"], record["ttl"]) == ("shop", "203.0.113.9", 300)
    found = await run("list_dns_records", domain="harbour-office.com")
    assert record in found

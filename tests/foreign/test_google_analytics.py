"""Google Analytics' actions against Prism, made from Google's own descriptions: everything that is sent is understood.

Nobody else's Analytics could be found that keeps state: emulate has none. Prism answers with samples, so what reports
count is tried against our sandbox only.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from adapters._kit.catalogue import load
from adapters._kit.egress import Egress
from adapters._kit.http import HttpTransport
from adapters._kit.integration import Override
from domain.catalogue import AuthScheme, CallSetting, Credential, Integration
from domain.json import Json
from domain.secrets import Secret
from tests.support.prism import prism

DESCRIPTION = Path(__file__).parents[1] / "adapters" / "google_analytics" / "description.json"
SAMPLES: dict[str, Json] = {
    "name": "properties/12/keyEvents/34",
    "account": "accounts/1",
    "property": "properties/12",
    "displayName": "Harbour",
    "createTime": "2026-11-01T08:00:00Z",
    "updateTime": "2026-11-01T08:00:00Z",
    "deleteTime": None,
    "expireTime": None,
    "value": "12",
    "rowCount": 1,
    "remaining": 199_990,
    "nextPageToken": None,
    "apiName": "sessions",
    "type": "TYPE_INTEGER",
    "scope": "EVENT",
    "compatibility": "COMPATIBLE",
    "samplesReadCount": "1",
    "samplingSpaceSize": "2",
}
PROPERTY = {"property_id": "12"}
STREAM = {**PROPERTY, "stream_id": "34"}
PERIODS = [{"start": "28daysAgo", "end": "yesterday"}]
CONDITIONS = [
    {"field": "country", "values": ["Germany", "Portugal"]},
    {"field": "pagePath", "values": ["/a", "/b"], "match": "contains", "is_negated": True},
]
REPORT = {
    "metrics": ["sessions"],
    "dimensions": ["country", "pagePath"],
    "periods": PERIODS,
    "conditions": CONDITIONS,
    "order_by": [{"field": "sessions"}, {"field": "country", "is_descending": False}],
}
EVERY: list[tuple[str, dict[str, Any]]] = [
    ("list_properties", {}),
    ("get_property", PROPERTY),
    ("view_traffic", {**PROPERTY, "by": ["channel"], "country": "Portugal", "compare_with_previous": True}),
    ("view_realtime_traffic", {**PROPERTY, "by": ["page"]}),
    ("run_report", {**PROPERTY, **REPORT, "offset": 10, "with_totals": True}),
    ("batch_run_reports", {**PROPERTY, "reports": [REPORT, REPORT]}),
    ("run_realtime_report", {**PROPERTY, "metrics": ["activeUsers"], "dimensions": ["country"], "from_minutes_ago": 4}),
    (
        "run_pivot_report",
        {**PROPERTY, "metrics": ["sessions"], "periods": PERIODS, "pivots": [{"dimensions": ["city"]}]},
    ),
    ("get_metadata", {**PROPERTY, "containing": "s"}),
    ("check_compatibility", {**PROPERTY, "dimensions": ["country"], "metrics": ["sessions"]}),
    ("list_key_events", PROPERTY),
    ("create_key_event", {**PROPERTY, "event_name": "sign_up", "worth": {"amount": 2.5, "currency": "EUR"}}),
    ("set_up_key_events", {**PROPERTY, "event_names": ["sign_up"]}),
    ("delete_key_event", {**PROPERTY, "key_event_id": "34"}),
    ("list_data_streams", PROPERTY),
    ("create_data_stream", {**PROPERTY, "kind": "web", "name": "Shop", "website": "https://shop.example"}),
    ("create_custom_dimension", {**PROPERTY, "parameter_name": "size", "display_name": "Size"}),
    (
        "create_custom_metric",
        {**PROPERTY, "parameter_name": "fee", "display_name": "Fee", "unit": "currency", "money": "cost"},
    ),
    ("list_event_create_rules", STREAM),
    ("create_event_create_rule", {**STREAM, "new_event": "seen", "conditions": [{"field": "a", "value": "b"}]}),
    (
        "create_audience",
        {**PROPERTY, "display_name": "A", "description": "B", "include": [{"event_name": "c"}]},
    ),
]


@dataclass(frozen=True)
class Front:
    """The integration in front of Prism."""

    integration: Integration
    address: str

    async def run(self, name: str, /, **parameters: Json) -> Any:
        """Run an action as a checked execution would."""
        action = self.integration.actions[f"google_analytics.{name}"]
        assert action.check(parameters) == ()
        credential = Credential(AuthScheme.OAUTH2, {"access_token": Secret("any")}, {})
        deadline = datetime.now(UTC) + timedelta(seconds=30)
        setting = CallSetting(credential, None, is_sandbox=False, key=uuid4(), deadline_at=deadline)
        return await self.integration.run(action, parameters, setting)


@pytest.fixture(scope="module")
async def described(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Front]:
    """Both of Google's hosts at one address: where an operator names one, the others follow."""
    egress = Egress.allowing(networks=["127.0.0.0/8"], http=True)
    async with (
        HttpTransport(egress, version="0") as transport,
        prism(DESCRIPTION, SAMPLES, tmp_path_factory.mktemp("prism")) as address,
    ):
        found = load(transport, {"google_analytics": Override(base_url=address)}, {})
        yield Front(found.integrations["google_analytics"], address)


@pytest.mark.parametrize(("name", "parameters"), EVERY, ids=lambda each: each if isinstance(each, str) else "")
async def test_everything_that_is_sent_fits_the_description(
    described: Front, name: str, parameters: dict[str, Any]
) -> None:
    found = await described.run(name, **parameters)
    assert (found is None) == (name == "delete_key_event")


def test_every_action_is_tried(described: Front) -> None:
    assert {f"google_analytics.{name}" for name, _ in EVERY} == set(described.integration.actions)


async def test_prism_refuses_what_the_description_does_not_tell(described: Front) -> None:
    report = {"metrics": [{"name": "sessions"}], "limit": 12}  # the description says text
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{described.address}/v1beta/properties/12:runReport", json=report)
    assert answer.status_code == 422

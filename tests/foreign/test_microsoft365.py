"""Microsoft 365 against software that we did not write.

Against emulate's Microsoft: our own authorisation request with PKCE, its consent page, our own exchange and refresh,
and who the account is. It has no other part of Graph, no tenant in its addresses, and takes any token.

Against Prism, made from the description of Graph: everything that every action sends is understood. Prism does not
look into uploads, and it answers from the description, so the redirect to a file leads nowhere it could go.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from adapters._kit.egress import Egress
from adapters._kit.http import HttpTransport
from adapters._kit.oauth_transport import OAuthTransport
from domain.catalogue import Account
from domain.json import Json, JsonObject
from domain.secrets import Secret
from tests.adapters.microsoft365.office import integration_on, setting_of
from tests.support.consent import consent
from tests.support.emulate import Emulated, OAuthApp, emulated
from tests.support.prism import prism
from vault.oauth import OAuthClient, authorization_url, new_verifier

DESCRIPTION = Path(__file__).parents[1] / "adapters" / "microsoft365" / "description.json"
APP = OAuthApp("mandate-tests", "microsoft-client-secret-for-tests")
CALLBACK = "http://127.0.0.1:9/microsoft"
ACCOUNT = Account("0a000000-0000-4000-8000-000000000001", "ada@harbour.example")


@pytest.fixture(scope="module")
async def way_out() -> AsyncIterator[HttpTransport]:
    async with HttpTransport(Egress.allowing(networks=["127.0.0.0/8"], http=True), version="0") as transport:
        yield transport


# --------------------------------------------------------------------------------------------------------- emulate


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    app = {
        "client_id": APP.client_id,
        "client_secret": APP.client_secret,
        "name": "Mandate",
        "redirect_uris": [CALLBACK],
    }
    people = [{"email": "ada@harbour.example", "name": "Ada Quay"}]
    seed = {"tokens": {}, "microsoft": {"users": people, "oauth_clients": [app]}}
    with emulated(seed, tmp_path_factory.mktemp("emulate") / "stderr.txt") as running:
        yield running


async def test_consent_exchange_and_refresh_lead_to_the_account(services: Emulated, way_out: HttpTransport) -> None:
    address = services.urls["microsoft"]
    emulated_365 = integration_on(
        way_out,
        base_url=f"{address}/v1.0",
        authorize_url=f"{address}/oauth2/v2.0/authorize",
        token_url=f"{address}/oauth2/v2.0/token",
        client_id=APP.client_id,
        client_secret=Secret(APP.client_secret),
    )
    application, verifier = emulated_365.oauth, new_verifier()
    assert application is not None
    scopes = emulated_365.scopes_for([emulated_365.actions["microsoft365.send_email"]])
    page = authorization_url(application, scopes, "st-1", CALLBACK, verifier)
    answer = parse_qs(urlsplit(await consent(page, "ada@harbour.example")).query)
    assert answer["state"] == ["st-1"]

    client = OAuthClient(OAuthTransport(way_out))
    obtained = await client.exchange(application, "Microsoft 365", answer["code"][0], CALLBACK, verifier)
    assert obtained.scopes == ("offline_access", "User.Read", "Mail.Send")
    refreshed = await client.refresh(application, "Microsoft 365", obtained.credential.secrets["refresh_token"])
    assert refreshed.expires_at is not None
    assert refreshed.expires_at > datetime.now(UTC)
    token = refreshed.credential.secrets["access_token"].reveal()
    identity = await emulated_365.identify(setting_of(token, is_sandbox=False))
    assert identity.account.label == "ada@harbour.example"


# ----------------------------------------------------------------------------------------------------------- Prism

TEAM = "0b000000-0000-4000-8000-000000000001"
CHANNEL: JsonObject = {"team_id": TEAM, "channel_id": "19:harbour@thread.tacv2"}
TIMES = {"starts_after": "2026-11-23T09:00:00+01:00", "ends_before": "2026-11-23T17:00:00+01:00"}
BEGINS = {"starts_at": "2026-11-23T14:00:00+01:00", "ends_at": "2026-11-23T15:00:00+01:00"}
FILE: JsonObject = {"name": "a.txt", "media_type": "text/plain", "content": {"text": "a"}}
TO: Json = ["ben@harbour.example"]
MAIL: JsonObject = {
    "to": TO,
    "subject": "Ropes",
    "body": "New ones.",
    "cc": TO,
    "bcc": TO,
    "reply_to": TO,
    "attachments": [FILE],
}
SAMPLES: dict[str, Json] = {
    "id": "AAMk-1",
    "userPrincipalName": "ada@harbour.example",
    "mail": "ada@harbour.example",
    "dateTime": "2026-11-23T13:00:00.0000000",
    "timeZone": "UTC",
    "receivedDateTime": "2026-11-23T13:00:00Z",
    "createdDateTime": "2026-11-23T13:00:00Z",
    "lastUpdatedDateTime": "2026-11-23T13:00:00Z",
    "lastModifiedDateTime": "2026-11-23T13:00:00Z",
    "contentBytes": "YQ==",
    "joinUrl": "https://teams.example/1",
    "availabilityView": "0022",
    "scheduleId": "ada@harbour.example",
    "responseCode": "ErrorProxyRequestProcessingFailed",
    "@odata.nextLink": None,
}
CALLS: list[tuple[str, dict[str, Json]]] = [
    ("get_account", {}),
    ("list_messages", {"unread_only": True, "sender": "o'brien@ropes.example", "received_after": BEGINS["starts_at"]}),
    ("list_messages", {"folder": None}),
    ("search_messages", {"query": 'from:ben "berth 7"', "folder": "archive"}),
    ("get_message", {"message_id": "AAMk/1="}),
    ("get_thread", {"conversation_id": "AAQk='1'"}),
    ("get_attachment", {"message_id": "AAMk-1", "attachment_id": "AAMk-2"}),
    ("find_sent_email", {"execution": "0" * 32}),
    ("list_mail_folders", {"include_hidden": True}),
    ("send_email", {**MAIL}),
    ("create_draft", {**MAIL, "is_html": True}),
    ("send_draft", {"message_id": "AAMk-1"}),
    ("reply_message", {"message_id": "AAMk-1", "body": "Aye.", "cc": TO, "attachments": [FILE]}),
    ("reply_message", {"message_id": "AAMk-1", "body": "Aye.", "to_all": True}),
    ("forward_message", {"message_id": "AAMk-1", "to": TO, "comment": "See below."}),
    ("update_message", {"message_id": "AAMk-1", "is_read": True, "flag": "complete", "categories": ["Red category"]}),
    ("move_message", {"message_id": "AAMk-1", "folder": "archive"}),
    ("delete_message", {"message_id": "AAMk-1"}),
    ("list_calendars", {}),
    ("list_events", {**TIMES}),
    ("list_events", {**TIMES, "calendar_id": "AAMk-cal"}),
    ("get_event", {"event_id": "AAMk-1"}),
    (
        "create_event",
        {"subject": "Ropes", **BEGINS, "attendees": TO, "is_online_meeting": True, "body": "x", "location": "y"},
    ),
    ("create_event", {"subject": "Ropes", **BEGINS, "calendar_id": "AAMk-cal", "is_all_day": True}),
    ("update_event", {"event_id": "AAMk-1", **BEGINS, "show_as": "oof", "reminder_minutes": 5, "attendees": []}),
    ("delete_event", {"event_id": "AAMk-1"}),
    ("find_free_time", {**TIMES, "attendees": TO}),
    ("list_contacts", {"name_begins": "O'B", "mail": "otto@ropes.example"}),
    ("list_teams", {}),
    ("list_team_channels", {"team_id": TEAM, "name": "General"}),
    ("send_channel_message", {**CHANNEL, "text": "Fog", "subject": "Weather"}),
    ("send_channel_message", {**CHANNEL, "text": "Aye", "reply_to": "1768000000001"}),
    ("list_chats", {}),
    ("list_chat_messages", {"chat_id": "19:pilots@thread.v2"}),
    ("send_chat_message", {"chat_id": "19:pilots@thread.v2", "text": "<p>Ahoy</p>", "is_html": True}),
    ("send_direct_message", {"to": "ben@harbour.example", "text": "Ahoy"}),
    ("list_files", {}),
    ("list_files", {"folder": "Offers 2026"}),
    ("search_files", {"query": "o'brien"}),
    ("read_file", {"path": "Offers/a.txt"}),
    ("upload_file", {"path": "Offers/a.txt", "content": {"text": "a"}, "if_exists": "replace"}),
    ("share_file", {"file_id": "01ABC", "people": TO, "role": "write", "message": "Please sign."}),
    ("create_sharing_link", {"file_id": "01ABC", "audience": "anonymous", "expires_at": BEGINS["starts_at"]}),
]


@pytest.fixture(scope="module")
async def described(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with prism(DESCRIPTION, SAMPLES, tmp_path_factory.mktemp("prism")) as address:
        yield address


@pytest.mark.parametrize(("name", "parameters"), CALLS)
async def test_what_is_sent_is_as_described(
    described: str, way_out: HttpTransport, name: str, parameters: dict[str, Json]
) -> None:
    told = integration_on(way_out, base_url=described)
    action = told.actions[f"microsoft365.{name}"]
    assert action.check(parameters) == ()
    await told.run(action, parameters, setting_of("any", ACCOUNT, is_sandbox=False))


def test_every_action_is_sent(way_out: HttpTransport) -> None:
    assert {f"microsoft365.{name}" for name, _ in CALLS} == set(integration_on(way_out).actions)


async def test_prism_refuses_what_the_description_does_not_tell(described: str) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{described}/me/messages/1/move", json={"DestinationId": 7})
    assert answer.status_code >= 400

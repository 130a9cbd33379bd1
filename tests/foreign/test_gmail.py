"""Gmail against software that we did not write.

Against emulate's Google: our own authorisation request with PKCE, its consent page, our own exchange, refresh and
revocation; then mail with state. It has no profile (so `get_account`, and an answer to all, cannot be run there) and
its userinfo lies at another path (so the connection test cannot either); it takes any token and knows no scopes.

Against Prism, made from Google's descriptions: everything that every action sends is understood, contacts too.
"""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx2
import pytest

from adapters._kit.catalogue import load_one
from adapters._kit.egress import Egress
from adapters._kit.http import HttpTransport
from adapters._kit.integration import FolderIntegration, Override
from adapters._kit.oauth_transport import OAuthTransport
from domain.catalogue import AuthScheme, CallSetting, Credential
from domain.errors import NotThere, ReconnectNeeded
from domain.ids import new_id
from domain.json import Json
from domain.secrets import Secret
from tests.support.consent import consent
from tests.support.emulate import Emulated, OAuthApp, emulated
from tests.support.prism import prism
from vault.oauth import OAuthClient, authorization_url, new_verifier

HERE = Path(__file__).parents[1] / "adapters" / "gmail"
APP = OAuthApp("mandate-tests.apps.googleusercontent.com", "google-client-secret-for-tests")
CALLBACK = "http://127.0.0.1:9/gmail"
ADA = "ada@harbour.example"


@pytest.fixture(scope="module")
async def way_out() -> AsyncIterator[HttpTransport]:
    async with HttpTransport(Egress.allowing(networks=["127.0.0.0/8"], http=True), version="0") as transport:
        yield transport


async def run(service: FolderIntegration, name: str, setting: CallSetting, /, **parameters: Json) -> Any:
    """Run an action as a checked execution would."""
    action = service.actions[f"gmail.{name}"]
    assert action.check(parameters) == ()
    return await service.run(action, parameters, setting)


def setting_of(token: str, refresh: str = "") -> CallSetting:
    secrets = {"access_token": Secret(token), **({"refresh_token": Secret(refresh)} if refresh else {})}
    deadline = datetime.now(UTC) + timedelta(seconds=30)
    credential = Credential(AuthScheme.OAUTH2, secrets, {})
    return CallSetting(credential, None, is_sandbox=False, key=new_id(), deadline_at=deadline)


# --------------------------------------------------------------------------------------------------------- emulate


@pytest.fixture(scope="module")
def google(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulated]:
    app = {**vars(APP), "name": "Mandate", "redirect_uris": [CALLBACK]}
    letter = {
        "id": "msg_tide",
        "thread_id": "thread_tide",
        "user_email": ADA,
        "from": "Jon Reef <jon@harbour.example>",
        "to": ADA,
        "subject": "Tide on Saturday",
        "body_text": "High water is at 06:12.\nGrüße",
        "body_html": "<p>High water is at <b>06:12</b>.</p>",
        "label_ids": ["INBOX", "UNREAD"],
        "date": "2026-11-20T09:00:00.000Z",
        "message_id": "<tide@harbour.example>",
    }
    people = [{"email": ADA, "name": "Ada Quay"}]
    seed = {"tokens": {}, "google": {"users": people, "oauth_clients": [app], "messages": [letter]}}
    with emulated(seed, tmp_path_factory.mktemp("emulate") / "stderr.txt") as running:
        yield running


@pytest.fixture
def gmail(google: Emulated, way_out: HttpTransport) -> FolderIntegration:
    address = google.urls["google"]
    there = Override(
        client_id=APP.client_id,
        client_secret=Secret(APP.client_secret),
        base_url=address,
        authorize_url=f"{address}/o/oauth2/v2/auth",
        token_url=f"{address}/oauth2/token",
        hosts={"oauth": f"{address}/oauth2"},
    )
    return load_one("gmail", way_out, there, None)


@pytest.fixture
async def ada(gmail: FolderIntegration, way_out: HttpTransport) -> CallSetting:
    """Connected as a person would."""
    application, verifier = gmail.oauth, new_verifier()
    assert application is not None
    scopes = gmail.scopes_for([*gmail.actions.values()])
    page = authorization_url(application, scopes, "st-1", CALLBACK, verifier)
    answer = parse_qs(urlsplit(await consent(page, ADA)).query)
    assert answer["state"] == ["st-1"]
    client = OAuthClient(OAuthTransport(way_out))
    obtained = await client.exchange(application, "Gmail", answer["code"][0], CALLBACK, verifier)
    assert obtained.scopes == scopes
    secrets = obtained.credential.secrets
    return setting_of(secrets["access_token"].reveal(), secrets["refresh_token"].reveal())


async def test_a_token_is_refreshed_and_ends_with_its_revocation(
    gmail: FolderIntegration, ada: CallSetting, way_out: HttpTransport
) -> None:
    application, client = gmail.oauth, OAuthClient(OAuthTransport(way_out))
    assert application is not None
    refresh = ada.credential.secrets["refresh_token"]
    refreshed = await client.refresh(application, "Gmail", refresh)
    assert "refresh_token" not in refreshed.credential.secrets
    assert await gmail.revoke(ada)
    with pytest.raises(ReconnectNeeded):
        await client.refresh(application, "Gmail", refresh)


async def test_the_inbox_is_read_and_decoded(gmail: FolderIntegration, ada: CallSetting) -> None:
    found = (await run(gmail, "read_inbox", ada, search="subject:Saturday"))["emails"]
    tide = next(each for each in found if each["id"] == "msg_tide")
    assert (tide["text"], tide["is_from_html"]) == ("High water is at 06:12.\nGrüße", False)
    assert tide["message_id_header"] == "<tide@harbour.example>"
    one = await run(gmail, "get_message", ada, message_id="msg_tide", with_html=True)
    assert "<b>06:12</b>" in one["html"]
    assert {"id": "msg_tide", "thread_id": "thread_tide"} in (await run(gmail, "list_messages", ada))["messages"]


async def test_an_email_is_sent_answered_and_read_again(gmail: FolderIntegration, ada: CallSetting) -> None:
    subject = f"Rope ☀ {uuid4().hex}"
    files: Json = [{"file_name": "rope.csv", "content": {"text": "a,b\n"}}]
    sent = await run(
        gmail,
        "send_email",
        ada,
        to=["jon@harbour.example"],
        cc=["olu@chandlery.example"],
        subject=subject,
        text="Grüße\n",
        html="<p>Grüße</p>",
        attachments=files,
    )
    found = await run(gmail, "get_message", ada, message_id=sent["id"], with_html=True)
    assert (found["subject"], found["text"]) == (subject, "Grüße")
    assert (found["to"], found["cc"]) == ("jon@harbour.example", "olu@chandlery.example")
    (file,) = found["attachments"]
    content = await run(gmail, "get_attachment", ada, message_id=sent["id"], part_id=file["part_id"])
    assert (content["text"], content["file_name"]) == ("a,b\n", "rope.csv")


async def test_an_answer_stays_in_its_conversation(gmail: FolderIntegration, ada: CallSetting) -> None:
    sent = await run(gmail, "reply_to_email", ada, message_id="msg_tide", text="Aye.")
    assert sent["thread_id"] == "thread_tide"
    thread = await run(gmail, "get_thread", ada, thread_id="thread_tide")
    answer = next(each for each in thread["emails"] if each["id"] == sent["id"])
    assert (answer["subject"], answer["to"]) == ("Re: Tide on Saturday", "jon@harbour.example")
    assert "thread_tide" in [each["id"] for each in (await run(gmail, "list_threads", ada))["threads"]]


async def test_a_draft_is_written_and_sent(gmail: FolderIntegration, ada: CallSetting) -> None:
    draft = await run(gmail, "create_draft", ada, to=["jon@harbour.example"], subject="Later", text="…")
    sent = await run(gmail, "send_draft", ada, draft_id=draft["id"])
    assert "SENT" in sent["label_ids"]


async def test_mail_is_labelled_and_thrown_away(gmail: FolderIntegration, ada: CallSetting) -> None:
    sent = await run(gmail, "send_email", ada, to=[ADA], subject="Sort me", text="x")
    label = await run(gmail, "create_label", ada, name=f"Boats {uuid4().hex[:8]}")
    assert label["id"] in [each["id"] for each in await run(gmail, "list_labels", ada)]
    sorted_ = await run(gmail, "modify_message", ada, message_id=sent["id"], add_label_ids=[label["id"], "STARRED"])
    assert {label["id"], "STARRED"} <= set(sorted_["label_ids"])
    thrown = await run(gmail, "trash_message", ada, message_id=sent["id"])
    assert "TRASH" in thrown["label_ids"]
    with pytest.raises(NotThere):
        await run(gmail, "trash_message", ada, message_id="nobody")


# ----------------------------------------------------------------------------------------------------------- Prism

SAMPLES: dict[str, Json] = {
    "id": "m1",
    "threadId": "t1",
    "emailAddress": ADA,
    "internalDate": "1768208400000",
    "labelIds": ["INBOX"],
    "data": "YQ==",
    "resourceName": "people/c1",
    "etag": "%e",
    "nextPageToken": "",
    "messages": [{"id": "m1", "threadId": "t1"}],
    "payload": {
        "headers": [
            {"name": "From", "value": "jon@harbour.example"},
            {"name": "Message-ID", "value": "<a@harbour.example>"},
        ],
        "parts": [
            {"partId": "0", "mimeType": "text/plain", "filename": "", "body": {"size": 1, "data": "YQ=="}},
            {"partId": "1", "mimeType": "text/csv", "filename": "a.csv", "body": {"size": 1, "attachmentId": "x"}},
        ],
    },
}
FILE: Json = {"file_name": "a.txt", "media_type": "text/plain", "content": {"text": "a"}}
MAIL: dict[str, Json] = {"to": [ADA], "subject": "Rope", "text": "Bring some.", "html": "<p>x</p>", "cc": [ADA]}
CALLS: list[tuple[str, dict[str, Json]]] = [
    ("get_account", {}),
    ("read_inbox", {"search": "from:jon", "only_unread": True, "limit": 5}),
    ("read_inbox", {"with_text": False, "page_token": "p2"}),
    ("search_emails", {"search": "in:sent", "include_spam_trash": True}),
    ("find_sent_email", {"execution": "exe_" + "0" * 32}),
    ("list_messages", {"label_ids": ["INBOX", "UNREAD"], "limit": 500}),
    ("get_message", {"message_id": "m1", "with_html": True}),
    ("get_attachment", {"message_id": "m1", "part_id": "1"}),
    ("list_threads", {"search": "rope", "label_ids": ["INBOX"]}),
    ("get_thread", {"thread_id": "t1"}),
    ("send_email", {**MAIL, "bcc": [ADA], "attachments": [FILE]}),
    ("send_email", {**MAIL, "thread_id": "t1", "in_reply_to": "<a@harbour.example>"}),
    ("reply_to_email", {"message_id": "m1", "text": "Aye.", "reply_all": True, "attachments": [FILE]}),
    ("create_draft", {**MAIL, "thread_id": "t1"}),
    ("send_draft", {"draft_id": "r1"}),
    ("modify_message", {"message_id": "m1", "add_label_ids": ["STARRED"], "remove_label_ids": ["UNREAD"]}),
    ("trash_message", {"message_id": "m1"}),
    ("list_labels", {}),
    (
        "create_label",
        {
            "name": "Boats/2026",
            "in_label_list": "labelShowIfUnread",
            "in_message_list": "hide",
            "color": {"text": "#ffffff", "background": "#16a766"},
        },
    ),
    ("list_contacts", {"limit": 1000, "order": "LAST_NAME_ASCENDING", "page_token": "p2"}),
    ("search_contacts", {"query": "jon", "limit": 30}),
    ("create_contact", {"given_name": "Jon", "family_name": "Reef", "emails": [ADA], "phones": ["1"], "notes": "x"}),
    ("create_contact", {"given_name": "Jon", "organization": "Harbour", "job_title": "Pilot"}),
    ("update_contact", {"contact_id": "c1", "etag": "%e", "given_name": "John", "emails": [], "job_title": "Pilot"}),
    ("delete_contact", {"contact_id": "c1"}),
]


@pytest.fixture(scope="module")
async def described(
    way_out: HttpTransport, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[FolderIntegration]:
    """Gmail and contacts in one: their routes and shapes have different names."""
    mail, people = (json.loads((HERE / name).read_text()) for name in ("description.json", "people.json"))
    mail["paths"] |= people["paths"]
    mail["components"]["schemas"] |= people["components"]["schemas"]
    folder = tmp_path_factory.mktemp("prism")
    (folder / "both.json").write_text(json.dumps(mail))
    async with prism(folder / "both.json", SAMPLES, folder) as address:
        yield load_one("gmail", way_out, Override(base_url=address), None)


@pytest.mark.parametrize(("name", "parameters"), CALLS)
async def test_what_is_sent_is_as_described(
    described: FolderIntegration, name: str, parameters: dict[str, Json]
) -> None:
    await run(described, name, setting_of("any"), **parameters)


def test_every_action_is_sent(described: FolderIntegration) -> None:
    assert {f"gmail.{name}" for name, _ in CALLS} == set(described.actions)


async def test_prism_refuses_what_the_description_does_not_tell(described: FolderIntegration) -> None:
    mail = described._base_url(is_sandbox=False)
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{mail}/gmail/v1/users/me/drafts", json={"message": 7})
    assert answer.status_code >= 400

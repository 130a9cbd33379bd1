"""Microsoft 365's facts: who is connected, which scopes, how refusals are read, how it ends."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote, urlsplit

import pytest

from adapters._kit.catalogue import manifest_of
from adapters._kit.http import CannedTransport, Incoming
from adapters.microsoft365.sandbox_seed import ADA
from domain.catalogue import AuthScheme, Category, Effect, Refreshing
from domain.errors import (
    AlreadyThere,
    Forbidden,
    NotThere,
    ProviderProblem,
    ReconnectNeeded,
    Rejected,
    SlowDown,
    Unavailable,
)
from domain.secrets import Secret
from tests.adapters.kit.sample import in_turn
from tests.adapters.microsoft365.office import DESCRIPTION, OFFLINE, Office, integration_on, setting_of

TABLE = (
    *("get_account", "list_messages", "get_message", "send_email", "create_draft", "send_draft", "reply_message"),
    *("update_message", "move_message", "delete_message", "list_mail_folders", "list_calendars", "list_events"),
    *("get_event", "create_event", "update_event", "delete_event", "list_contacts", "list_teams", "list_team_channels"),
    *("send_channel_message", "list_chats", "send_chat_message"),
)


def test_it_says_what_it_is() -> None:
    assert (OFFLINE.name, OFFLINE.category) == ("Microsoft 365", Category.PRODUCTIVITY)
    assert OFFLINE.auth_schemes == (AuthScheme.OAUTH2,)
    assert OFFLINE.oauth is None


def test_every_curated_action_is_there_and_described() -> None:
    assert {f"microsoft365.{name}" for name in TABLE} <= set(OFFLINE.actions)
    assert len(OFFLINE.actions) == 37
    for action in OFFLINE.actions.values():
        assert len(action.description.splitlines()) > 2, action.slug
        properties = action.parameters_schema.get("properties", {})
        assert isinstance(properties, dict)
        assert all(each.get("description") for each in properties.values()), action.slug
        assert action.result_schema is not None


def test_what_deletes_or_publishes_is_destructive_and_only_what_is_alike_may_be_repeated() -> None:
    actions = OFFLINE.actions.values()
    destructive = {each.slug.partition(".")[2] for each in actions if each.effect is Effect.DESTRUCTIVE}
    assert destructive == {"delete_message", "delete_event", "create_sharing_link"}
    repeatable = {
        each.slug.partition(".")[2] for each in actions if each.effect is not Effect.READ and each.is_idempotent
    }
    assert repeatable == {"update_message", "create_event", "update_event", "create_sharing_link"}


def test_connections_ask_for_the_least_and_for_staying_connected() -> None:
    actions = OFFLINE.actions
    assert OFFLINE.scopes_for([actions["microsoft365.send_email"]]) == ("offline_access", "User.Read", "Mail.Send")
    mail = [actions[f"microsoft365.{name}"] for name in ("list_messages", "update_message", "send_email")]
    assert OFFLINE.scopes_for(mail) == ("offline_access", "User.Read", "Mail.ReadWrite", "Mail.Send")
    every = OFFLINE.scopes_for(list(actions.values()))
    assert not {"Mail.Read", "Calendars.Read", "Files.Read", "Chat.ReadBasic", "Contacts.ReadWrite"} & set(every)


def test_granted_scopes_are_understood_short_and_long() -> None:
    long = "https://graph.microsoft.com/Mail.ReadWrite"
    assert OFFLINE.is_usable_scope([long], "Mail.Read")
    assert OFFLINE.is_usable_scope(["Mail.Read"], "Mail.Read")
    assert not OFFLINE.is_usable_scope([long], "Mail.Send")
    assert not OFFLINE.is_usable_scope(["https://graph.microsoft.us/Mail.Read"], "Mail.Read")
    [explained] = OFFLINE.explain([long])
    assert explained.explanation.startswith("Read your mail")


def test_an_operator_s_application_refreshes_and_never_signs_out_everywhere() -> None:
    made = integration_on(CannedTransport(lambda _: Incoming(200, {}, b"")), client_id="x", client_secret=Secret("y"))
    application = made.oauth
    assert application is not None
    assert application.authorize_url == "https://login.microsoftonline.com/common/oauth2/v2.0/authorize"
    assert application.uses_pkce
    assert application.refreshing is Refreshing.ROTATING
    assert manifest_of("microsoft365").revoke is None


async def test_the_connection_test_names_the_account(ada: Office) -> None:
    identity = await ada.identify()
    assert (identity.account.id, identity.account.label) == (ADA.id, "ada@harbour.example")
    assert identity.scopes is None
    account = await ada.row("get_account")
    assert account["job_title"] == "Harbour master"


async def test_disconnecting_has_no_way_to_tell_microsoft(ada: Office) -> None:
    assert await ada.integration.revoke(ada.setting()) is False
    assert ada.paths() == []


async def test_contacts_are_listed_and_found(ada: Office) -> None:
    assert [each["name"] for each in await ada.rows("list_contacts")] == ["Otto O'Brien", "Pia Lock"]
    [otto] = await ada.rows("list_contacts", name_begins="Otto O'B")
    assert (otto["mail"], otto["company"]) == (["otto@ropes.example"], "Ropes & Co")
    [pia] = await ada.rows("list_contacts", mail="PIA@locks.example")
    assert pia["phones"] == ["+49 40 5550100"]
    assert ada.queries("/contacts")[1]["$filter"] == ["startswith(displayName,'Otto O''B')"]


def refusal(status: int, code: str, inner: str = "", **headers: str) -> Incoming:
    told = {"code": code, "message": "Words for people.", "innerError": {"code": inner, "request-id": "1"}}
    return Incoming(
        status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps({"error": told}).encode()
    )


@pytest.mark.parametrize(
    ("status", "code", "problem"),
    [
        (401, "InvalidAuthenticationToken", ReconnectNeeded),
        (403, "ErrorAccessDenied", Forbidden),
        (403, "accessDenied", Forbidden),
        (404, "ErrorItemNotFound", NotThere),
        (404, "itemNotFound", NotThere),
        (404, "MailboxNotEnabledForRESTAPI", Forbidden),
        (400, "ErrorInvalidRecipients", Rejected),
        (409, "nameAlreadyExists", AlreadyThere),
        (412, "resourceModified", AlreadyThere),
        (423, "locked", AlreadyThere),
        (429, "ApplicationThrottled", SlowDown),
        (503, "TooManyRequests", SlowDown),
        (507, "quotaLimitReached", Rejected),
        (503, "serviceNotAvailable", Unavailable),
        (500, "generalException", Unavailable),
    ],
)
async def test_refusals_are_read(status: int, code: str, problem: type[ProviderProblem]) -> None:
    answering = integration_on(CannedTransport(lambda _: refusal(status, code)))
    with pytest.raises(problem) as refused:
        await answering.run(answering.actions["microsoft365.list_teams"], {}, setting_of("t", is_sandbox=False))
    assert code in refused.value.message
    assert "Words" not in refused.value.message


@pytest.mark.parametrize("status", [429, 503])
async def test_a_wait_is_taken_over(status: int) -> None:
    throttled = integration_on(CannedTransport(lambda _: refusal(status, "ApplicationThrottled", retry_after="30")))
    with pytest.raises(SlowDown) as refused:
        await throttled.run(throttled.actions["microsoft365.list_teams"], {}, setting_of("t", is_sandbox=False))
    assert refused.value.retry_at is not None
    assert timedelta(seconds=20) < refused.value.retry_at - datetime.now(UTC) <= timedelta(seconds=30)


async def test_the_inner_error_is_told_as_well() -> None:
    locked = integration_on(CannedTransport(lambda _: refusal(400, "invalidRequest", "malwareDetected")))
    with pytest.raises(Rejected, match="invalidRequest, malwareDetected"):
        await locked.run(locked.actions["microsoft365.list_teams"], {}, setting_of("t", is_sandbox=False))


async def test_a_file_is_fetched_only_from_where_microsoft_hands_files_out() -> None:
    item = json.dumps({"id": "1", "name": "a", "file": {"mimeType": "text/plain"}, "size": 3}).encode()
    for place, is_known in (
        ("https://harbour.sharepoint.com/_layouts/15/download.aspx?tempauth=x", True),
        ("https://my.microsoftpersonalcontent.com/x", True),
        ("https://harbour.sharepoint.com.evil.example/x", False),
        ("https://evilsharepoint.com/x", False),
        ("http://harbour.sharepoint.com/x", False),
        ("https://user@harbour.sharepoint.com/x", False),
        ("https://169.254.169.254/latest", False),
        ("//[", False),
        ("", False),
    ):
        answers = [Incoming(200, {}, item), Incoming(302, {"location": place}, b""), Incoming(200, {}, b"abc")]
        transport = in_turn(*answers)
        one = integration_on(transport)
        running = one.run(one.actions["microsoft365.read_file"], {"file_id": "1"}, setting_of("t", is_sandbox=False))
        if not is_known:
            with pytest.raises(Rejected, match="not known as its own"):
                await running
            continue
        found = await running
        assert isinstance(found, dict)
        assert transport.requests[-1].url == place
        assert transport.requests[-1].headers == {}


def test_the_description_holds_every_route_and_every_action_is_described_by_it() -> None:
    assert len(DESCRIPTION.routes()) == 46
    assert "POST /me/sendMail" in DESCRIPTION.routes()
    assert all(unquote(urlsplit(route.partition(" ")[2]).path) for route in DESCRIPTION.routes())

"""What Gmail says about itself: scopes, hosts, consent; and how Google's refusals are read."""

import json
from typing import Any

import pytest

from adapters._kit.answers import problem_of
from adapters._kit.catalogue import load_one, manifest_of
from adapters._kit.http import CannedTransport, Incoming, NotSent
from adapters._kit.integration import Override
from domain.catalogue import Effect, Integration, Refreshing
from domain.errors import (
    AlreadyThere,
    Forbidden,
    NotThere,
    ProviderProblem,
    ReconnectNeeded,
    Rejected,
    ScopeMissing,
    SlowDown,
    Unavailable,
)
from domain.secrets import Secret
from tests.adapters.gmail.conftest import DESCRIPTIONS

MANIFEST = manifest_of("gmail")
AUTH = "https://www.googleapis.com/auth"
IDENTITY = ("openid", f"{AUTH}/userinfo.email")


def gmail() -> Integration:
    ours = Override(client_id="us", client_secret=Secret("our-secret"))
    return load_one("gmail", CannedTransport(lambda _: NotSent("connect_failed")), ours, None)


def test_consent_is_asked_for_as_google_wants_it_for_offline_and_incremental_access() -> None:
    ours = gmail().oauth
    assert ours is not None
    assert ours.authorize_url == "https://accounts.google.com/o/oauth2/v2/auth"
    assert ours.token_url == "https://oauth2.googleapis.com/token"
    assert ours.authorize_parameters == {
        "access_type": "offline",
        "prompt": "consent",
        "include_granted_scopes": "true",
    }
    assert (ours.uses_pkce, ours.refreshing) == (True, Refreshing.REUSABLE)


def test_every_host_is_reached_by_https() -> None:
    assert [each for each in (MANIFEST.http.base_url, *MANIFEST.http.hosts.values()) if "https://" not in each] == []
    assert set(MANIFEST.http.hosts) == {"people", "identity", "oauth"}


@pytest.mark.parametrize(
    ("actions", "scopes"),
    [
        ([], ()),
        (["send_email"], (f"{AUTH}/gmail.send",)),
        (["read_inbox", "get_attachment"], (f"{AUTH}/gmail.readonly",)),
        (["reply_to_email"], (f"{AUTH}/gmail.send", f"{AUTH}/gmail.readonly")),
        (["send_email", "create_draft", "send_draft"], (f"{AUTH}/gmail.compose",)),
        (["read_inbox", "trash_message", "list_labels", "create_draft"], (f"{AUTH}/gmail.modify",)),
        (["create_label", "list_labels"], (f"{AUTH}/gmail.labels",)),
        (["search_contacts", "list_contacts"], (f"{AUTH}/contacts.readonly",)),
        (["search_contacts", "delete_contact"], (f"{AUTH}/contacts",)),
    ],
)
def test_no_more_is_asked_for_than_the_actions_need(actions: list[str], scopes: tuple[str, ...]) -> None:
    service = gmail()
    chosen = [service.actions[f"gmail.{name}"] for name in actions]
    assert service.scopes_for(chosen) == (*IDENTITY, *scopes)


def test_only_what_throws_away_is_destructive_and_only_what_is_safe_twice_is_idempotent() -> None:
    actions = gmail().actions.values()
    assert {each.slug for each in actions if each.effect is Effect.DESTRUCTIVE} == {
        "gmail.trash_message",
        "gmail.delete_contact",
    }
    assert {each.slug for each in actions if each.effect is not Effect.READ and each.is_idempotent} == {
        "gmail.modify_message",
        "gmail.trash_message",
    }


def test_the_pieces_of_the_descriptions_hold_eighteen_operations() -> None:
    assert sum(len(each.routes()) for each in DESCRIPTIONS.values()) == 18


# --------------------------------------------------------------------------------------------------- refusals


def refusal(status: int, word: str, *, reason: str = "", info: str = "") -> Incoming:
    error: dict[str, Any] = {"code": status, "message": "secret words", "status": word}
    if reason:
        error["errors"] = [{"message": "secret words", "domain": "global", "reason": reason}]
    if info:
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": info}]
    return Incoming(status, {}, json.dumps({"error": error}).encode())


@pytest.mark.parametrize(
    ("incoming", "kind"),
    [
        (refusal(400, "INVALID_ARGUMENT", reason="invalidArgument"), Rejected),
        (refusal(400, "FAILED_PRECONDITION"), AlreadyThere),
        (refusal(401, "UNAUTHENTICATED", reason="authError"), ReconnectNeeded),
        (refusal(401, "UNAUTHENTICATED", info="ACCESS_TOKEN_EXPIRED"), ReconnectNeeded),
        (refusal(403, "PERMISSION_DENIED"), Forbidden),
        (refusal(403, "PERMISSION_DENIED", reason="forbidden", info="SERVICE_DISABLED"), Forbidden),
        (refusal(403, "PERMISSION_DENIED", reason="accessNotConfigured"), Forbidden),
        (refusal(403, "PERMISSION_DENIED", reason="domainPolicy"), Forbidden),
        (refusal(403, "PERMISSION_DENIED", reason="insufficientPermissions"), ScopeMissing),
        (refusal(403, "PERMISSION_DENIED", info="ACCESS_TOKEN_SCOPE_INSUFFICIENT"), ScopeMissing),
        (refusal(403, "PERMISSION_DENIED", reason="userRateLimitExceeded"), SlowDown),
        (refusal(403, "PERMISSION_DENIED", reason="rateLimitExceeded"), SlowDown),
        (refusal(403, "PERMISSION_DENIED", reason="quotaExceeded"), SlowDown),
        (refusal(403, "PERMISSION_DENIED", reason="dailyLimitExceeded"), SlowDown),
        (refusal(429, "RESOURCE_EXHAUSTED", info="RATE_LIMIT_EXCEEDED"), SlowDown),
        (refusal(404, "NOT_FOUND", reason="notFound"), NotThere),
        (refusal(409, "ABORTED", reason="aborted"), AlreadyThere),
        (refusal(409, "ALREADY_EXISTS"), AlreadyThere),
        (refusal(500, "INTERNAL", reason="backendError"), Unavailable),
        (refusal(503, "UNAVAILABLE"), Unavailable),
    ],
)
def test_a_refusal_of_google_s_is_read_by_its_reason_first(incoming: Incoming, kind: type[ProviderProblem]) -> None:
    problem = problem_of(MANIFEST, incoming)
    assert type(problem) is kind
    assert "secret words" not in problem.message


def test_an_api_that_is_not_switched_on_is_named() -> None:
    problem = problem_of(MANIFEST, refusal(403, "PERMISSION_DENIED", reason="accessNotConfigured"))
    assert problem is not None
    assert "accessNotConfigured" in problem.message

"""Obtaining a credential: the address a person is sent to, and what a token endpoint may answer with.

The endpoint is real and so is the way to it; what it answers is up to each test.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters._kit.egress import Egress
from adapters._kit.http import Caps, HttpTransport
from domain.catalogue import AuthScheme, FurtherToken, OAuthApplication
from domain.errors import (
    AnswerGarbled,
    AnswerLost,
    NotSent,
    ProviderProblem,
    ProviderRefused,
    ReconnectNeeded,
    Rejected,
    SlowDown,
    Unavailable,
)
from domain.json import Json
from domain.secrets import Secret
from vault.oauth import OAuthClient, Obtained, authorization_url, new_verifier, read_answer

FOREIGN = "foreign-text-7f3a9c"
CODE = "code-canary"
VERIFIER = Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")  # RFC 7636, appendix B
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
CALLBACK = "https://gateway.example/oauth/callback"

REFUSED = "Harbour did not accept the authorisation. Start connecting again."
UNKNOWN_CLIENT = "Harbour does not know this OAuth application. An operator must check its client id and secret."
UNREACHABLE = "Harbour could not be reached to finish connecting. Start connecting again."


def application(**changes: object) -> OAuthApplication:
    plain = OAuthApplication(
        authorize_url="https://harbour.example/authorize",
        token_url="https://harbour.example/token",
        revoke_url=None,
        client_id="client",
        client_secret=Secret("s3cret&canary"),
        client_auth="client_secret_post",
        scope_separator=" ",
        uses_pkce=True,
        authorize_parameters={},
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # fields, spelled by the test


# ------------------------------------------------------------------------------------------- where to consent


def asked(**changes: object) -> dict[str, str]:
    url = authorization_url(application(**changes), ("read", "write"), "st&te", CALLBACK, VERIFIER)
    found = parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    assert len(found) == len(dict(found)), "each parameter once (RFC 6749, section 3.1)"
    return dict(found)


def test_a_person_is_sent_with_everything_rfc_6749_asks_for() -> None:
    assert asked() == {
        "response_type": "code",
        "client_id": "client",
        "redirect_uri": CALLBACK,
        "scope": "read write",
        "state": "st&te",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }


def test_neither_verifier_nor_client_secret_are_in_the_address() -> None:
    url = authorization_url(application(), ("read",), "state", CALLBACK, VERIFIER)
    assert VERIFIER.reveal() not in url
    assert "canary" not in url


def test_without_pkce_there_is_no_challenge() -> None:
    assert not {"code_challenge", "code_challenge_method"} & asked(uses_pkce=False).keys()


def test_scopes_are_separated_as_the_service_wants_it() -> None:
    assert asked(scope_separator=",")["scope"] == "read,write"


def test_a_query_that_is_there_stays() -> None:
    found = asked(authorize_url="https://harbour.example/authorize?audience=api&x=")
    assert (found["audience"], found["x"], found["state"]) == ("api", "", "st&te")


def test_parameters_of_the_manifest_come_along_and_cannot_replace_ours() -> None:
    found = asked(
        authorize_parameters={"access_type": "offline", "state": "theirs", "redirect_uri": "https://evil.example"}
    )
    assert (found["access_type"], found["state"], found["redirect_uri"]) == ("offline", "st&te", CALLBACK)


def test_a_verifier_is_fresh_and_long_enough() -> None:
    made = [new_verifier().reveal() for _ in range(50)]
    assert len(set(made)) == 50
    letters = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
    assert all(43 <= len(each) <= 128 and set(each) <= letters for each in made)


# ------------------------------------------------------------------------------------------ the token endpoint


@dataclass
class Endpoint:
    """A service's token endpoint: it answers with `raw`, byte for byte, and remembers what it was asked."""

    raw: bytes
    requests: list[bytes] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        self.requests.append(head + await reader.readexactly(length))
        if self.raw:
            writer.write(self.raw)
            with suppress(ConnectionError):
                await writer.drain()
        else:
            writer.transport.abort()
        writer.close()

    @property
    def form(self) -> Mapping[str, list[str]]:
        """The fields of the only request."""
        (request,) = self.requests
        return parse_qs(request.partition(b"\r\n\r\n")[2].decode())


def answer(body: "Json | bytes", status: int = 200, kind: str = "application/json") -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\ncontent-length: {len(raw)}\r\nconnection: close\r\n\r\n"
    return head.encode() + raw


@asynccontextmanager
async def endpoint(raw: bytes) -> AsyncIterator[Endpoint]:
    made = Endpoint(raw)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


async def exchange(to: Endpoint, **changes: object) -> Obtained:
    egress = Egress.allowing(sockets=[f"127.0.0.1:{to.port}"], http=True)
    async with HttpTransport(egress, version="tests", caps=Caps(body=200_000)) as transport:
        client = OAuthClient(transport.for_oauth())
        known = application(token_url=f"http://127.0.0.1:{to.port}/token", **changes)
        return await client.exchange(known, "Harbour", CODE, CALLBACK, VERIFIER)


async def test_a_code_becomes_a_credential() -> None:
    told: Json = {
        "access_token": "at-1",
        "refresh_token": "rt-1",
        "token_type": "bearer",
        "expires_in": 3600,
        "scope": "read write",
    }
    async with endpoint(answer(told)) as service:
        obtained = await exchange(service)
    assert obtained.credential.scheme is AuthScheme.OAUTH2
    secrets = {name: secret.reveal() for name, secret in obtained.credential.secrets.items()}
    assert secrets == {"access_token": "at-1", "refresh_token": "rt-1"}
    assert obtained.scopes == ("read", "write")
    assert obtained.expires_at is not None
    assert timedelta(0) < obtained.expires_at - datetime.now(UTC) <= timedelta(hours=1)


async def test_the_endpoint_is_asked_as_rfc_6749_and_7636_say() -> None:
    async with endpoint(answer({"access_token": "at-1"})) as service:
        await exchange(service)
        assert service.form == {
            "grant_type": ["authorization_code"],
            "code": [CODE],
            "redirect_uri": [CALLBACK],
            "code_verifier": [VERIFIER.reveal()],
            "client_id": ["client"],
            "client_secret": ["s3cret&canary"],
        }
        assert b"accept: application/json" in service.requests[0].lower()


async def test_a_service_that_wants_basic_authentication_gets_it_and_no_secret_in_the_form() -> None:
    async with endpoint(answer({"access_token": "at-1"})) as service:
        await exchange(service, client_auth="client_secret_basic")
        assert "client_secret" not in service.form
        sent = next(line for line in service.requests[0].split(b"\r\n") if line.lower().startswith(b"authorization:"))
    name, _, secret = base64.b64decode(sent.split()[-1]).decode().partition(":")
    assert (name, secret) == ("client", "s3cret&canary")


async def test_without_pkce_no_verifier_is_sent() -> None:
    async with endpoint(answer({"access_token": "at-1"})) as service:
        await exchange(service, uses_pkce=False)
        assert "code_verifier" not in service.form


REFUSALS: dict[str, tuple[bytes, str]] = {
    "RFC 6749": (answer({"error": "invalid_grant", "error_description": FOREIGN}, 400), REFUSED),
    "GitHub says no with 200": (
        answer({"error": "bad_verification_code", "error_description": FOREIGN, "error_uri": FOREIGN}),
        REFUSED,
    ),
    "GitHub does not know the client": (
        answer({"error": "incorrect_client_credentials", "error_description": FOREIGN}),
        UNKNOWN_CLIENT,
    ),
    "the client is unknown": (answer({"error": "invalid_client", "error_description": FOREIGN}, 401), UNKNOWN_CLIENT),
    "the client may not": (answer({"error": "unauthorized_client"}, 400), UNKNOWN_CLIENT),
    "Slack says no with 200": (answer({"ok": False, "error": "invalid_code", "needed": FOREIGN}), REFUSED),
    "Slack does not know the secret": (answer({"ok": False, "error": "bad_client_secret"}), UNKNOWN_CLIENT),
    "Slack says no without a reason": (answer({"ok": False, "warning": FOREIGN}), REFUSED),
    "an error of its own making": (answer({"error": FOREIGN}), REFUSED),
    "an error that is an object": (answer({"error": {"code": FOREIGN}}, 400), REFUSED),
    "an error that is a list": (answer({"error": [FOREIGN]}), REFUSED),
    "no token": (answer({"token": FOREIGN}), REFUSED),
    "an empty token": (answer({"access_token": ""}), REFUSED),
    "a token that is no text": (answer({"access_token": {"a": FOREIGN}}), REFUSED),
    "null": (answer(None), REFUSED),
    "a list": (answer([FOREIGN]), REFUSED),
    "text": (answer(FOREIGN), REFUSED),
    "a number": (answer(7), REFUSED),
    "nothing": (answer(b""), REFUSED),
    "a page": (answer(f"<p>{FOREIGN}</p>".encode(), kind="text/html"), REFUSED),
    "not UTF-8": (answer(b'{"access_token": "\xff\xfe"}'), REFUSED),
    "nested too deeply": (answer(b"[" * 100_000), REFUSED),
    "a form although JSON was asked for": (
        answer(f"access_token={FOREIGN}".encode(), kind="application/x-www-form-urlencoded"),
        REFUSED,
    ),
    "a lifetime that is none": (answer({"access_token": "at-1", "expires_in": [FOREIGN]}), REFUSED),
    "a page with 403": (answer(FOREIGN.encode(), 403, "text/html"), UNREACHABLE),
    "out of order": (answer({"error": FOREIGN}, 500), UNREACHABLE),
    "overloaded": (answer(FOREIGN.encode(), 503, "text/html"), UNREACHABLE),
    "too much": (answer(b'{"access_token": "' + b"a" * 300_000 + b'"}'), UNREACHABLE),
    "not HTTP": (f"{FOREIGN}\r\n\r\n".encode(), UNREACHABLE),
    "cut off": (answer({"access_token": FOREIGN})[:-5], UNREACHABLE),
    "reset": (b"", UNREACHABLE),
}


@pytest.mark.parametrize(("raw", "sentence"), REFUSALS.values(), ids=REFUSALS.keys())
async def test_whatever_it_answers_the_person_reads_our_sentence_and_nothing_of_theirs(
    raw: bytes, sentence: str
) -> None:
    async with endpoint(raw) as service:
        with pytest.raises(ProviderRefused) as refused:
            await exchange(service)
        assert len(service.requests) == 1, "a code is used once"
    assert refused.value.message == sentence
    assert FOREIGN not in f"{refused.value!r}{refused.value.__cause__!r}"


async def test_a_redirect_is_not_followed() -> None:
    elsewhere = b"HTTP/1.1 307 Moved\r\nlocation: /elsewhere\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    async with endpoint(elsewhere) as service:
        with pytest.raises(ProviderRefused):
            await exchange(service)
        assert len(service.requests) == 1


async def test_a_service_that_is_not_there_is_told_so() -> None:
    async with endpoint(b"") as service:
        pass
    with pytest.raises(ProviderRefused, match="could not be reached"):
        await exchange(service)


# --------------------------------------------------------------------------------------------- what it granted


@pytest.mark.parametrize(
    ("told", "scopes"),
    [
        (None, None),
        (["read"], None),
        ("", None),
        ("read", ("read",)),
        ("read write", ("read", "write")),
        ("repo,gist", ("repo", "gist")),
        ("repo, gist,, repo ", ("repo", "gist")),
    ],
)
def test_granted_scopes_are_read_however_they_are_separated(told: object, scopes: tuple[str, ...] | None) -> None:
    assert read_answer({"access_token": "at-1", "scope": told}, "Harbour").scopes == scopes


@pytest.mark.parametrize("lifetime", [3600, "3600", 1, 10**9 - 1])
def test_a_lifetime_in_seconds_becomes_a_moment(lifetime: object) -> None:
    expires_at = read_answer({"access_token": "at-1", "expires_in": lifetime}, "Harbour").expires_at
    assert expires_at is not None
    assert expires_at > datetime.now(UTC)


@pytest.mark.parametrize("lifetime", [None, 0, -1, "0", "", "soon", "²", True, [], {}, 10**9, "9" * 5_000, 1.5])
def test_a_lifetime_that_makes_no_sense_is_none(lifetime: object) -> None:
    assert read_answer({"access_token": "at-1", "expires_in": lifetime}, "Harbour").expires_at is None


values = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.text()))


@given(st.dictionaries(st.sampled_from(["access_token", "refresh_token", "expires_in", "scope"]), values))
def test_no_answer_breaks_the_reader(told: dict[str, object]) -> None:
    with suppress(ProviderRefused):
        read_answer(told, "Harbour")


def test_tokens_come_out_wrapped() -> None:
    obtained = read_answer({"access_token": "at-canary", "refresh_token": "rt-canary"}, "Harbour")
    assert "canary" not in repr(obtained)


SLACK = FurtherToken("user_token", "authed_user", "user_scope", ("search",))


def test_the_scopes_of_a_further_token_are_asked_for_in_their_own_parameter() -> None:
    url = authorization_url(application(further=(SLACK,)), ("read", "search", "write"), "s", CALLBACK, VERIFIER)
    found = parse_qs(urlsplit(url).query)
    assert (found["scope"], found["user_scope"]) == (["read write"], ["search"])
    assert "user_scope" not in asked(further=(SLACK,))


def test_a_further_token_is_read_with_what_it_may_do() -> None:
    told = {"access_token": "bot", "scope": "read", "authed_user": {"access_token": "canary-user", "scope": "search"}}
    obtained = read_answer(told, "Harbour", application(further=(SLACK,)))
    assert obtained.credential.secrets["user_token"].reveal() == "canary-user"
    assert obtained.scopes == ("read", "search")
    assert "user_token" not in read_answer(told, "Harbour").credential.secrets


@pytest.mark.parametrize("held", [None, "text", [], {}, {"access_token": None}, {"access_token": 7, "scope": 7}])
def test_without_a_further_token_the_first_is_enough(held: object) -> None:
    told = {"access_token": "bot", "scope": "read", "authed_user": held}
    obtained = read_answer(told, "Harbour", application(further=(SLACK,)))
    assert (list(obtained.credential.secrets), obtained.scopes) == (["access_token"], ("read",))


def test_members_that_the_application_names_become_facts() -> None:
    told = {"access_token": "at", "team": "t_1", "number": 7, "flag": True, "gone": None, "empty": "", "list": ["x"]}
    told |= {"long": "x" * 201, "strange": "a\nb", "other": "not asked for"}
    names = ("team", "number", "flag", "gone", "empty", "list", "long", "strange", "absent")
    assert read_answer(told, "Harbour", application(facts=names)).credential.facts == {"team": "t_1", "number": "7"}
    assert read_answer(told, "Harbour").credential.facts == {}


# ------------------------------------------------------------------------------------------------- a refresh


async def refresh(to: Endpoint, **changes: object) -> Obtained:
    egress = Egress.allowing(sockets=[f"127.0.0.1:{to.port}"], http=True)
    async with HttpTransport(egress, version="tests", caps=Caps(body=200_000)) as transport:
        client = OAuthClient(transport.for_oauth())
        known = application(token_url=f"http://127.0.0.1:{to.port}/token", **changes)
        return await client.refresh(known, "Harbour", Secret("rt-canary"))


async def test_a_refresh_is_asked_for_as_rfc_6749_says() -> None:
    async with endpoint(answer({"access_token": "at-2", "expires_in": 60, "scope": "read"})) as service:
        obtained = await refresh(service)
        assert service.form == {
            "grant_type": ["refresh_token"],
            "refresh_token": ["rt-canary"],
            "client_id": ["client"],
            "client_secret": ["s3cret&canary"],
        }
        assert b"accept: application/json" in service.requests[0].lower()
    assert {name: each.reveal() for name, each in obtained.credential.secrets.items()} == {"access_token": "at-2"}
    assert obtained.scopes == ("read",)
    assert obtained.credential.expires_at == obtained.expires_at is not None


async def test_a_refresh_signs_with_basic_where_the_service_wants_it() -> None:
    async with endpoint(answer({"access_token": "at-2"})) as service:
        await refresh(service, client_auth="client_secret_basic")
        assert "client_secret" not in service.form
        sent = next(line for line in service.requests[0].split(b"\r\n") if line.lower().startswith(b"authorization:"))
    assert base64.b64decode(sent.split()[-1]).decode() == "client:s3cret&canary"


REFRESH_REFUSALS: dict[str, tuple[bytes, type[ProviderProblem], bool]] = {
    "RFC 6749": (answer({"error": "invalid_grant", "error_description": FOREIGN}, 400), ReconnectNeeded, False),
    "in its own words": (answer({"error": "bad_refresh_token"}), ReconnectNeeded, False),
    "Slack, with 200": (answer({"ok": False, "error": "invalid_grant"}), ReconnectNeeded, False),
    "the client is unknown": (answer({"error": "invalid_client", "error_description": FOREIGN}, 401), Rejected, False),
    "another error": (answer({"error": FOREIGN}, 400), Rejected, False),
    "an error that is an object": (answer({"error": {"code": FOREIGN}}), Rejected, False),
    "a page with 403": (answer(FOREIGN.encode(), 403, "text/html"), Rejected, False),
    "broken, and lying": (answer({"error": "invalid_grant"}, 500), Unavailable, True),
    "overloaded": (answer(FOREIGN.encode(), 503, "text/html"), Unavailable, True),
    "passing, by its own word": (answer({"error": "temporarily_unavailable"}, 400), Unavailable, True),
    "too often": (answer({"error": FOREIGN}, 429), SlowDown, False),
    "no token": (answer({"token": FOREIGN}), AnswerGarbled, True),
    "a page": (answer(f"<p>{FOREIGN}</p>".encode(), kind="text/html"), AnswerGarbled, True),
    "nested too deeply": (answer(b"[" * 100_000), AnswerGarbled, True),
    "too much": (answer(b'{"access_token": "' + b"a" * 300_000 + b'"}'), AnswerLost, True),
    "cut off": (answer({"access_token": FOREIGN})[:-5], AnswerLost, True),
    "reset": (b"", AnswerLost, True),
}


@pytest.mark.parametrize(("raw", "kind", "in_doubt"), REFRESH_REFUSALS.values(), ids=REFRESH_REFUSALS.keys())
async def test_a_refused_refresh_says_what_it_means_and_whether_it_may_have_been_done(
    raw: bytes, kind: type[ProviderProblem], in_doubt: bool
) -> None:
    async with endpoint(raw) as service:
        with pytest.raises(ProviderProblem) as refused:
            await refresh(service, refresh_ended=("bad_refresh_token",))
        assert len(service.requests) == 1, "a refresh token is sent once"
    assert (type(refused.value), refused.value.may_have_happened) == (kind, in_doubt)
    assert refused.value.message.startswith("Harbour")
    assert FOREIGN not in f"{refused.value!r}{refused.value.__cause__!r}"


async def test_a_token_endpoint_that_is_not_there_was_asked_nothing() -> None:
    async with endpoint(b"") as service:
        pass
    with pytest.raises(NotSent) as refused:
        await refresh(service)
    assert not refused.value.may_have_happened

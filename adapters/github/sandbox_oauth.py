"""OAuth as a GitHub OAuth application meets it: consent, code for token, check and revoke.

Sources: GitHub's "Authorizing OAuth apps" and "Scopes for OAuth apps"; PKCE from RFC 7636 (S256 only). Errors
of the token endpoint come with HTTP 200 and an `error` member, and form-encoded unless JSON is asked for, as
GitHub does.
"""

import binascii
import hmac
import json
import secrets
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import (
    Consent,
    SandboxTokens,
    challenge_of,
    consent_page,
    fingerprint,
    problem_page,
    read_form,
)
from adapters.github.sandbox_api import DOCS, OAUTH_PREFIX, Refused, Shape, find_caller, not_found, root_of
from adapters.github.sandbox_shapes import user_shape
from adapters.github.sandbox_state import Authorization, Code, Hub, OAuthClient

CODE_SECONDS = 600
SERVICE = "GitHub"

SCOPE_WORDS = {
    "repo": "Read and write all of your repositories, public and private",
    "public_repo": "Read and write your public repositories",
    "repo:status": "Read and write the status of commits",
    "repo_deployment": "Read and write the status of deployments",
    "repo:invite": "Accept invitations to repositories",
    "security_events": "Read and write security alerts",
    "delete_repo": "Delete your repositories",
    "workflow": "Change the workflow files of your repositories",
    "user": "Read and change your profile",
    "read:user": "Read your profile",
    "user:email": "Read your e-mail addresses",
    "read:org": "See your organisations and teams",
    "admin:repo_hook": "Manage the webhooks of your repositories",
    "gist": "Write gists",
    "notifications": "Read your notifications",
}
_CONTAINS = {
    "repo": {"public_repo", "repo:status", "repo_deployment", "repo:invite", "security_events"},
    "user": {"read:user", "user:email"},
}
_CARRIED = ("client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method")


def normal_scopes(asked: str) -> list[str]:
    """Scopes as GitHub keeps them: unknown ones dropped, those inside a wider one too, sorted."""
    known = {scope for scope in asked.replace(",", " ").split() if scope in SCOPE_WORDS}
    covered = set().union(*(_CONTAINS.get(scope, set()) for scope in known))
    return sorted(known - covered)


@dataclass(frozen=True)
class _Wish:
    """A checked authorization request."""

    client: OAuthClient
    redirect_uri: str
    scopes: list[str]
    state: str
    challenge: str | None

    def back(self, **answer: str) -> Response:
        """To the application, with the answer and its state."""
        parts = urlsplit(self.redirect_uri)
        given = {name: value for name, value in {**answer, "state": self.state}.items() if value}
        query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *given.items()])
        return RedirectResponse(parts._replace(query=query).geturl(), status_code=302)


class _Unusable(Exception):
    """A request that must not be sent back to any address."""

    def __init__(self, status: int, title: str, words: str) -> None:
        super().__init__(words)
        self.page = problem_page(SERVICE, status, title, words)


def login_routes(hub: Hub) -> list[Route]:
    """Consent, and code for token."""

    async def authorize(request: Request) -> Response:
        try:
            if request.method == "GET":
                return _ask_person(hub, request.query_params)
            return _hear_person(hub, await _consent_form(request))
        except _Unusable as unusable:
            return unusable.page

    async def token(request: Request) -> Response:
        try:
            answer = _exchange(hub, await _token_fields(request))
        except _TokenRefused as refused:
            answer = refused.answer
        else:
            hub.performed("POST /login/oauth/access_token")
        headers = {"Cache-Control": "no-store"}
        if "json" in request.headers.get("accept", ""):
            return JSONResponse(answer, headers=headers)
        return Response(urlencode(answer), headers=headers, media_type="application/x-www-form-urlencoded")

    return [
        Route("/login/oauth/authorize", authorize, methods=["GET", "POST"]),
        Route("/login/oauth/access_token", token, methods=["POST"]),
    ]


def application_routes(hub: Hub) -> list[Route]:
    """What an application may ask about its own tokens."""

    async def held_token(request: Request) -> Response:
        return await _manage(hub, request, whole_grant=False)

    async def held_grant(request: Request) -> Response:
        return await _manage(hub, request, whole_grant=True)

    return [
        Route("/applications/{client_id}/token", held_token, methods=["POST", "DELETE"]),
        Route("/applications/{client_id}/grant", held_grant, methods=["DELETE"]),
    ]


def _check(hub: Hub, fields: Mapping[str, str]) -> _Wish:
    client = hub.world.client(fields.get("client_id", ""))
    if client is None:
        raise _Unusable(404, "No such application", "The client_id is not known to this sandbox.")
    redirect_uri = fields.get("redirect_uri") or next(iter(client.redirect_uris), "")
    if not _may_return_to(client, redirect_uri):
        words = "The redirect_uri is not registered for this application, so nobody is sent there."
        raise _Unusable(400, "The return address does not match", words)
    challenge = fields.get("code_challenge") or None
    if challenge and fields.get("code_challenge_method") != "S256":
        raise _Unusable(400, "PKCE method not supported", "The code_challenge_method must be S256.")
    scopes = normal_scopes(fields.get("scope", ""))
    return _Wish(client, redirect_uri, scopes, fields.get("state", ""), challenge)


async def _consent_form(request: Request) -> dict[str, list[str]]:
    try:
        return await read_form(request)
    except ValueError:
        raise _Unusable(413, "Too large", "The form is larger than it can be.") from None


def _may_return_to(client: OAuthClient, redirect_uri: str) -> bool:
    """Registered: same place, the registered path or below it. Loopback: any, when the client allows it."""
    try:
        parts = urlsplit(redirect_uri)
    except ValueError:
        return False
    is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    if not is_web or parts.fragment or parts.username is not None:
        return False
    if client.any_loopback and parts.hostname in ("127.0.0.1", "::1", "localhost"):
        return True
    return any(_is_below(urlsplit(registered), parts) for registered in client.redirect_uris)


def _is_below(registered: SplitResult, given: SplitResult) -> bool:
    if (registered.scheme, registered.netloc) != (given.scheme, given.netloc) or ".." in given.path:
        return False
    return given.path == registered.path or given.path.startswith(registered.path.rstrip("/") + "/")


def _ask_person(hub: Hub, fields: Mapping[str, str]) -> Response:
    wish = _check(hub, fields)
    consent = Consent(
        service=SERVICE,
        application=wish.client.name,
        returns_to=wish.redirect_uri,
        scopes=[(scope, SCOPE_WORDS[scope]) for scope in wish.scopes],
        people=[(person.login, person.name) for person in hub.world.people],
        hidden={name: fields[name] for name in _CARRIED if name in fields},
    )
    return consent_page(consent)


def _hear_person(hub: Hub, form: Mapping[str, list[str]]) -> Response:
    wish = _check(hub, {name: values[0] for name, values in form.items()})
    if form.get("decision") != ["authorize"]:
        return wish.back(error="access_denied", error_description="The user has denied your application access.")
    person = hub.world.person(form.get("account", [""])[0])
    if person is None:
        raise _Unusable(422, "Nobody chosen", "Choose one of the accounts on the page before.")
    granted = wish.scopes
    if "choosing" in form:
        granted = [scope for scope in wish.scopes if scope in form.get("grant", [])]
    code = Code(
        client_id=wish.client.client_id,
        redirect_uri=wish.redirect_uri,
        authorization=_authorization(hub, wish.client.client_id, person.login).id,
        scopes=granted,
        challenge=wish.challenge,
        expires_at=hub.now() + CODE_SECONDS,
    )
    text = secrets.token_hex(10)
    hub.world.codes = {old: kept for old, kept in hub.world.codes.items() if kept.expires_at > hub.now()}
    hub.world.codes[text] = code
    hub.performed("POST /login/oauth/authorize")
    return wish.back(code=text)


def _authorization(hub: Hub, client_id: str, login: str) -> Authorization:
    for known in hub.world.authorizations.values():
        if (known.client_id, known.login) == (client_id, login):
            return known
    new = Authorization(id=hub.world.new_id(), client_id=client_id, login=login)
    hub.world.authorizations[new.id] = new
    return new


class _TokenRefused(Exception):
    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.answer = {"error": error, "error_description": description, "error_uri": DOCS}


async def _token_fields(request: Request) -> dict[str, str]:
    """Form or JSON; client credentials also by basic authentication."""
    try:
        if "json" in request.headers.get("content-type", ""):
            told = json.loads(await request.body())
            fields = {str(name): str(value) for name, value in told.items()} if isinstance(told, dict) else {}
        else:
            fields = {name: values[0] for name, values in (await read_form(request)).items()}
    except ValueError:
        raise _TokenRefused("invalid_request", "The request could not be read.") from None
    client_id, secret = _basic(request)
    return {**({"client_id": client_id, "client_secret": secret} if client_id else {}), **fields}


def _exchange(hub: Hub, fields: Mapping[str, str]) -> dict[str, str]:
    client = hub.world.client(fields.get("client_id", ""))
    if client is None or not _same(client.client_secret, fields.get("client_secret", "")):
        raise _TokenRefused("incorrect_client_credentials", "The client_id and/or client_secret are incorrect.")
    if fields.get("grant_type", "authorization_code") != "authorization_code":
        raise _TokenRefused("unsupported_grant_type", "The sandbox gives tokens for codes only.")
    text = fields.get("code", "")
    code = hub.world.codes.get(text)
    expired = _TokenRefused("bad_verification_code", "The code passed is incorrect or expired.")
    if code is None or code.client_id != client.client_id or code.expires_at <= hub.now():
        raise expired
    if fields.get("redirect_uri", code.redirect_uri) != code.redirect_uri:
        raise _TokenRefused("redirect_uri_mismatch", "The redirect_uri is not the one of the authorization.")
    # One chance: a code that meets a wrong verifier may be in the wrong hands
    del hub.world.codes[text]
    if code.challenge and not _same(code.challenge, challenge_of(fields.get("code_verifier", ""))):
        raise expired
    if code.authorization not in hub.world.authorizations:
        raise expired
    return {"access_token": _mint(hub, code), "scope": ",".join(code.scopes), "token_type": "bearer"}


def _mint(hub: Hub, code: Code) -> str:
    tokens = SandboxTokens(bytes.fromhex(hub.world.signing_key))
    facts: Shape = {
        "authorization": code.authorization,
        "scopes": [*code.scopes],
        "issued_at": int(hub.now()),
    }
    return tokens.mint(OAUTH_PREFIX, facts)


async def _manage(hub: Hub, request: Request, *, whole_grant: bool) -> Response:
    try:
        client = _basic_client(hub, request)
        token = await _named_token(request)
        authorization = _authorization_of(hub, client, token)
    except Refused as refused:
        return refused.response()
    if request.method == "POST":
        return JSONResponse(_token_shape(hub, client, authorization, token, root_of(request)))
    if whole_grant:
        del hub.world.authorizations[authorization.id]
    else:
        hub.world.revoked.add(fingerprint(token))
    hub.performed(f"DELETE /applications/{{client_id}}/{'grant' if whole_grant else 'token'}")
    return Response(status_code=204)


def _basic_client(hub: Hub, request: Request) -> OAuthClient:
    client_id, secret = _basic(request)
    client = hub.world.client(client_id)
    if not client_id:
        raise Refused(401, "Requires authentication")
    if client is None or not _same(client.client_secret, secret):
        raise Refused(401, "Bad credentials")
    if client_id != request.path_params["client_id"]:
        raise not_found()
    return client


async def _named_token(request: Request) -> str:
    try:
        body = json.loads(await request.body())
        token = body["access_token"]
    except (ValueError, KeyError, TypeError):
        raise Refused(422, 'Invalid request.\n\n"access_token" wasn\'t supplied.') from None
    return str(token)


def _authorization_of(hub: Hub, client: OAuthClient, token: str) -> Authorization:
    """The living authorization behind a token of this client; raises Refused (404)."""
    facts = SandboxTokens(bytes.fromhex(hub.world.signing_key)).read(OAUTH_PREFIX, token, hub.now())
    number = facts.get("authorization") if facts else None
    authorization = hub.world.authorizations.get(number) if isinstance(number, int) else None
    if authorization is None or find_caller(hub, token) is None or authorization.client_id != client.client_id:
        raise not_found()
    return authorization


def _token_shape(hub: Hub, client: OAuthClient, authorization: Authorization, token: str, root: str) -> Shape:
    caller = find_caller(hub, token)
    when = hub.stamp()
    return {
        "id": authorization.id,
        "url": f"{root}/authorizations/{authorization.id}",
        "app": {"client_id": client.client_id, "name": client.name, "url": ""},
        "token": token,
        "hashed_token": fingerprint(token),
        "token_last_eight": token[-8:],
        "scopes": [*sorted(caller.scopes)] if caller else [],
        "user": user_shape(caller.person, root) if caller else None,
        "note": None,
        "note_url": None,
        "fingerprint": None,
        "created_at": when,
        "updated_at": when,
        "expires_at": None,
    }


def _basic(request: Request) -> tuple[str, str]:
    kind, _, told = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        name, _, secret = b64decode(told, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, secret


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode())

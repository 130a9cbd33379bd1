"""OAuth as a GitHub OAuth application meets it: consent, code for token, check and revoke.

Sources: GitHub's "Authorizing OAuth apps" and "Scopes for OAuth apps"; PKCE from RFC 7636 (S256 only). Errors
of the token endpoint come with HTTP 200 and an `error` member, and form-encoded unless JSON is asked for, as
GitHub does.
"""

import json
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import fingerprint
from adapters._kit.sandbox_oauth import (
    Issued,
    OAuthClient,
    OAuthFacts,
    TokenKind,
    TokenRefused,
    basic_credentials,
    same,
)
from adapters._kit.sandbox_oauth_state import Authorization
from adapters.github.sandbox_api import DOCS, Refused, Shape, find_caller, not_found, root_of
from adapters.github.sandbox_shapes import user_shape
from adapters.github.sandbox_state import Hub, World

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
    "admin:org": "Manage your organisations: their teams, members and settings",
    "gist": "Write gists",
    "notifications": "Read your notifications",
}
_CONTAINS = {
    "repo": {"public_repo", "repo:status", "repo_deployment", "repo:invite", "security_events"},
    "user": {"read:user", "user:email"},
}


def facts(world: World) -> OAuthFacts:
    """GitHub's ways: scopes folded into wider ones, refusals with 200, forms as answers unless JSON is wanted."""
    return OAuthFacts(
        service="GitHub",
        authorize="/login/oauth/authorize",
        token="/login/oauth/access_token",  # noqa: S106  a path
        scopes=SCOPE_WORDS,
        accounts=lambda: [(person.login, person.name) for person in world.people if person.members is None],
        kinds=(TokenKind(prefix="gho_sandbox_", refresh_prefix="ghr_sandbox_"),),
        contains=_CONTAINS,
        folds=True,
        unknown_scopes="dropped",
        redirects="below",
        errors={
            "invalid_client": "incorrect_client_credentials",
            "invalid_grant": "bad_verification_code",
            "invalid_grant refresh_token": "bad_refresh_token",
            "redirect_uri_mismatch": "redirect_uri_mismatch",
        },
        answer_token=_answer,
        refuse_token=_refusal,
        send=_encoded,
    )


def _answer(issued: Issued) -> Shape:
    """Tokens of a GitHub App expire and carry no scopes; those of an OAuth application do neither."""
    token = issued.first
    answer: Shape = {"access_token": token.access_token, "token_type": "bearer"}
    if token.refresh_token is None:
        return {**answer, "scope": ",".join(token.scopes)}
    refresh: Shape = {
        "refresh_token": token.refresh_token,
        "refresh_token_expires_in": token.refresh_expires_in,
    }
    return {**answer, "scope": "", "expires_in": token.expires_in, **refresh}


def _refusal(refused: TokenRefused) -> tuple[int, Shape]:
    return 200, {"error": refused.error, "error_description": refused.description, "error_uri": DOCS}


def _encoded(request: Request, status: int, body: Shape) -> Response:
    headers = {"Cache-Control": "no-store"}
    if "json" in request.headers.get("accept", ""):
        return JSONResponse(body, status_code=status, headers=headers)
    text, kind = urlencode(body), "application/x-www-form-urlencoded"
    return Response(text, status_code=status, headers=headers, media_type=kind)


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
        hub.oauth.end_authorization(authorization.id)
    else:
        hub.oauth.revoke(token)
    hub.performed(f"DELETE /applications/{{client_id}}/{'grant' if whole_grant else 'token'}")
    return Response(status_code=204)


def _basic_client(hub: Hub, request: Request) -> OAuthClient:
    client_id, secret = basic_credentials(request)
    client = hub.world.oauth.client(client_id)
    if not client_id:
        raise Refused(401, "Requires authentication")
    if client is None or not same(client.client_secret, secret):
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
    access = hub.oauth.look(token)
    if isinstance(access, str) or access.authorization is None or access.client_id != client.client_id:
        raise not_found()
    return hub.world.oauth.authorizations[access.authorization]


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

"""Connect with OAuth in the Stripe sandbox: consent, code for account, and taking it back.

Sources: the OAuth reference of Stripe Connect. There is no PKCE; the application proves itself by its secret key, as
`client_secret`, as bearer or as user name; the answer names the account. `read_only` is what it gets when it does not
ask.
"""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import read_form
from adapters._kit.sandbox_oauth import Issued, OAuthFacts, TokenKind
from adapters.stripe.sandbox_api import key_of
from adapters.stripe.sandbox_state import PLATFORM, Hub, Shape, World

_SCOPES = {
    "read_only": "View everything in the account",
    "read_write": "View and change everything in the account, charges and refunds too",
}


def facts(world: World) -> OAuthFacts:
    """Stripe's ways."""

    def answer(issued: Issued) -> Shape:
        scopes = issued.first.scopes
        world.granted[f"{issued.client.client_id} {issued.account}"] = scopes
        return {
            "access_token": issued.first.access_token,
            "livemode": False,
            "refresh_token": issued.first.refresh_token,
            "scope": " ".join(scopes),
            "stripe_publishable_key": "pk_test_sandbox",
            "stripe_user_id": issued.account,
            "token_type": "bearer",
        }

    return OAuthFacts(
        service="Stripe",
        authorize="/connect/oauth/authorize",
        token="/connect/oauth/token",  # noqa: S106  a path
        scopes=_SCOPES,
        accounts=lambda: [(each.id, each.name) for each in world.businesses.values() if each.id != PLATFORM],
        kinds=(TokenKind(prefix="sk_test_sandbox_oauth_", refresh_prefix="rt_sandbox_"),),
        contains={"read_write": {"read_only"}},
        folds=True,
        pkce="off",
        client_auth=frozenset({"post", "basic", "bearer"}),
        code_seconds=300,
        read=_with_default_scope,
        answer_token=answer,
    )


def _with_default_scope(fields: Mapping[str, str]) -> Mapping[str, str]:
    return fields if fields.get("scope") else {**fields, "scope": "read_only"}


def connect_routes(hub: Hub) -> list[Route]:
    """What the OAuth server does not have by itself."""

    async def deauthorize(request: Request) -> Response:
        try:
            fields = {name: values[0] for name, values in (await read_form(request)).items()}
        except ValueError:
            return _refused(400, "invalid_request", "The form is larger than it can be.")
        secret = key_of(request) or fields.get("client_secret", "")
        client = hub.world.oauth.client(fields.get("client_id", ""))
        account = fields.get("stripe_user_id", "")
        if client is None or client.client_secret != secret:
            return _refused(401, "invalid_client", "No such application, or its key is another.")
        for each in [*hub.world.oauth.authorizations.values()]:
            if (each.client_id, each.account) == (client.client_id, account):
                hub.oauth.end_authorization(each.id)
                hub.performed("POST /connect/oauth/deauthorize")
                return JSONResponse({"stripe_user_id": account})
        words = "This application is not connected to the account, or that account does not exist."
        return _refused(401, "invalid_client", words)

    return [Route("/connect/oauth/deauthorize", deauthorize, methods=["POST"])]


def _refused(status: int, error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status_code=status)

"""OAuth as a Slack app meets it: a bot token and, when asked for, a person's token in one answer.

Sources: Slack's "Installing with OAuth", oauth.v2.access and "Using token rotation". Every answer of the token
endpoint has HTTP 200; `ok` tells, `error` says why not. There is no PKCE.
"""

from adapters._kit.sandbox_oauth import (
    Issued,
    Minted,
    OAuthFacts,
    Shape,
    TokenKind,
    TokenRefused,
)
from adapters.slack.sandbox_state import APP_ID, BOT_USER, TEAM_ID, TEAM_NAME, World

SCOPE_WORDS = {
    "channels:read": "See the public channels",
    "channels:history": "Read messages of public channels it is in",
    "channels:manage": "Create public channels and manage those",
    "channels:join": "Join public channels",
    "chat:write": "Send messages as the app",
    "reactions:write": "Add emoji reactions",
    "im:write": "Begin direct messages",
    "files:read": "See files in channels it is in",
    "files:write": "Upload files",
    "users:read": "See the people of the workspace",
    "users:read.email": "See their e-mail addresses",
    "search:read": "Search in all that you can see",
}


def facts(world: World) -> OAuthFacts:
    """Slack's ways: two kinds of token, commas, errors with 200, no PKCE."""
    return OAuthFacts(
        service="Slack",
        authorize="/oauth/v2/authorize",
        token="/api/oauth.v2.access",  # noqa: S106  a path
        scopes=SCOPE_WORDS,
        accounts=lambda: [(one.id, one.real_name) for one in world.people if not (one.is_bot or one.deleted)],
        kinds=(
            TokenKind("bot", "scope", "xoxb-sandbox-", "xoxe-1-sandbox-bot-", never=frozenset({"search:read"})),
            TokenKind("user", "user_scope", "xoxp-sandbox-", "xoxe-1-sandbox-user-"),
        ),
        separator=",",
        pkce="off",
        errors={
            "invalid_client": "bad_client_secret",
            "invalid_grant": "invalid_code",
            "invalid_grant refresh_token": "invalid_refresh_token",
            "redirect_uri_mismatch": "bad_redirect_uri",
            "unsupported_grant_type": "invalid_grant_type",
            "invalid_request": "invalid_arguments",
        },
        answer_token=_answer,
        refuse_token=lambda refused: (200, _refusal(refused)),
    )


def _answer(issued: Issued) -> Shape:
    """The bot's token at the top, the person's in `authed_user`; a refreshed one is at the top, whichever it is."""
    bot, user = issued.tokens.get("bot"), issued.tokens.get("user")
    workspace: Shape = {
        "ok": True,
        "app_id": APP_ID,
        "team": {"id": TEAM_ID, "name": TEAM_NAME},
        "enterprise": None,
        "is_enterprise_install": False,
    }
    if issued.grant_type == "refresh_token":
        return {**workspace, **_members(issued.first)}
    person: Shape = {"id": issued.account, **(_members(user) if user else {})}
    own: Shape = {**_members(bot), "bot_user_id": BOT_USER} if bot else {}
    return {**workspace, **own, "authed_user": person}


def _members(token: Minted) -> Shape:
    told: Shape = {
        "access_token": token.access_token,
        "token_type": token.kind,
        "scope": ",".join(token.scopes),
    }
    if token.refresh_token is not None:
        told |= {"refresh_token": token.refresh_token, "expires_in": token.expires_in}
    return told


def _refusal(refused: TokenRefused) -> Shape:
    return {"ok": False, "error": refused.error}

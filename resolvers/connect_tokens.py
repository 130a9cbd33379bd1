"""Connect tokens: made for another front end's server, so that no caller's token has to go into a browser.

    mct_<43 url-safe base64: 256 random bits>

Only a digest is kept, as of every secret that a browser brings. A token opens the connect page and nothing else.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from domain.callers import Caller
from domain.connect_tokens import ConnectToken
from domain.errors import InvalidInput
from domain.history import Occurrence
from domain.ids import new_id
from domain.secrets import Secret
from resolvers.connections import allowed_redirect, check_name
from resolvers.services import Services

SHORTEST_SECONDS: Final = 60
LONGEST_SECONDS: Final = 4 * 3_600
_MARK: Final = "mct_"
_LONGEST_TOKEN: Final = 100
_MOST_NAMES: Final = 100


@dataclass(frozen=True, slots=True)
class NewConnectToken:
    """What somebody may connect, and how the page for it may be used."""

    external_user_id: str
    integrations: Sequence[str] | None = None
    actions: Sequence[str] | None = None
    allowed_origins: Sequence[str] = ()
    redirect_uri: str | None = None
    expires_in_seconds: int = 600


@dataclass(frozen=True, slots=True)
class IssuedConnectToken:
    """Shown once. `url` is the hosted page."""

    text: Secret
    url: str
    expires_at: datetime


async def create_connect_token(services: Services, caller: Caller, wanted: NewConnectToken) -> IssuedConnectToken:
    """For whoever may connect. What it allows is checked now: the person at the page should meet no mistake."""
    caller.require("createConnectToken")
    check_name("externalUserId", wanted.external_user_id)
    if not SHORTEST_SECONDS <= wanted.expires_in_seconds <= LONGEST_SECONDS:
        raise InvalidInput(f"{SHORTEST_SECONDS} to {LONGEST_SECONDS} seconds.", ("input", "expiresInSeconds"))
    integrations = _integrations(services, wanted)
    now = datetime.now(UTC)
    token = ConnectToken(
        id=new_id(),
        tenant=caller.tenant,
        external_user_id=wanted.external_user_id,
        integrations=integrations,
        actions=_actions(services, wanted, integrations),
        allowed_origins=_origins(services, wanted.allowed_origins),
        redirect_uri=allowed_redirect(services, wanted.redirect_uri),
        created_by=caller.actor,
        created_at=now,
        expires_at=now + timedelta(seconds=wanted.expires_in_seconds),
        browser_digest=None,
        session_id=None,
        connection_id=None,
    )
    text = _MARK + secrets.token_urlsafe(32)
    async with services.stores.of(caller.tenant) as store:
        await store.connect_tokens.add(token, digest(services, text))
        store.history.note(Occurrence(type="connect_token.created", actor=caller.actor))
    return IssuedConnectToken(Secret(text), f"{services.deployment.public_url}/connect/{text}", token.expires_at)


def digest(services: Services, text: str) -> bytes:
    """What is kept of a token. Longer texts than any of ours are cut: they are none."""
    return services.fingerprints.of(b"connect-token", text[:_LONGEST_TOKEN].encode(errors="replace"))


def is_origin(text: str) -> bool:
    """Whether this is an origin as a browser writes it (RFC 6454, section 6.2): scheme, host, perhaps a port."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises when it is none
    except ValueError:
        return False
    is_plain = text.isascii() and text.isprintable() and not {" ", "\\", "@", ";", ",", "'", '"', "*"} & set(text)
    return is_plain and parts.scheme in ("https", "http") and text == f"{parts.scheme}://{parts.netloc}".lower()


def _integrations(services: Services, wanted: NewConnectToken) -> tuple[str, ...] | None:
    """Those named; those of the actions when only actions are; None for all."""
    if wanted.integrations is None:
        if wanted.actions is None:
            return None
        return tuple(dict.fromkeys(slug.partition(".")[0] for slug in wanted.actions))
    if not 0 < len(wanted.integrations) <= _MOST_NAMES:
        raise InvalidInput(f"1 to {_MOST_NAMES} integrations, or none named for all.", ("input", "integrations"))
    for index, slug in enumerate(wanted.integrations):
        if slug not in services.catalogue.integrations:
            raise InvalidInput("There is no such integration.", ("input", "integrations", str(index)))
    return tuple(dict.fromkeys(wanted.integrations))


def _actions(
    services: Services, wanted: NewConnectToken, integrations: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    if wanted.actions is None:
        return None
    if not 0 < len(wanted.actions) <= _MOST_NAMES:
        raise InvalidInput(f"1 to {_MOST_NAMES} actions, or none named for reading.", ("input", "actions"))
    for index, slug in enumerate(wanted.actions):
        action = services.catalogue.action(slug)
        if action is None or (integrations is not None and action.integration not in integrations):
            raise InvalidInput("This names no action of these integrations.", ("input", "actions", str(index)))
    return tuple(dict.fromkeys(wanted.actions))


def _origins(services: Services, wanted: Sequence[str]) -> tuple[str, ...]:
    """Only what the operator allows: a tenant cannot let just any page embed ours."""
    if len(wanted) > _MOST_NAMES:
        raise InvalidInput(f"At most {_MOST_NAMES} origins.", ("input", "allowedOrigins"))
    for index, origin in enumerate(wanted):
        if not is_origin(origin):
            message = "This is not an origin: it looks like https://app.example, without a path."
            raise InvalidInput(message, ("input", "allowedOrigins", str(index)))
        if origin not in services.deployment.allowed_origins:
            message = "Pages of this origin may not embed ours. An operator adds it to MANDATE_ALLOWED_ORIGINS."
            raise InvalidInput(message, ("input", "allowedOrigins", str(index)))
    return tuple(dict.fromkeys(wanted))

"""What happens on the connect page: a person who is no caller of ours connects one account, in one browser.

    open_by_token   the link is followed: this browser gets a key to the page, and the token leaves the address
    opened          the page as it stands, for the browser that has the key
    leave_for       the person agreed: an OAuth flow is begun, bound to this browser on its departure as any other
    connect_by_key  the person typed a key: tested before it is stored

The first two change nothing, so that whatever looks at links in mails uses none up. With the first of the last two the
token belongs to the browser: no other can do anything with it from then on.
"""

import hmac
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import UUID

from domain.callers import Caller, Role
from domain.catalogue import AuthScheme, Integration, Permission
from domain.connect_tokens import ConnectToken
from domain.connections import Connection, ConnectSession, SessionStatus
from domain.errors import Conflict, NotFound
from domain.ids import Kind, public_id
from domain.secrets import Secret
from resolvers.connect_tokens import digest
from resolvers.connecting import address
from resolvers.connections import ConnectRequest, connect, least_scopes
from resolvers.services import Services

ENDED: Final = "This link has ended. Go back to where you came from and ask for a new one."
OTHER_BROWSER: Final = "Somebody is connecting with this link already, in another browser. Ask for a link of your own."
TAKEN: Final = "This was sent twice, or in two windows. Look at the first one, or try again in a moment."
USED: Final = "An account was connected with this link already, and it is good for one only."
_STARTED_AGAIN: Final = "The person started again."
_HOLD: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class PageKey:
    """What makes a browser the one that opened a page. It goes into a cookie, or into the forms of a frame."""

    token: UUID
    text: Secret

    @property
    def name(self) -> str:
        """Enough to keep one browser's pages apart, and no way to open one."""
        return self.token.hex


@dataclass(frozen=True, slots=True)
class Offer:
    """An integration as the page offers it, and what connecting it would allow."""

    integration: Integration
    schemes: tuple[AuthScheme, ...]
    permissions: tuple[Permission, ...]
    actions: tuple[str, ...]  # titles, of those the token names


@dataclass(frozen=True, slots=True)
class Page:
    """The page as it stands. `session` is the OAuth flow that was begun last."""

    token: ConnectToken
    offers: Mapping[str, Offer]
    session: ConnectSession | None
    connection: Connection | None

    @property
    def is_open(self) -> bool:
        """Whether something can still be connected."""
        return self.connection is None and self.token.expires_at > datetime.now(UTC)


async def open_by_token(services: Services, text: str) -> tuple[PageKey, Page]:
    """A key for the browser that followed the link. Raises NotFound when there is no such link, or it has ended."""
    found = await services.gate.connect_token(digest=digest(services, text))
    if found is None:
        raise NotFound(ENDED)
    page = await _page(services, *found)
    if page is None or not page.is_open:
        raise NotFound(ENDED)
    nonce = secrets.token_urlsafe(24)
    return PageKey(found[1], Secret(f"{nonce}.{_seal(services, found[1], nonce)}")), page


async def opened(services: Services, name: str, key: str) -> Page:
    """The page for the browser with this key. Raises NotFound when the key does not open it."""
    token_id = _id_of(services, name, key)
    found = await services.gate.connect_token(id=token_id) if token_id else None
    page = await _page(services, *found) if found else None
    if page is None:
        raise NotFound(ENDED)
    if page.token.browser_digest is not None and page.token.browser_digest != _browser(services, key):
        raise NotFound(OTHER_BROWSER)
    return page


def form_token(services: Services, key: str) -> str:
    """What each form of the page carries, so that no other page can send one (CSRF)."""
    return services.fingerprints.of(b"connect-form", key.encode(errors="replace")).hex()


def is_own_form(services: Services, key: str, given: str) -> bool:
    """Whether the form is one that we made for this browser."""
    return hmac.compare_digest(form_token(services, key).encode(), given.encode(errors="replace"))


async def leave_for(services: Services, page: Page, key: str, slug: str) -> str:
    """Begin the OAuth flow; where the browser goes. Raises a Refusal with what the person can do."""
    offer = _offered(page, slug, AuthScheme.OAUTH2)
    async with _claimed(services, page, key) as kept:
        request = ConnectRequest(
            integration=slug,
            auth_scheme=AuthScheme.OAUTH2,
            actions=_actions_of(page.token, offer.integration),
            external_user_id=page.token.external_user_id,
        )
        back = f"{services.deployment.public_url}/connect/at/{page.token.id.hex}"
        session = await connect(services, _caller(page.token), request, page=back)
        if not isinstance(session, ConnectSession):
            raise TypeError("OAuth begins with a session")
        kept["session_id"] = session.id
    return address(services, session.id)


async def connect_by_key(services: Services, page: Page, key: str, slug: str, fields: Mapping[str, str]) -> Connection:
    """Test what was typed and store it. Raises InvalidParameters with every mistake, or another Refusal."""
    _offered(page, slug, AuthScheme.API_KEY)
    async with _claimed(services, page, key) as kept:
        request = ConnectRequest(
            integration=slug,
            auth_scheme=AuthScheme.API_KEY,
            credentials=dict(fields),
            external_user_id=page.token.external_user_id,
        )
        made = await connect(services, _caller(page.token), request)
        if not isinstance(made, Connection):
            raise TypeError("a key makes a connection")
        kept["connection_id"] = made.id
    return made


def way_back(page: Page) -> str | None:
    """The allow-listed address that the token names, with how it ended; None when it names none."""
    uri = page.token.redirect_uri
    if uri is None:
        return None
    told = {"status": "completed" if page.connection else "failed" if page.session else "cancelled"}
    if page.session is not None:
        told["session"] = public_id(Kind.CONNECT_SESSION, page.session.id)
    if page.connection is not None:
        told["connection"] = public_id(Kind.CONNECTION, page.connection.id)
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query, keep_blank_values=True), *told.items()])))


async def _page(services: Services, tenant: str, token_id: UUID) -> Page | None:
    async with services.stores.of(tenant) as store:
        token = await store.connect_tokens.get(token_id)
        if token is None:
            return None
        off, own = await store.switches.off(), await store.applications.all_current()
        session = await store.sessions.get(token.session_id) if token.session_id else None
        made = token.connection_id or (session.connection_id if session else None)
        connection = (await store.connections.get([made])).get(made) if made else None
    offers = {
        slug: offer
        for slug, integration in services.catalogue.integrations.items()
        if slug not in off
        and (token.integrations is None or slug in token.integrations)
        and (offer := _offer(integration, token, has_own=slug in own)).schemes
    }
    return Page(token, offers, session, connection)


def _offer(integration: Integration, token: ConnectToken, *, has_own: bool) -> Offer:
    """What can be connected here and now: by key alone where neither deployment nor tenant has an OAuth application."""
    is_consentable = integration.oauth is not None or (has_own and integration.takes_applications)
    schemes = tuple(each for each in integration.auth_schemes if each is AuthScheme.API_KEY or is_consentable)
    slugs = _actions_of(token, integration)
    scopes = least_scopes(integration, ConnectRequest(integration.slug, actions=slugs))
    titles = tuple(integration.actions[slug].title for slug in slugs or ())
    return Offer(integration, schemes, integration.explain(scopes), titles)


def _actions_of(token: ConnectToken, integration: Integration) -> list[str] | None:
    if token.actions is None:
        return None
    return [slug for slug in token.actions if slug in integration.actions]


def _offered(page: Page, slug: str, scheme: AuthScheme) -> Offer:
    offer = page.offers.get(slug)
    if offer is None or scheme not in offer.schemes:
        raise NotFound("This cannot be connected here.")
    return offer


@asynccontextmanager
async def _claimed(services: Services, page: Page, key: str) -> AsyncIterator[dict[str, UUID]]:
    """The token for one submission; what is put into the mapping is kept. An earlier flow that is open ends."""
    token, led_to = page.token, dict[str, UUID]()
    if page.connection is not None:
        raise Conflict(USED)
    async with services.stores.of(token.tenant) as store:
        claimed = await store.connect_tokens.claim(token.id, _browser(services, key), _HOLD)
        earlier = claimed.session_id if claimed else None
        if earlier is not None:
            await store.sessions.finish(earlier, SessionStatus.FAILED, error=_STARTED_AGAIN)
            ended = await store.sessions.get(earlier)
            if ended is not None and ended.connection_id is not None:  # it came to a good end a moment ago
                raise Conflict(USED)
    if claimed is None:
        raise Conflict(await _why_not(services, page, key))
    try:
        yield led_to
    finally:
        async with services.stores.of(token.tenant) as store:
            await store.connect_tokens.release(token.id, **led_to)


async def _why_not(services: Services, page: Page, key: str) -> str:
    now = await _page(services, page.token.tenant, page.token.id)
    if now is None or (now.connection is None and not now.is_open):
        return ENDED
    if now.connection is not None:
        return USED
    is_ours = now.token.browser_digest in (None, _browser(services, key))
    return TAKEN if is_ours else OTHER_BROWSER


def _caller(token: ConnectToken) -> Caller:
    """Whom history names: the person at the page, in the words of whoever made the token."""
    return Caller(token.tenant, f"external:{token.external_user_id}", frozenset({Role.MEMBER}))


def _id_of(services: Services, name: str, key: str) -> UUID | None:
    nonce, _, seal = key.partition(".")
    try:
        token_id = UUID(hex=name)
    except ValueError:
        return None
    expected = _seal(services, token_id, nonce).encode()
    return token_id if hmac.compare_digest(expected, seal.encode(errors="replace")) else None


def _seal(services: Services, token_id: UUID, nonce: str) -> str:
    return services.fingerprints.of(b"connect-page", token_id.bytes, nonce.encode(errors="replace")).hex()


def _browser(services: Services, key: str) -> bytes:
    return services.fingerprints.of(b"connect-browser", key.encode(errors="replace"))

"""Connecting an account by OAuth: begin here, depart with a browser, return to be settled.

    begin     a session is opened; its link is ours, so that the browser that follows it can be bound with a cookie
    depart    the browser gets its cookie, the session a state and a PKCE verifier, and off it goes to the service
    complete  same browser, same state, once: the code is exchanged, the account named, the connection settled

(RFC 6749 section 10.12 and RFC 9700 section 4.7: state bound to the user agent, single use.)
"""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import UUID

from db.store import Store
from domain.catalogue import Integration, OAuthApplication
from domain.connections import ConnectSession, SessionStatus
from domain.errors import MandateError, Misconfigured, NotFound, Refusal
from domain.history import Occurrence
from domain.ids import Kind, new_id, public_id
from domain.secrets import Secret
from resolvers.accounts import Wish, give_back, prove, sealing_key, settle
from resolvers.services import Services
from vault.applications import made_by
from vault.oauth import authorization_url, new_verifier

LINK_EXPIRED = "This link is no longer valid. Go back to where you came from and start connecting again."
OTHER_BROWSER = "This page was opened in another browser than the one that started. Start connecting again."
DENIED = "You did not allow the connection, so nothing was connected."
SERVICE_ERROR = "{} reported a problem, so nothing was connected. Start connecting again."


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser goes, and what binds it: `browser` is known to that browser alone, under the session's `name`.

    One browser can be on several ways at once, so each session has a name of its own.
    """

    url: str
    name: str
    browser: Secret


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a session ended, for the page the person sees, and where the browser goes from there."""

    is_connected: bool
    message: str
    integration: str | None = None
    account: str | None = None
    redirect_to: str | None = None


@dataclass(frozen=True, slots=True)
class Callback:
    """What the service sent back with the browser."""

    state: str | None
    code: str | None
    error: str | None
    browsers: Mapping[str, str]  # what this browser was given at its departures, by name


async def begin(
    services: Services,
    store: Store,
    integration: Integration,
    scopes: Sequence[str],
    wish: Wish,
    redirect_uri: str | None,
    actor: str,
) -> ConnectSession:
    """Open a session. Raises Misconfigured when there is no OAuth application to act as."""
    await application_of(services, store, integration)
    now = datetime.now(UTC)
    session = ConnectSession(
        id=new_id(),
        integration=integration.slug,
        status=SessionStatus.OPEN,
        requested_scopes=tuple(scopes),
        redirect_uri=redirect_uri,
        label=wish.label,
        external_user_id=wish.external_user_id,
        reconnects=wish.reconnects,
        opened_by=actor,
        created_at=now,
        expires_at=now + timedelta(minutes=services.deployment.session_minutes),
        connection_id=None,
        error=None,
    )
    await store.sessions.add(session, _digest(services, link(services, session.id)))
    store.history.note(_occurrence("connect_session.opened", session, actor))
    return session


async def application_of(services: Services, store: Store, integration: Integration) -> OAuthApplication:
    """The tenant's own application, else the deployment's. Raises Misconfigured with what is to be set."""
    kept = await store.applications.current(integration.slug)
    application = await services.applications.opened(store.tenant, integration, kept)
    if application is None:
        raise Misconfigured(
            f"{integration.name} has no OAuth application yet. Bring your own with `setAuthConfig`, or have the "
            f"operator set client_id and client_secret under [integrations.{integration.slug}] in the file that "
            "MANDATE_CONFIG names."
        )
    return application


def link(services: Services, session_id: UUID) -> str:
    """The secret part of a session's address; made anew from its id whenever it is needed, and stored nowhere."""
    return public_id(Kind.CONNECT_SESSION, session_id) + "." + services.fingerprints.of(b"link", session_id.bytes).hex()


def address(services: Services, session_id: UUID) -> str:
    """Where to send the person's browser."""
    return f"{services.deployment.public_url}/oauth/start/{link(services, session_id)}"


async def depart(services: Services, link_text: str) -> Departure:
    """Bind the session to the browser that follows its link. Raises NotFound when the link is spent or unknown."""
    found = await services.gate.connect_session(link=_digest(services, link_text))
    if found is None:
        raise NotFound(LINK_EXPIRED)
    tenant, session_id = found
    state, browser, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(32), new_verifier()
    async with services.stores.of(tenant) as store:
        session = await store.sessions.get(session_id)
        if session is None or session.expires_at <= datetime.now(UTC):
            raise NotFound(LINK_EXPIRED)
        application = await application_of(services, store, services.catalogue.integrations[session.integration])
        sealed = await services.vault.seal_verifier(await sealing_key(services, store), tenant, session_id, verifier)
        if not await store.sessions.depart(session_id, _digest(services, state), _digest(services, browser), sealed):
            raise NotFound(LINK_EXPIRED)
    url = authorization_url(application, session.requested_scopes, state, services.deployment.callback_url, verifier)
    return Departure(url, _name(session_id), Secret(browser))


async def complete(services: Services, callback: Callback) -> Arrival:
    """Settle what the browser brings back. Every way it can go wrong has its sentence; nothing is half stored."""
    if not callback.state:
        return Arrival(False, LINK_EXPIRED)
    found = await services.gate.connect_session(state=_digest(services, callback.state))
    if found is None:
        return Arrival(False, LINK_EXPIRED)
    tenant, session_id = found
    taken = await _take(services, tenant, session_id, callback)
    if isinstance(taken, Arrival):
        return taken
    session, verifier = taken
    integration = services.catalogue.integrations[session.integration]
    if callback.error or not callback.code:
        message = DENIED if callback.error == "access_denied" else SERVICE_ERROR.format(integration.name)
        return await _fail(services, tenant, session, integration, message)
    try:
        return await _settle(services, tenant, session, integration, callback.code, verifier)
    except (Refusal, Misconfigured) as refusal:
        return await _fail(services, tenant, session, integration, refusal.message)
    except MandateError:
        await _fail(services, tenant, session, integration, SERVICE_ERROR.format(integration.name))
        raise


async def expire_sessions(services: Services) -> int:
    """Close the sessions that nobody finished in time. Returns how many."""
    lapsed = await services.gate.lapsed_sessions()
    for tenant, session_id in lapsed:
        async with services.stores.of(tenant) as store:
            ended = await store.sessions.finish(session_id, SessionStatus.EXPIRED, error=LINK_EXPIRED)
            if ended is not None:
                store.history.note(_occurrence("connect_session.expired", ended, "system"))
    return len(lapsed)


async def _take(
    services: Services, tenant: str, session_id: UUID, callback: Callback
) -> tuple[ConnectSession, Secret] | Arrival:
    """The session, if this browser may finish it; its state is spent in the same transaction."""
    async with services.stores.of(tenant) as store:
        kept = await store.sessions.secrets(session_id)
        session = await store.sessions.get(session_id)
        expected = _digest(services, callback.state or "")
        if session is None or kept.verifier is None or kept.browser_digest is None or kept.state_digest != expected:
            return Arrival(False, LINK_EXPIRED)
        if session.status is not SessionStatus.OPEN or session.expires_at <= datetime.now(UTC):
            return Arrival(False, LINK_EXPIRED)
        if not hmac.compare_digest(
            kept.browser_digest, _digest(services, callback.browsers.get(_name(session_id), ""))
        ):
            return Arrival(False, OTHER_BROWSER)  # the state is not spent: the right browser may still arrive
        verifier = await services.vault.open_verifier(tenant, session_id, kept.verifier)
        await store.sessions.spend_state(session_id)
    return session, verifier


async def _settle(
    services: Services, tenant: str, session: ConnectSession, integration: Integration, code: str, verifier: Secret
) -> Arrival:
    async with services.stores.of(tenant) as store:
        application = await application_of(services, store, integration)
    obtained = await services.oauth.exchange(
        application, integration.name, code, services.deployment.callback_url, verifier
    )
    proof = await prove(integration, made_by(application, obtained.credential), obtained.expires_at)
    if proof.identity.scopes is None:
        told = replace(proof.identity, scopes=obtained.scopes)
        proof = replace(proof, identity=told)
    wish = Wish(session.reconnects, session.label, session.external_user_id)
    try:
        async with services.stores.of(tenant) as store:
            connection = await settle(services, store, integration, proof, wish, session.opened_by)
            ended = await store.sessions.finish(session.id, SessionStatus.COMPLETED, connection_id=connection.id)
            if ended is None:  # it expired while the person was away
                raise NotFound(LINK_EXPIRED)
            store.history.note(_occurrence("connect_session.completed", ended, session.opened_by))
    except Refusal:
        await give_back(services, tenant, integration, proof)
        raise
    label = connection.account.label if connection.account else integration.name
    return Arrival(
        True,
        f"{integration.name} is connected as {label}.",
        integration.name,
        label,
        _back(session, "completed", connection=public_id(Kind.CONNECTION, connection.id)),
    )


async def _fail(
    services: Services, tenant: str, session: ConnectSession, integration: Integration, message: str
) -> Arrival:
    async with services.stores.of(tenant) as store:
        ended = await store.sessions.finish(session.id, SessionStatus.FAILED, error=message)
        if ended is not None:
            store.history.note(_occurrence("connect_session.failed", ended, session.opened_by))
    return Arrival(False, message, integration.name, None, _back(session, "failed"))


def _back(session: ConnectSession, status: str, **more: str) -> str | None:
    """The address the caller asked for, with how it ended. It was on the allow-list when the session was opened."""
    if session.redirect_uri is None:
        return None
    parts = urlsplit(session.redirect_uri)
    told = {"session": public_id(Kind.CONNECT_SESSION, session.id), "status": status, **more}
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *told.items()])
    return urlunsplit(parts._replace(query=query))


def _occurrence(kind: str, session: ConnectSession, actor: str) -> Occurrence:
    return Occurrence(
        type=kind,
        actor=actor,
        integration=session.integration,
        connection_id=session.connection_id,
        session_id=session.id,
        status=session.status.value,
        error=session.error,
    )


def _name(session_id: UUID) -> str:
    """The random end of the id: enough to keep one browser's sessions apart, and no way to find one."""
    return session_id.hex[-12:]


def _digest(services: Services, text: str) -> bytes:
    return services.fingerprints.of(b"connect", text.encode())

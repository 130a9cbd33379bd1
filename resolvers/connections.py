"""Connected accounts: connect, look at, test, disconnect."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

from adapters._kit.integration import credential_from_fields
from db.store import Store
from domain.callers import Caller
from domain.catalogue import Action, AuthScheme, Integration
from domain.connections import Connection, ConnectionChanges, ConnectionStatus, ConnectSession
from domain.errors import (
    Conflict,
    CredentialUnreadable,
    InvalidInput,
    InvalidParameters,
    Misconfigured,
    NotFound,
    ProviderProblem,
    Violation,
)
from domain.history import Occurrence
from domain.ids import Kind, missing
from domain.json import Json
from domain.pages import Page
from resolvers.accounts import Wish, prove, refuse_ended, settle
from resolvers.connecting import begin
from resolvers.services import Services
from resolvers.waiting import call_off
from vault.applications import ways_of
from vault.health import Checked, test_setting

_LONGEST_LABEL = 100
_LONGEST_URL = 2_000
_MOST_SCOPES = 100
#: How long whoever began to disconnect has, before somebody else goes on with it; and how many are taken up at once.
_ENDING_SECONDS = 120.0
_MOST_ENDINGS = 20

#: What became of the credential at the service, as history tells it.
_CONFIRMED = "confirmed by the service"
_UNCONFIRMED = "not confirmed by the service"
_SHARED = "not asked of the service: another connection of the same account there may live by the same consent"


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """What is to be connected, and how."""

    integration: str
    auth_scheme: AuthScheme | None = None
    credentials: Json = None
    actions: Sequence[str] | None = None
    scopes: Sequence[str] | None = None
    reconnects: UUID | None = None
    label: str | None = None
    external_user_id: str | None = None
    redirect_uri: str | None = None


@dataclass(frozen=True, slots=True)
class Disconnected:
    """A connection after its end. `is_revoked_upstream` is what the service really confirmed."""

    connection: Connection
    is_revoked_upstream: bool


async def connections(
    services: Services,
    caller: Caller,
    first: int,
    after: UUID | None,
    integration: str | None = None,
    status: ConnectionStatus | None = None,
    search: str | None = None,
) -> Page[Connection]:
    """Newest first. An agent sees those it holds a grant on."""
    caller.require("connections")
    async with services.stores.of(caller.tenant) as store:
        among = None
        if caller.agent_id is not None:
            among = [grant.connection_id for grant in await store.grants.in_force_of(caller.agent_id)]
        return await store.connections.page(
            first, after, integration=integration, status=status, search=search, among=among
        )


async def connect(
    services: Services, caller: Caller, request: ConnectRequest, *, page: str | None = None
) -> Connection | ConnectSession:
    """A finished connection for API_KEY, an open session for OAUTH2.

    `page` is an address of ours that the browser comes back to, in place of the request's `redirect_uri`.
    """
    caller.require("connect")
    integration = services.catalogue.integrations.get(request.integration)
    if integration is None:
        raise NotFound(missing(Kind.INTEGRATION), ("input", "integration"))
    wish = _wish(request)
    scheme = _scheme(integration, request)
    async with services.stores.of(caller.tenant) as store:
        if integration.slug in await store.switches.off():
            message = f"{integration.name} is switched off for your tenant. An admin can switch it on."
            raise Conflict(message, ("input", "integration"))
        if wish.reconnects is not None:
            known = (await store.connections.get([wish.reconnects])).get(wish.reconnects)
            if known is None or known.integration != integration.slug:
                raise NotFound(missing(Kind.CONNECTION), ("input", "connection"))
            refuse_ended(known)
    if scheme is AuthScheme.API_KEY:
        return await _connect_by_key(services, caller, integration, request.credentials, wish)
    scopes = least_scopes(integration, request)
    redirect_uri = page or allowed_redirect(services, request.redirect_uri)
    try:
        async with services.stores.of(caller.tenant) as store:
            return await begin(services, store, integration, scopes, wish, redirect_uri, caller.actor)
    except Misconfigured as error:
        raise Conflict(error.message, ("input", "integration")) from None


async def test_connection(services: Services, caller: Caller, connection_id: UUID) -> Checked:
    """Ask the service whether the credential still works, and record what it said."""
    caller.require("testConnection")
    await _known(services, caller, connection_id)
    checked = await services.health.check(caller.tenant, connection_id, asked_by=caller.actor)
    if checked is None:
        raise Conflict("The connection was changed while it was tested. Test it again.", ("input", "id"))
    return checked


async def update_connection(
    services: Services, caller: Caller, connection_id: UUID, changes: ConnectionChanges
) -> Connection:
    """Name it, make it the default of its integration, stop or resume its use. Holds from the next execution on.

    A disabled connection keeps its credential, which goes on being renewed, so that it works when it is resumed.
    """
    caller.require("updateConnection")
    if changes.label is not None:
        check_name("label", changes.label)
    async with services.stores.of(caller.tenant) as store:
        known = (await store.connections.get([connection_id])).get(connection_id)
        if known is None:
            raise NotFound(missing(Kind.CONNECTION), ("input", "id"))
        if changes.is_default:
            await store.connections.lock_defaults(known.integration)
        before = await store.connections.locked(connection_id)
        if before is None or before.status is ConnectionStatus.REVOKED:
            raise Conflict("This connection was disconnected, so there is nothing to change.", ("input", "id"))
        refuse_ended(before, "id")
        after = await store.connections.change(before, changes)
        store.history.note(
            Occurrence(
                type=_happened(before, after),
                actor=caller.actor,
                connection_id=connection_id,
                integration=after.integration,
                status=after.status.value,
            )
        )
    return after


async def disconnect(services: Services, caller: Caller, connection_id: UUID) -> Disconnected:
    """Take every grant away, revoke at the service, destroy the credential, keep the history.

    Grants go first and in a transaction of their own: whatever the service answers, no agent acts from then on. What
    was begun there is on record, and is finished by another process when this one does not get to its end.
    """
    caller.require("disconnect")
    async with services.stores.of(caller.tenant) as store:
        connection = await store.connections.locked(connection_id)
        if connection is None:
            raise NotFound(missing(Kind.CONNECTION), ("input", "id"))
        if connection.status is ConnectionStatus.REVOKED:
            return Disconnected(connection, is_revoked_upstream=False)
        await _take_grants_away(store, caller, connection)
        await call_off(store, caller.actor, "the account was disconnected.", connection_id=connection.id)
        begun = await store.connections.begin_ending(connection_id, caller.subject, _ENDING_SECONDS)
        if not connection.is_ending:
            store.history.note(_ending("connection.disconnecting", caller, begun))
    return await _end(services, caller, connection)


async def finish_disconnects(services: Services) -> int:
    """Bring to its end what somebody began to disconnect and whose process went away; how many.

    One that cannot be ended comes round again and keeps no other one waiting. Raises what went wrong with the first.
    """
    found = await services.across.ending_connections(_MOST_ENDINGS, _ENDING_SECONDS)
    ended = await asyncio.gather(*(_finish(services, *each) for each in found), return_exceptions=True)
    for each in ended:
        if isinstance(each, BaseException):
            raise each
    return len(ended)


async def _finish(services: Services, tenant: str, connection_id: UUID) -> None:
    async with services.stores.of(tenant) as store:
        connection = (await store.connections.get([connection_id]))[connection_id]
        by = await store.connections.ending_by(connection_id)
    await _end(services, Caller(tenant, by or "operator", frozenset()), connection)


async def _end(services: Services, caller: Caller, connection: Connection) -> Disconnected:
    """The rest, from wherever it stood: each step may be done twice, and only the last one ends it."""
    connection_id = connection.id
    await services.refresher.hold_off(caller.tenant, connection_id)
    said = await _revoke_upstream(services, caller, connection)
    is_revoked = said == _CONFIRMED
    async with services.stores.of(caller.tenant) as store:
        now = await store.connections.locked(connection_id)
        if now is None or now.status is ConnectionStatus.REVOKED:  # somebody else ended it at the same time
            return Disconnected(now or connection, is_revoked_upstream=is_revoked)
        await _take_grants_away(store, caller, connection)  # those given while the service was asked
        await store.connections.destroy_credential(connection_id)
        ended = await store.connections.set_status(connection_id, ConnectionStatus.REVOKED)
        store.history.note(_ending("connection.revoked", caller, ended, said))
    return Disconnected(ended, is_revoked)


# --------------------------------------------------------------------------------------------- connecting


async def _connect_by_key(
    services: Services, caller: Caller, integration: Integration, fields: Json, wish: Wish
) -> Connection:
    """Tested before it is stored."""
    violations = integration.check_credentials(fields)
    if violations:
        raise InvalidParameters(violations, ("input", "credentials"))
    typed = fields if isinstance(fields, Mapping) else {}
    credential = credential_from_fields({name: str(value) for name, value in typed.items()})
    proof = await prove(integration, credential)
    async with services.stores.of(caller.tenant) as store:
        return await settle(services, store, integration, proof, wish, caller.actor)


def _scheme(integration: Integration, request: ConnectRequest) -> AuthScheme:
    """As asked; without asking, a key when credentials came along, else the integration's first."""
    scheme = request.auth_scheme
    if scheme is None:
        keyed = request.credentials is not None and AuthScheme.API_KEY in integration.auth_schemes
        scheme = AuthScheme.API_KEY if keyed else integration.auth_schemes[0]
    if scheme not in integration.auth_schemes:
        offered = " or ".join(each.value for each in integration.auth_schemes)
        raise InvalidInput(f"{integration.name} is connected by {offered}.", ("input", "authScheme"))
    if scheme is AuthScheme.API_KEY and request.credentials is None:
        raise InvalidParameters(
            [Violation("", "Give the fields that `credentialSchema` describes.")], ("input", "credentials")
        )
    return scheme


def least_scopes(integration: Integration, request: ConnectRequest) -> tuple[str, ...]:
    """Those asked for, or the least that the actions need; without either, what reading needs."""
    wanted: list[Action] = []
    for index, slug in enumerate(request.actions or ()):
        action = integration.actions.get(slug)
        if action is None:
            raise InvalidInput(f"This names no action of {integration.name}.", ("input", "actions", str(index)))
        wanted.append(action)
    named = tuple(request.scopes or ())
    if len(named) > _MOST_SCOPES or any(not scope.isprintable() or len(scope) > 200 for scope in named):
        raise InvalidInput("These are not scopes.", ("input", "scopes"))
    if request.actions is None and request.scopes is None:
        wanted = [each for each in integration.actions.values() if each.effect == 0]
    return tuple(dict.fromkeys((*integration.scopes_for(wanted), *(s for s in named if s and " " not in s))))


def allowed_redirect(services: Services, uri: str | None) -> str | None:
    """Only addresses on the operator's list: same origin, and the listed path or below it."""
    if uri is None:
        return None
    parts = _parts(uri) if len(uri) <= _LONGEST_URL and uri.isascii() and uri.isprintable() else None
    if parts is not None and "@" not in parts.netloc and not {"\\", " "} & set(uri) and not parts.fragment:
        for allowed in services.deployment.allowed_redirects:
            listed = urlsplit(allowed)
            base = listed.path.rstrip("/")
            same = (parts.scheme, parts.netloc.lower()) == (listed.scheme, listed.netloc.lower())
            below = parts.path in (listed.path, base) or parts.path.startswith(base + "/")
            if same and below and ".." not in parts.path.split("/") and "%" not in parts.path:
                return uri
    message = "This address is not on the list of allowed redirects. An operator adds it to MANDATE_ALLOWED_REDIRECTS."
    raise InvalidInput(message, ("input", "redirectUri"))


def _parts(uri: str) -> SplitResult | None:
    try:
        return urlsplit(uri)
    except ValueError:
        return None


def _wish(request: ConnectRequest) -> Wish:
    for name, text in (("label", request.label), ("externalUserId", request.external_user_id)):
        if text is not None:
            check_name(name, text)
    return Wish(request.reconnects, request.label, request.external_user_id)


def check_name(field: str, text: str) -> None:
    """A name for people. Raises InvalidInput at the field."""
    if not (0 < len(text) <= _LONGEST_LABEL and text.isprintable()):
        raise InvalidInput(f"1 to {_LONGEST_LABEL} printable characters.", ("input", field))


# ----------------------------------------------------------------------------------- testing, disconnecting


async def _known(services: Services, caller: Caller, connection_id: UUID) -> None:
    async with services.stores.of(caller.tenant) as store:
        connection = (await store.connections.get([connection_id])).get(connection_id)
    if connection is None:
        raise NotFound(missing(Kind.CONNECTION), ("input", "id"))
    if connection.status is ConnectionStatus.REVOKED:
        raise Conflict("This connection was disconnected: there is no credential left.", ("input", "id"))
    refuse_ended(connection, "id")


def _ending(kind: str, caller: Caller, connection: Connection, reason: str | None = None) -> Occurrence:
    return Occurrence(
        type=kind,
        actor=caller.actor,
        connection_id=connection.id,
        integration=connection.integration,
        status=connection.status.value,
        reason=reason,
    )


def _happened(before: Connection, after: Connection) -> str:
    if after.status is before.status:
        return "connection.updated"
    return "connection.disabled" if after.status is ConnectionStatus.DISABLED else "connection.enabled"


async def _take_grants_away(store: Store, caller: Caller, connection: Connection) -> None:
    for grant in await store.grants.revoke_on(connection.id):
        store.history.note(
            Occurrence(
                type="grant.revoked",
                actor=caller.actor,
                agent_id=grant.agent_id,
                connection_id=connection.id,
                grant_id=grant.id,
                integration=connection.integration,
                status="REVOKED",
            )
        )


async def _revoke_upstream(services: Services, caller: Caller, connection: Connection) -> str:
    """What the service confirmed. A service that does not answer does not keep a person from disconnecting."""
    integration = services.catalogue.integrations.get(connection.integration)
    sealed = await services.gate.credential(caller.tenant, connection.id)
    if sealed is None or integration is None:
        return _UNCONFIRMED
    if await _is_needed_elsewhere(services, caller, connection):
        return _SHARED
    try:
        credential = await services.vault.open_credential(caller.tenant, connection.id, sealed)
        application = await services.applications.of(caller.tenant, integration, credential)
        if application is None and credential.scheme is AuthScheme.OAUTH2:
            return _UNCONFIRMED
        setting = test_setting(credential, connection.account, is_sandbox=connection.is_sandbox)
        return _CONFIRMED if await integration.revoke(replace(setting, application=application)) else _UNCONFIRMED
    except (ProviderProblem, Misconfigured, CredentialUnreadable):
        return _UNCONFIRMED


async def _is_needed_elsewhere(services: Services, caller: Caller, connection: Connection) -> bool:
    """Whether ending this one's consent would end another live connection of the tenant (Gmail's, beside Drive's)."""
    ours = ways_of(services.catalogue.integrations[connection.integration])
    if ours is None or connection.auth_scheme is not AuthScheme.OAUTH2 or connection.account is None:
        return False
    sharing = [
        slug
        for slug, each in services.catalogue.integrations.items()
        if slug != connection.integration and ours.may_share_consent(ways_of(each))
    ]
    if not sharing:
        return False
    async with services.stores.of(caller.tenant) as store:
        return await store.connections.is_alive_at(sharing, connection.account.id, is_sandbox=connection.is_sandbox)

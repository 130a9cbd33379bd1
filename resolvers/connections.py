"""Connected accounts: connect, look at, test, disconnect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

from adapters._kit.integration import credential_from_fields
from db.store import Store
from domain.callers import Caller
from domain.catalogue import Action, AuthScheme, Credential, Integration
from domain.connections import Connection, ConnectionStatus, ConnectSession
from domain.errors import (
    Conflict,
    InvalidInput,
    InvalidParameters,
    Misconfigured,
    NotFound,
    ProviderProblem,
    ReconnectNeeded,
    Violation,
)
from domain.history import Occurrence
from domain.ids import Kind, missing
from domain.json import Json
from domain.pages import Page
from resolvers.accounts import Wish, prove, refuse_ended, settle, test_setting
from resolvers.connecting import begin
from resolvers.services import Services

_LONGEST_LABEL = 100
_LONGEST_URL = 2_000
_MOST_SCOPES = 100


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
class Tested:
    """A connection after its test. `problem` says why it is not healthy."""

    connection: Connection
    problem: ProviderProblem | None


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


async def connect(services: Services, caller: Caller, request: ConnectRequest) -> Connection | ConnectSession:
    """A finished connection for API_KEY, an open session for OAUTH2."""
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
    scopes = _scopes(integration, request)
    redirect_uri = _redirect(services, request.redirect_uri)
    try:
        async with services.stores.of(caller.tenant) as store:
            return await begin(services, store, integration, scopes, wish, redirect_uri, caller.actor)
    except Misconfigured as error:
        raise Conflict(error.message, ("input", "integration")) from None


async def test_connection(services: Services, caller: Caller, connection_id: UUID) -> Tested:
    """Ask the service whether the credential still works, and record what it said."""
    caller.require("testConnection")
    connection, credential = await _opened(services, caller, connection_id)
    integration = services.catalogue.integrations[connection.integration]
    problem: ProviderProblem | None = None
    scopes: tuple[str, ...] | None = None
    status = ConnectionStatus.ACTIVE
    try:
        identity = await integration.identify(
            test_setting(credential, connection.account, is_sandbox=connection.is_sandbox)
        )
        scopes = identity.scopes
        if connection.account is not None and identity.account.id != connection.account.id:
            problem = ReconnectNeeded(f"{integration.name} now says that this is another account. Reconnect it.")
            status = ConnectionStatus.EXPIRED
    except ReconnectNeeded as refused:
        problem, status = refused, ConnectionStatus.EXPIRED
    except ProviderProblem as trouble:
        # The service is in trouble, not necessarily the credential: a connection is not dropped for that.
        problem, status = trouble, ConnectionStatus.DEGRADED
    async with services.stores.of(caller.tenant) as store:
        before = await store.connections.locked(connection_id)
        if before is None or before.version != connection.version:
            raise Conflict("The connection was changed while it was tested. Test it again.", ("input", "id"))
        after = await store.connections.note_check(connection_id, status, scopes, problem.message if problem else None)
        store.history.note(_tested(caller, after))
    return Tested(after, problem)


async def disconnect(services: Services, caller: Caller, connection_id: UUID) -> Disconnected:
    """Take every grant away, revoke at the service, destroy the credential, keep the history.

    Grants go first and in a transaction of their own: whatever the service answers, no agent acts from then on.
    """
    caller.require("disconnect")
    async with services.stores.of(caller.tenant) as store:
        connection = await store.connections.locked(connection_id)
        if connection is None:
            raise NotFound(missing(Kind.CONNECTION), ("input", "id"))
        if connection.status is ConnectionStatus.REVOKED:
            return Disconnected(connection, is_revoked_upstream=False)
        await _take_grants_away(store, caller, connection)
    is_revoked = await _revoke_upstream(services, caller, connection)
    async with services.stores.of(caller.tenant) as store:
        now = await store.connections.locked(connection_id)
        if now is None or now.status is ConnectionStatus.REVOKED:  # somebody else ended it at the same time
            return Disconnected(now or connection, is_revoked_upstream=is_revoked)
        await _take_grants_away(store, caller, connection)  # those given while the service was asked
        await store.connections.destroy_credential(connection_id)
        ended = await store.connections.set_status(connection_id, ConnectionStatus.REVOKED)
        store.history.note(
            Occurrence(
                type="connection.revoked",
                actor=caller.actor,
                connection_id=connection_id,
                integration=connection.integration,
                status=ended.status.value,
                reason="confirmed by the service" if is_revoked else "not confirmed by the service",
            )
        )
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


def _scopes(integration: Integration, request: ConnectRequest) -> tuple[str, ...]:
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


def _redirect(services: Services, uri: str | None) -> str | None:
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
        if text is not None and not (0 < len(text) <= _LONGEST_LABEL and text.isprintable()):
            raise InvalidInput(f"1 to {_LONGEST_LABEL} printable characters.", ("input", name))
    return Wish(request.reconnects, request.label, request.external_user_id)


# ----------------------------------------------------------------------------------- testing, disconnecting


async def _opened(services: Services, caller: Caller, connection_id: UUID) -> tuple[Connection, Credential]:
    async with services.stores.of(caller.tenant) as store:
        connection = (await store.connections.get([connection_id])).get(connection_id)
    if connection is None:
        raise NotFound(missing(Kind.CONNECTION), ("input", "id"))
    sealed = await services.gate.credential(caller.tenant, connection_id)
    if sealed is None:
        raise Conflict("This connection was disconnected: there is no credential left.", ("input", "id"))
    return connection, await services.vault.open_credential(caller.tenant, connection_id, sealed)


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


async def _revoke_upstream(services: Services, caller: Caller, connection: Connection) -> bool:
    """What the service confirmed. A service that does not answer does not keep a person from disconnecting."""
    integration = services.catalogue.integrations[connection.integration]
    sealed = await services.gate.credential(caller.tenant, connection.id)
    if sealed is None:
        return False
    try:
        credential = await services.vault.open_credential(caller.tenant, connection.id, sealed)
        return await integration.revoke(test_setting(credential, connection.account, is_sandbox=connection.is_sandbox))
    except (ProviderProblem, Misconfigured):
        return False


def _tested(caller: Caller, connection: Connection) -> Occurrence:
    return Occurrence(
        type="connection.tested",
        actor=caller.actor,
        connection_id=connection.id,
        integration=connection.integration,
        status=connection.status.value,
        reason=connection.last_error,
    )

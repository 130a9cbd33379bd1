"""Settling a connection: what every way of connecting an account comes down to.

A credential is tested before it is stored; the account's own id makes the connection unique; reconnecting as somebody
else is refused.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from db.connections import Connected
from db.store import Store
from domain.catalogue import Credential, Identity, Integration
from domain.connections import Connection, ConnectionStatus
from domain.errors import (
    Conflict,
    CredentialUnreadable,
    DependencyDown,
    Misconfigured,
    NotFound,
    ProviderProblem,
    ProviderRefused,
    ReconnectNeeded,
)
from domain.history import Occurrence
from domain.ids import Kind, missing, new_id
from domain.redaction import secrets_of, without
from domain.sealed import WrappedKey
from resolvers.services import Services
from vault.applications import ways_of
from vault.health import test_setting


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person asked for beside the credential."""

    reconnects: UUID | None
    label: str | None
    external_user_id: str | None


@dataclass(frozen=True, slots=True)
class Proof:
    """A credential that passed its test, and what the test found."""

    credential: Credential
    identity: Identity
    expires_at: datetime | None = None


async def prove(integration: Integration, credential: Credential, expires_at: datetime | None = None) -> Proof:
    """Ask the service whose credential this is. Raises ProviderRefused when it is none."""
    try:
        identity = await integration.identify(test_setting(credential, None, is_sandbox=integration.is_sandbox))
    except ReconnectNeeded as problem:
        message = f"{integration.name} does not accept these credentials. Check that they are whole and still valid."
        raise ProviderRefused(message, problem, ("input", "credentials")) from None
    except ProviderProblem as problem:
        raise ProviderRefused(problem.message, problem) from None
    # A service that repeats what it was sent must not make a secret the account's name.
    label = without(identity.account.label, secrets_of(credential, integration.credential_schema))
    return Proof(credential, replace(identity, account=replace(identity.account, label=str(label))), expires_at)


async def settle(
    services: Services, store: Store, integration: Integration, proof: Proof, wish: Wish, actor: str
) -> Connection:
    """Store the proven credential: in a new connection, or in the one this account already has."""
    before = await _existing(store, integration, proof, wish)
    connected = _connected(services, integration, proof, wish)
    if before is None:
        connection = await store.connections.add(new_id(), connected)
    else:
        connection = await store.connections.renew(before.id, connected)
    version = await store.connections.credential_version(connection.id) + 1
    key = await sealing_key(services, store)
    sealed = await services.vault.seal_credential(key, store.tenant, connection.id, version, proof.credential)
    await store.connections.put_credential(connection.id, sealed)
    store.history.note(
        Occurrence(
            type="connection.activated" if before is None else "connection.renewed",
            actor=actor,
            connection_id=connection.id,
            integration=integration.slug,
            status=connection.status.value,
        )
    )
    return connection


async def give_back(services: Services, tenant: str, integration: Integration, proof: Proof) -> None:
    """End a token that was obtained and is not kept, so that nothing of it is left at the service.

    Not where it may be the one that another connection uses: then ending it would end that connection too.
    """
    ways = ways_of(integration)
    if ways is None or ways.ends_together:
        return
    account = proof.identity.account
    with suppress(ProviderProblem, Misconfigured, DependencyDown, CredentialUnreadable):
        async with services.stores.of(tenant) as store:
            is_connected = await store.connections.of_account(
                integration.slug, account.id, is_sandbox=integration.is_sandbox
            )
        if is_connected is None:
            setting = test_setting(proof.credential, account, is_sandbox=integration.is_sandbox)
            application = await services.applications.of(tenant, integration, proof.credential)
            await integration.revoke(replace(setting, application=application))


async def sealing_key(services: Services, store: Store) -> WrappedKey:
    """The tenant's newest data key; made when there is none."""
    key = await store.keys.newest()
    if key is None:
        key = await services.vault.new_key(store.tenant)
        await store.keys.add(key)
    return key


def refuse_ended(connection: Connection, field: str = "connection") -> None:
    """What was disconnected, or is about to be, stays so. Raises Conflict at the field."""
    if connection.status is ConnectionStatus.REVOKED:
        message = "This connection was disconnected. Connect the account anew, without `connection`."
        raise Conflict(message, ("input", field))
    if connection.is_ending:
        message = "This account is being disconnected. Wait until that is done, then connect it anew."
        raise Conflict(message, ("input", field))


async def _existing(store: Store, integration: Integration, proof: Proof, wish: Wish) -> Connection | None:
    account = proof.identity.account
    if wish.reconnects is None:
        found = await store.connections.of_account(integration.slug, account.id, is_sandbox=integration.is_sandbox)
        if found is not None:
            refuse_ended(found)
        return found
    before = await store.connections.locked(wish.reconnects)
    if before is None or before.integration != integration.slug:
        raise NotFound(missing(Kind.CONNECTION), ("input", "connection"))
    refuse_ended(before)
    if before.account is not None and before.account.id != account.id:
        message = (
            f"This connection belongs to {before.account.label}, and you are signed in at {integration.name} as "
            f"{account.label}. Reconnect as {before.account.label}, or connect {account.label} as a new connection."
        )
        raise Conflict(message, ("input", "connection"))
    if before.is_sandbox is not integration.is_sandbox:
        message = "A sandbox connection cannot be renewed with a real account, nor the other way round."
        raise Conflict(message, ("input", "connection"))
    return before


def _connected(services: Services, integration: Integration, proof: Proof, wish: Wish) -> Connected:
    return Connected(
        integration=integration.slug,
        auth_scheme=proof.credential.scheme,
        account=proof.identity.account,
        granted_scopes=proof.identity.scopes,
        is_sandbox=integration.is_sandbox,
        label=wish.label,
        external_user_id=wish.external_user_id,
        expires_at=proof.expires_at,
        rotation_due_at=datetime.now(UTC) + timedelta(days=services.deployment.rotation_days),
        next_refresh_at=services.refresher.next_refresh_at(ways_of(integration), proof.credential),
        next_check_at=services.health.next_check_at(),
    )

"""`mandate keys`: another master key over the same data keys, or new data keys under the same master key.

Both go on while the gateway serves, may be stopped at any moment, killed even, and are taken up where they stood when
they are run again: what is done is in the rows themselves. Every step replaces what it has read and nothing else, so
a credential renewed meanwhile is never put back.
"""

from collections.abc import AsyncIterator

from db.across import Rotation, TenantKey
from domain.errors import CredentialUnreadable
from gateway.maintaining import Maintenance, Say, maintenance
from gateway.settings import Settings
from vault.credentials import CredentialVault
from vault.deployment import rewrapped
from vault.envelope import Envelope

_KEYS = 500
_TENANTS = 50
_CREDENTIALS = 100


async def list_keys(settings: Settings, say: Say) -> None:
    """Which master key wraps how much, and which of them can be taken away."""
    async with maintenance(settings) as tools:
        tenants = await tools.across.master_keys()
        own = [each.master_key for each in await tools.across.deployment_keys()]
        for name in dict.fromkeys((*tools.keyring.ids, *tenants, *own)):
            wraps = f"{tenants.get(name, 0)} data keys of tenants, {own.count(name)} of the deployment"
            say(f"{name}: wraps {wraps}. {_word(tools, name, is_needed=name in tenants or name in own)}")


async def rewrap(settings: Settings, say: Say) -> None:
    """Every data key comes under the first master key. Raises CredentialUnreadable naming a key that is missing."""
    async with maintenance(settings) as tools:
        keyring, envelope, done = tools.keyring, Envelope(tools.keyring), 0
        for each in await tools.across.deployment_keys():
            if each.master_key != keyring.current:
                after = await rewrapped(keyring, each.purpose, each.master_key, each.wrapped)
                await tools.across.rewrap_deployment_key(each, keyring.current, after)
        async for stale in _stale(tools):
            after_all = [await envelope.rewrapped(each.tenant, each.key) for each in stale]
            done += await tools.across.rewrap(stale, keyring.current, after_all)
            say(f"{done} data keys are under {keyring.current}.")
        say(f"Every data key is under {keyring.current}; no other master key is needed any more.")


async def rotate(settings: Settings, say: Say) -> bool:
    """A new data key for every tenant, and its credentials under it. False when some could not be opened."""
    async with maintenance(settings) as tools:
        rotation = await tools.across.begin_rotation()
        if rotation.is_resumed:
            say(f"Going on with what was begun at {rotation.started_at.isoformat(timespec='seconds')}.")
        failed = await _rotate_tenants(tools, rotation, say)
        if failed:
            say(f"{len(failed)} tenants have credentials that do not open; run this again when they are mended.")
            return False
        await tools.across.finish_rotation(rotation)
        say("Every tenant has a new data key, and every credential is under it.")
        return True


async def _rotate_tenants(tools: Maintenance, rotation: Rotation, say: Say) -> set[str]:
    vault, failed, done = CredentialVault(Envelope(tools.keyring)), set[str](), 0
    while True:
        tenants, in_all = await tools.across.tenants_to_rotate(rotation, _TENANTS + len(failed))
        waiting = [each for each in tenants if each not in failed]
        if not waiting:
            return failed
        for tenant in waiting:
            try:
                await _rotate_tenant(tools, rotation, vault, tenant)
                done += 1
            except CredentialUnreadable as error:
                failed.add(tenant)
                say(f"{tenant}: {error.message}")
        say(f"{done} tenants done, {max(in_all - len(waiting) - len(failed), 0)} to go.")


async def _rotate_tenant(tools: Maintenance, rotation: Rotation, vault: CredentialVault, tenant: str) -> None:
    async with tools.stores.of(tenant) as store:
        newest, is_old = await store.keys.newest_against(rotation.started_at)
        if is_old:
            newest = await vault.new_key(tenant)
            await store.keys.add(newest)
        for kept in await store.applications.not_under(newest):
            await store.applications.put_under(kept, await vault.reseal_client_secret(newest, tenant, kept))
        for webhook_id, secret in await store.webhooks.secrets_not_under(newest):
            resealed = await vault.reseal_webhook_secret(newest, tenant, webhook_id, secret)
            await store.webhooks.put_secret_under(webhook_id, resealed)
    while True:
        async with tools.stores.of(tenant) as store:
            sealed = await store.keys.credentials_not_under(newest, _CREDENTIALS)
            for connection_id, before in sealed:
                after = await vault.reseal_credential(newest, tenant, connection_id, before)
                await store.keys.put_credential_under(connection_id, before, after)
            if len(sealed) < _CREDENTIALS:
                await store.keys.remove_disused()
                return


async def _stale(tools: Maintenance) -> AsyncIterator[list[TenantKey]]:
    while stale := await tools.across.stale_keys(tools.keyring.current, _KEYS):
        yield stale


def _word(tools: Maintenance, name: str, *, is_needed: bool) -> str:
    if name == tools.keyring.current:
        return "Wraps new keys."
    if name not in tools.keyring.ids:
        return "MANDATE_MASTER_KEYS does not hold it: what it wraps cannot be opened."
    return "Needed until `mandate keys rewrap` is done." if is_needed else "Not needed any more: it can be taken away."

"""`mandate tenant destroy`: the end of a tenant. Its history stays, sealed; its secrets are gone."""

from db.store import Store
from domain.callers import Caller, Role
from domain.connections import ConnectionStatus
from domain.errors import Misconfigured
from domain.history import Occurrence
from gateway.maintaining import Say
from gateway.settings import Settings
from gateway.starting import data_dir, database_of, keyring_of
from gateway.wiring import Plan, opened
from resolvers.agents import set_tenant_frozen
from resolvers.connections import disconnect
from resolvers.services import Services

_PAGE = 100


async def destroy(settings: Settings, tenant: str, say: Say) -> None:
    """Freeze it, end every connection at the service too, then destroy what is left of its secrets, and its keys.

    May be run again when it was interrupted. Raises Misconfigured, DependencyDown.
    """
    home = data_dir(settings)
    keyring = keyring_of(settings, home)
    if keyring is None:
        raise Misconfigured("MANDATE_MASTER_KEYS is not set: without it no service can be told to revoke anything.")
    caller = Caller(tenant, "operator", frozenset({Role.OWNER}))
    async with database_of(settings, home) as url:
        plan = Plan(settings, url, settings.public_url or "http://localhost", keyring, state_dir=home)
        async with opened(plan) as gateway:
            services = gateway.services
            stopped = await set_tenant_frozen(services, caller, is_frozen=True, reason="The tenant is being destroyed.")
            say(f"Frozen. {stopped.cancelled} executions were called off, {stopped.running} are still running.")
            await _disconnect_all(services, caller, say)
            async with services.stores.of(tenant) as store:
                keys = await _destroy_secrets(store, caller)
            say(f"{keys} data keys of {tenant} are destroyed. Its history stays.")


async def _disconnect_all(services: Services, caller: Caller, say: Say) -> None:
    after = None
    while True:
        async with services.stores.of(caller.tenant) as store:
            page = await store.connections.page(_PAGE, after)
        for each in page.items:
            after = each.id
            if each.status is not ConnectionStatus.REVOKED:
                ended = await disconnect(services, caller, each.id)
                told = "confirmed by the service" if ended.is_revoked_upstream else "not confirmed by the service"
                say(f"{each.integration}, {each.account.label if each.account else each.id.hex}: ended, {told}.")
        if not page.has_next:
            return


async def _destroy_secrets(store: Store, caller: Caller) -> int:
    """What the disconnecting left, in one transaction with its record."""
    keys = await store.keys.destroy_all()
    store.history.note(Occurrence(type="tenant.destroyed", actor=caller.actor, reason=f"{keys} data keys"))
    return keys

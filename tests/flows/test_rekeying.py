"""Other master keys and other data keys while agents act (promise S4, in short), and the end of a tenant (S6)."""

import asyncio
import base64
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from db.across import Across
from db.keys import SEALED
from domain.catalogue import AuthScheme, Credential
from domain.errors import CredentialUnreadable
from domain.ids import new_id
from domain.secrets import Secret
from tests.db.ground import Ground, new_tenant, opened
from tests.db.ground import connected as account_of
from tests.support.gateways import Client, RunningGateway, agent_with_grant, connected, running_gateway
from tests.support.processes import Ended, mandate, starting
from tests.support.servers import new_database
from vault.credentials import CredentialVault
from vault.envelope import Envelope
from vault.master_keys import read_master_keys

OLD = "old:" + base64.b64encode(b"the old master key, 32 bytes ...").decode()
NEW = "new:" + base64.b64encode(b"the new master key, 32 bytes ...").decode()
TENANTS = 300


@pytest.fixture
async def ground(postgres_url: str, migrated_template: str) -> AsyncIterator[Ground]:
    async with new_database(postgres_url, migrated_template) as address, opened(address) as made:
        yield made


def _secret(number: int) -> Credential:
    return Credential(AuthScheme.API_KEY, {"token": Secret(f"token of {number}")}, {})


async def _settle(ground: Ground, vault: CredentialVault, number: int) -> tuple[str, UUID]:
    """A tenant with a connection and its sealed credential."""
    tenant = f"settled-{number:04}"
    key = await vault.new_key(tenant)
    async with ground.stores.of(tenant) as store:
        await store.keys.add(key)
        made = await store.connections.add(new_id(), account_of())
        await store.connections.put_credential(
            made.id, await vault.seal_credential(key, tenant, made.id, 1, _secret(number))
        )
    return tenant, made.id


def _vault(keys: str) -> CredentialVault:
    return CredentialVault(Envelope(read_master_keys(Secret(keys))))


async def _settled(ground: Ground) -> list[tuple[str, UUID]]:
    vault = _vault(OLD)
    return [await _settle(ground, vault, number) for number in range(TENANTS)]


async def _opens(ground: Ground, settled: list[tuple[str, UUID]], keys: str) -> int:
    """How many of the credentials open with these master keys alone, as what they were."""
    vault, found = _vault(keys), 0
    for number, (tenant, connection) in enumerate(settled):
        sealed = await ground.gate.credential(tenant, connection)
        assert sealed is not None
        try:
            found += await vault.open_credential(tenant, connection, sealed) == _secret(number)
        except CredentialUnreadable:
            continue
    return found


class Load:
    """An agent that acts without pause until told to stop."""

    def __init__(self, agent: Client) -> None:
        self._agent = agent
        self._task = asyncio.ensure_future(self._act())
        self.done: list[str] = []
        self.is_over = False

    async def _act(self) -> None:
        while not self.is_over:
            self.done.append((await self._agent.execute("github.get_account", {}))["execution"]["status"])

    async def stop(self) -> list[str]:
        self.is_over = True
        await self._task
        return self.done


async def _acting(gateway: RunningGateway) -> Load:
    owner = gateway.client(tenant="acme")
    return Load((await agent_with_grant(owner, (await connected(owner, ["github.get_account"])).id)).client)


async def test_data_keys_are_replaced_under_load_and_after_a_kill(ground: Ground, tmp_path: Path) -> None:
    settled = await _settled(ground)
    before = {each: await ground.gate.credential(*each) for each in settled}
    environ = {"DATABASE_URL": ground.url, "MANDATE_MASTER_KEYS": OLD, "MANDATE_DATA_DIR": str(tmp_path)}
    async with running_gateway(ground.url, tmp_path, master_keys=Secret(OLD)) as gateway:
        load = await _acting(gateway)
        async with starting("keys", "rotate", **environ) as (process, lines):
            assert "tenants done" in await anext(lines)
            process.send_signal(signal.SIGKILL)
        across = Across(ground.database.pool)
        rotation = await across.begin_rotation()
        assert rotation.is_resumed
        _, left = await across.tenants_to_rotate(rotation, 1)
        assert 0 < left < TENANTS + 1
        again = await mandate("keys", "rotate", **environ)
        assert (again.code, again.err) == (0, "")
        assert again.out.startswith("Going on with what was begun at ")
        assert "Every tenant has a new data key" in again.out
        assert set(await load.stop()) == {"SUCCEEDED"}
    after = {each: await ground.gate.credential(*each) for each in settled}
    assert all(after[each].key.id != before[each].key.id for each in settled)  # type: ignore[union-attr]  # all there
    assert await _opens(ground, settled, OLD) == TENANTS
    async with ground.as_owner() as owner:
        made = await owner.fetch("SELECT count(*) AS keys FROM tenant_keys GROUP BY tenant")
    assert {each["keys"] for each in made} == {2}, "nobody's key was replaced twice"


async def test_a_master_key_is_replaced_under_load_and_can_be_taken_away(ground: Ground, tmp_path: Path) -> None:
    settled = await _settled(ground)
    both = {"DATABASE_URL": ground.url, "MANDATE_MASTER_KEYS": f"{NEW},{OLD}", "MANDATE_DATA_DIR": str(tmp_path)}
    async with running_gateway(ground.url, tmp_path, master_keys=Secret(f"{OLD},{NEW}")) as gateway:
        load = await _acting(gateway)
        listed = await mandate("keys", "list", **both)
        assert "new: wraps 0 data keys of tenants" in listed.out
        assert "Needed until `mandate keys rewrap` is done." in listed.out
        done = await mandate("keys", "rewrap", **both)
        assert (done.code, done.err) == (0, "")
        assert f"{TENANTS + 1} data keys are under new." in done.out
        assert set(await load.stop()) == {"SUCCEEDED"}
    assert (
        "old: wraps 0 data keys of tenants, 0 of the deployment. Not needed"
        in (await mandate("keys", "list", **both)).out
    )
    assert await _opens(ground, settled, NEW) == TENANTS
    assert await _opens(ground, settled, OLD) == 0
    async with running_gateway(ground.url, tmp_path, master_keys=Secret(NEW)) as gateway:
        assert await gateway.client(tenant="acme").ask("{ connections { nodes { status } } }")


async def test_a_master_key_that_is_missing_is_named_and_nothing_is_lost(ground: Ground, tmp_path: Path) -> None:
    settled = [await _settle(ground, _vault(OLD), number) for number in range(3)]
    without = {"DATABASE_URL": ground.url, "MANDATE_MASTER_KEYS": NEW, "MANDATE_DATA_DIR": str(tmp_path)}
    ended = await mandate("keys", "rewrap", **without)
    assert (ended.code, ended.out) == (1, "")
    assert "the master key 'old'" in ended.err
    assert "cannot be opened" in (await mandate("keys", "list", **without)).out
    assert await _opens(ground, settled, OLD) == 3


async def test_a_credential_that_does_not_open_keeps_nobody_else_waiting(ground: Ground, tmp_path: Path) -> None:
    settled = [await _settle(ground, _vault(OLD), number) for number in range(3)]
    async with ground.as_owner() as owner:
        await owner.execute("UPDATE credentials SET sealed = 'tampered with' WHERE tenant = $1", settled[1][0])
    environ = {"DATABASE_URL": ground.url, "MANDATE_MASTER_KEYS": OLD, "MANDATE_DATA_DIR": str(tmp_path)}
    ended = await mandate("keys", "rotate", **environ)
    assert ended.code == 1
    assert "settled-0001: A sealed secret is not the one" in ended.out
    assert await _opens(ground, settled, OLD) == 2


async def test_everything_that_is_sealed_under_a_tenants_key_is_known_to_who_replaces_keys(ground: Ground) -> None:
    """Made from what there is, so that a secret added later is neither left behind nor left readable."""
    async with ground.as_owner() as owner:
        found = await owner.fetch(
            "SELECT conrelid::regclass::text AS name FROM pg_constraint WHERE confrelid = 'tenant_keys'::regclass"
        )
    assert {each["name"] for each in found} == {each.name for each in SEALED}


async def test_keys_that_nothing_is_under_go_a_day_later(ground: Ground) -> None:
    tenant, vault = new_tenant(), _vault(OLD)
    keys = [await vault.new_key(tenant) for _ in range(3)]
    for each in keys:
        async with ground.stores.of(tenant) as store:
            await store.keys.add(each)
    async with ground.stores.of(tenant) as store:
        made = await store.connections.add(new_id(), account_of())
        sealed = await vault.seal_credential(keys[1], tenant, made.id, 1, _secret(1))
        await store.connections.put_credential(made.id, sealed)
        assert await store.keys.remove_disused() == 0, "each was replaced only now"
    async with ground.as_owner() as owner:
        await owner.execute(
            "UPDATE tenant_keys SET created_at = created_at - interval '2 days' WHERE tenant = $1", tenant
        )
    async with ground.stores.of(tenant) as store:
        assert await store.keys.remove_disused() == 1
        assert (await store.keys.newest()) == keys[2]


# ------------------------------------------------------------------------------------------ the end of a tenant


async def test_a_destroyed_tenant_has_no_secret_left_that_anybody_could_read(ground: Ground, tmp_path: Path) -> None:
    environ = {"DATABASE_URL": ground.url, "MANDATE_DATA_DIR": str(tmp_path)}
    async with running_gateway(ground.url, tmp_path) as gateway:
        owner = gateway.client(tenant="acme")
        agent = await agent_with_grant(owner, (await connected(owner)).id)
        other = gateway.client(tenant="other")
        await connected(other)
        refused = await _destroying(environ, "acm")
        assert (refused.code, refused.err) == (1, "mandate: That is not its name. Nothing was done.\n")
        assert (await agent.client.execute("github.list_repos", {}))["execution"]["status"] == "SUCCEEDED"
        ended = await _destroying(environ, "acme")
        assert (ended.code, ended.err) == (0, "")
        assert "1 data keys of acme are destroyed." in ended.out
        assert (await agent.client.post("{ viewer { subject } }")).status_code == 401
        audit = await owner.ask("{ auditEvents(first: 1) { nodes { type actor } } connections { nodes { status } } }")
        assert audit["auditEvents"]["nodes"] == [{"type": "tenant.destroyed", "actor": "user:operator"}]
        assert audit["connections"]["nodes"] == [{"status": "REVOKED"}]
        assert (await other.ask("{ connections { nodes { status } } }"))["connections"]["nodes"] == [
            {"status": "ACTIVE"}
        ]
    async with ground.as_owner() as database:
        for table in ("tenant_keys", "credentials", "credential_journal"):
            count = f"SELECT count(*) FROM {table} WHERE tenant = 'acme'"  # noqa: S608 - our tables
            assert await database.fetchval(count) == 0
        sealed = (
            "SELECT count(*) FROM connect_sessions WHERE tenant = 'acme' AND (sealed IS NOT NULL OR key_id IS NOT NULL)"
        )
        assert await database.fetchval(sealed) == 0


async def _destroying(environ: dict[str, str], typed: str) -> Ended:
    return await mandate("tenant", "destroy", "acme", typed=f"{typed}\n", **environ)

"""Tenants' own OAuth applications: bring one, and see which one is in use."""

from dataclasses import dataclass
from datetime import datetime

from domain.callers import Caller
from domain.catalogue import AuthScheme, Integration
from domain.errors import Conflict, InvalidInput, NotFound
from domain.history import Occurrence
from domain.ids import Kind, missing, new_id
from domain.secrets import Secret
from resolvers.accounts import sealing_key
from resolvers.services import Services

_LONGEST_ID, _LONGEST_SECRET = 300, 2_000


@dataclass(frozen=True, slots=True)
class InUse:
    """The application that new connections of an integration are made with. Never its secret."""

    client_id: str
    is_tenant_owned: bool
    updated_at: datetime | None = None


async def set_auth_config(
    services: Services, caller: Caller, slug: str, client_id: str, client_secret: Secret
) -> InUse:
    """Bring the tenant's own application. New connections are made with it; those there are keep theirs."""
    caller.require("setAuthConfig")
    integration = services.catalogue.integrations.get(slug)
    if integration is None:
        raise NotFound(missing(Kind.INTEGRATION), ("input", "integration"))
    _refuse_unfit(integration)
    _check("clientId", client_id, _LONGEST_ID)
    _check("clientSecret", client_secret.reveal(), _LONGEST_SECRET)
    async with services.stores.of(caller.tenant) as store:
        id, key = new_id(), await sealing_key(services, store)
        sealed = await services.vault.seal_client_secret(key, caller.tenant, id, client_secret)
        kept = await store.applications.set(id, slug, client_id, sealed)
        store.history.note(Occurrence(type="integration.application_set", actor=caller.actor, integration=slug))
    return InUse(kept.client_id, is_tenant_owned=True, updated_at=kept.updated_at)


async def applications_in_use(services: Services, caller: Caller, slugs: list[str]) -> list[InUse | None]:
    """For each integration, in one round trip; None where there is none."""
    async with services.stores.of(caller.tenant) as store:
        own = await store.applications.all_current()
    found: list[InUse | None] = []
    for integration in (services.catalogue.integrations[slug] for slug in slugs):
        kept, ours = own.get(integration.slug), integration.oauth
        if kept is not None and integration.takes_applications:
            found.append(InUse(kept.client_id, is_tenant_owned=True, updated_at=kept.updated_at))
        else:
            found.append(InUse(ours.client_id, is_tenant_owned=False) if ours else None)
    return found


def _refuse_unfit(integration: Integration) -> None:
    place = ("input", "integration")
    if AuthScheme.OAUTH2 not in integration.auth_schemes:
        raise Conflict(f"{integration.name} is connected by key only: there is no OAuth application.", place)
    if integration.is_sandbox:
        message = f"{integration.name} is simulated here, and the simulation has its own application."
        raise Conflict(f"{message} An operator sets up the real service first.", place)
    if not integration.takes_applications:
        message = f"{integration.name}'s calls are signed by the application itself, which is the operator's."
        raise Conflict(f"{message} Connect your own account by key instead.", place)
    if integration.oauth_as("", Secret("")) is None:
        message = f"An operator must set `authorize_url` under [integrations.{integration.slug}] first."
        raise Conflict(message, place)


def _check(field: str, text: str, longest: int) -> None:
    """What is wrong is said without the value."""
    if not (0 < len(text) <= longest and text.isascii() and text.isprintable() and " " not in text):
        raise InvalidInput(f"1 to {longest} visible ASCII characters, without spaces.", ("input", field))

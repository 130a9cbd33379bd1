"""What an agent may do with domains at Cloudflare: look, buy within a limit, and keep DNS records."""

from adapters._kit import Annotated, Call, Effect, Field, action
from adapters._kit.registrar import (
    DomainName,
    Host,
    Keyword,
    Limit,
    MaxPrice,
    Pricing,
    Priority,
    Term,
    Tld,
    Value,
    Values,
    Years,
)
from adapters.cloudflare.records import Records, Type, Wanted
from adapters.cloudflare.results import (
    Account,
    Domain,
    Offer,
    Record,
    Registration,
    TokenStatus,
    Zone,
    domain_of,
    offer_of,
    registration_of,
    zone_of,
)
from adapters.cloudflare.shop import Shop
from domain.errors import Forbidden, NotThere, ReconnectNeeded, Rejected, ScopeMissing

_REGISTRATIONS = "accounts/{account}/registrar/registrations"

RecordType = Annotated[Type, Field(description="At the top of a domain a CNAME works too: Cloudflare resolves it.")]
Ttl = Annotated[
    Annotated[int, Field(ge=1, le=1)] | Annotated[int, Field(ge=60, le=86_400)],
    Field(description="Seconds it may be cached, 60 to 86400; 1 lets Cloudflare decide."),
]
RecordId = Annotated[
    str, Field(description="The record's `id` from list_dns_records.", max_length=32, pattern=r"^[0-9a-f]{32}$")
]
Proxied = Annotated[
    bool | None,
    Field(
        description="Whether visitors reach Cloudflare, which passes them on: for A, AAAA and CNAME. Left out: as it "
        "is, and not for a new record."
    ),
]


# ----------------------------------------------------------------------------------------------- the account


@action(effect=Effect.READ)
async def get_account(call: Call) -> Account:
    """Look up the connected account."""
    return Account.of((await call.get("accounts/{account}", account=call.account_id)).at("result"))


@action(effect=Effect.READ)
async def list_accounts(call: Call, *, limit: Limit = 100) -> list[Account]:
    """List the accounts that the token reaches.

    Everything else here is about the connected account. Cloudflare answers this to tokens of people only, not to
    those of an account.
    """
    return [Account.of(each) for each in await call.pages("accounts", limit=limit, items="result")]


@action(effect=Effect.READ)
async def verify_token(call: Call) -> TokenStatus:
    """See whether the API token is active and when it ends."""
    try:
        answer = await call.get("user/tokens/verify")
    except (Forbidden, NotThere, ReconnectNeeded, Rejected, ScopeMissing):
        # A token of the account itself is not known there.
        answer = await call.get("accounts/{account}/tokens/verify", account=call.account_id)
    return TokenStatus.of(answer.at("result"))


# ---------------------------------------------------------------------------------------- finding and buying


@action(effect=Effect.READ)
async def search_domains(
    call: Call,
    *,
    keyword: Keyword,
    tlds: Annotated[
        list[Tld] | None,
        Field(description="Only these endings, without the dot, e.g. com.", min_length=1, max_length=50),
    ] = None,
    limit: Annotated[int, Field(description="The most to return.", ge=1, le=50)] = 20,
) -> list[Offer]:
    """Suggest domains for a keyword.

    Availability and prices here may be some hours old; ask check_availability before relying on them.
    """
    query = {"q": keyword, "extensions": tlds, "limit": limit}
    answer = await call.get("accounts/{account}/registrar/domain-search", query=query, account=call.account_id)
    return [offer_of(each) for each in answer.objects("result.domains")[:limit]]


@action(effect=Effect.READ)
async def check_availability(
    call: Call,
    *,
    domains: Annotated[list[DomainName], Field(description="At most 20.", min_length=1, max_length=20)],
) -> list[Offer]:
    """See whether domains can be bought now, and for how much.

    In the order asked, as the registries say now. `reason` tells why one cannot be bought here: premium domains
    and some endings are sold in Cloudflare's dashboard only.
    """
    return await Shop(call).offers(domains)


@action(effect=Effect.READ)
async def get_pricing(
    call: Call,
    *,
    domain: DomainName,
    years: Term = None,
) -> Pricing:
    """Look up what a domain costs to register or renew.

    Cloudflare tells prices only for domains that can be bought now: for others they are null. What a transfer
    costs is never told. Some endings are sold for two years at least.
    """
    return await Shop(call).pricing(domain, years)


@action(
    effect=Effect.DESTRUCTIVE,
    look_for="the domain among the account's registrations; get_registration tells how an order for it stands",
)
async def purchase_domain(call: Call, *, domain: DomainName, max_price: MaxPrice, years: Years = 1) -> Registration:
    """Buy a domain.

    Charges the account's payment method and cannot be undone. Price and availability are asked again right
    before: when it costs more than `max_price`, or is no longer free, nothing is bought. Registering goes on by
    itself: when `state` is `pending`, follow it with get_registration and do not order again. The account's
    default contact becomes the registrant; a person sets it, and the payment method, in the dashboard. It will
    not renew by itself. Some endings are sold for two years at least, and premium domains not at all.
    """
    return await Shop(call).register(domain, years, max_price)


@action(effect=Effect.READ)
async def get_registration(call: Call, *, domain: DomainName) -> Registration:
    """See how a purchase stands.

    While it is `pending`, ask again after some seconds, then less and less often; when `blocked`, it waits for
    the registry and may take long. `action_required` waits for a person: say what `needed_action` says, and do
    not order again. `failed` bought nothing; `failure` says why.
    """
    answer = await call.get(_REGISTRATIONS + "/{domain}/registration-status", account=call.account_id, domain=domain)
    return registration_of(answer.at("result"), domain)


# --------------------------------------------------------------------------------------- the account's own


@action(effect=Effect.READ)
async def list_domains(call: Call, *, limit: Limit = 100) -> list[Domain]:
    """List the domains registered with Cloudflare.

    Domains registered elsewhere whose DNS is here are told by list_zones.
    """
    found = await call.pages(_REGISTRATIONS, limit=limit, items="result", account=call.account_id)
    return [domain_of(each) for each in found]


@action(effect=Effect.READ)
async def get_domain(call: Call, *, domain: DomainName) -> Domain:
    """Look up one domain registered with Cloudflare."""
    answer = await call.get(_REGISTRATIONS + "/{domain}", account=call.account_id, domain=domain)
    found = answer.at("result")
    return domain_of(found if isinstance(found, dict) else {})


@action(effect=Effect.READ)
async def list_zones(call: Call, *, limit: Limit = 100) -> list[Zone]:
    """List the zones: the domains whose DNS is kept here, wherever they are registered.

    A zone that is not active waits until its domain uses its name servers.
    """
    query = {"account.id": call.account_id}
    return [zone_of(each) for each in await call.pages("zones", limit=limit, items="result", query=query)]


# ----------------------------------------------------------------------------------------------- DNS records


@action(effect=Effect.READ)
async def list_dns_records(call: Call, *, domain: DomainName, limit: Limit = 1000) -> list[Record]:
    """List the DNS records of a zone.

    `domain` is the zone, as list_zones has it. Records are served only while the zone is active.
    """
    return await (await Records.of(call, domain)).all(limit)


@action(effect=Effect.WRITE, look_for="a record with this type, host and answer among the zone's DNS records")
async def create_dns_record(
    call: Call,
    *,
    domain: DomainName,
    type: RecordType,
    host: Host,
    answer: Value,
    ttl: Ttl = 300,
    priority: Priority = None,
    proxied: Proxied = None,
) -> Record:
    """Add a DNS record.

    Others of the same type and host stay; upsert_dns_record replaces them. A proxied record has no time to live
    of its own. Fails with a conflict when the same record is there already.
    """
    wanted = Wanted(type, host, answer, ttl, priority, proxied)
    return await (await Records.of(call, domain, wanted)).create(wanted)


@action(
    effect=Effect.WRITE,
    idempotent=True,
    look_for="the record's type, host and answer at the zone's DNS records",
)
async def update_dns_record(
    call: Call,
    *,
    domain: DomainName,
    record_id: RecordId,
    type: RecordType,
    host: Host,
    answer: Value,
    ttl: Ttl = 300,
    priority: Priority = None,
    proxied: Proxied = None,
) -> Record:
    """Replace one DNS record.

    Give every part of it, also those that stay; only comment, tags and, when left out, `proxied` stay by
    themselves.
    """
    wanted = Wanted(type, host, answer, ttl, priority, proxied)
    return await (await Records.of(call, domain, wanted)).replace(record_id, wanted)


@action(effect=Effect.DESTRUCTIVE, look_for="the record among the zone's DNS records")
async def delete_dns_record(call: Call, *, domain: DomainName, record_id: RecordId) -> None:
    """Delete one DNS record.

    What it served stops working within its time to live. Not found means that it is gone already.
    """
    await (await Records.of(call, domain)).delete(record_id)


@action(
    effect=Effect.DESTRUCTIVE,
    idempotent=True,
    look_for="the records of this type and host among the zone's DNS records; running it again is safe",
)
async def upsert_dns_record(
    call: Call,
    *,
    domain: DomainName,
    type: RecordType,
    host: Host,
    values: Values,
    ttl: Ttl = 300,
    priority: Priority = None,
    proxied: Proxied = None,
) -> list[Record]:
    """Make the records of one type and host exactly these values.

    Changes what differs, adds what is missing and deletes what is not among the values; other types and hosts
    are left alone. All of them get the same time to live and priority. It takes several calls: when one
    fails, the earlier ones stay done, and running it again finishes the work.
    """
    wanted = [Wanted(type, host, value, ttl, priority, proxied) for value in values]
    return await (await Records.of(call, domain, *wanted)).make(wanted[0], values)

"""What an agent may do with domains at name.com: look, buy within a limit, and keep DNS records."""

from adapters._kit import Annotated, Call, Effect, Field, action, given
from adapters._kit.registrar import (
    DomainName,
    Host,
    Keyword,
    Limit,
    MaxPrice,
    Nameservers,
    Pricing,
    Priority,
    Record,
    RecordNumber,
    Term,
    Tld,
    Value,
    Values,
    Years,
)
from adapters._kit.zone import Wanted
from adapters.namecom.records import Records, Type
from adapters.namecom.results import (
    Account,
    Domain,
    Offer,
    Registration,
    Renewal,
    account_of,
    domain_of,
    offer_of,
)
from adapters.namecom.shop import Shop

_DOMAIN = "core/v1/domains/{domain}"
#: name.com may search for longer than we wait for the first byte of an answer, unless told.
_SEARCH_MILLISECONDS = 5_000

RecordType = Annotated[Type, Field(description="ANAME is name.com's alias record for the top of a domain.")]
Ttl = Annotated[int, Field(description="Seconds it may be cached; name.com takes 300 or more.", ge=300, le=604_800)]


# ----------------------------------------------------------------------------------------------- the account


@action(effect=Effect.READ)
async def get_account(call: Call) -> Account:
    """Look up the connected account."""
    return account_of((await call.get("core/v1/hello")).json)


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
    limit: Annotated[int, Field(description="The most to return.", ge=1, le=100)] = 20,
) -> list[Offer]:
    """Suggest domains for a keyword.

    Takes up to some seconds. Availability here is a good guess; ask check_availability before relying on it.
    """
    body = given(keyword=keyword, timeout=_SEARCH_MILLISECONDS, tldFilter=tlds)
    answer = await call.post("core/v1/domains:search", json=body, harmless=True)
    # The description leaves `results` out when nothing was found.
    found = answer.objects("results") if answer.at("results") is not None else []
    return [offer_of(each) for each in found[:limit]]


@action(effect=Effect.READ)
async def check_availability(
    call: Call,
    *,
    domains: Annotated[list[DomainName], Field(description="At most 50.", min_length=1, max_length=50)],
) -> list[Offer]:
    """See whether domains can be bought now, and for how much.

    In the order asked. A domain with an ending that name.com does not sell counts as not purchasable.
    """
    return await Shop(call).offers(domains)


@action(effect=Effect.READ)
async def get_pricing(
    call: Call,
    *,
    domain: DomainName,
    years: Term = None,
) -> Pricing:
    """Look up what a domain costs to register, renew or transfer.

    Says nothing about whether it is still free; see check_availability. Some endings are sold for two years
    at least.
    """
    return await Shop(call).pricing(domain, years)


@action(
    effect=Effect.DESTRUCTIVE,
    idempotent=True,  # X-Idempotency-Key: a repeated order gets the first one's answer, for twelve hours
    look_for="the domain in the account, and an order for it in the billing history",
)
async def purchase_domain(call: Call, *, domain: DomainName, max_price: MaxPrice, years: Years = 1) -> Registration:
    """Buy a domain.

    Spends the account's credit, or charges its payment method, and cannot be undone. The price is asked again
    right before the purchase: when it is higher than `max_price`, or the domain is no longer free, nothing is
    bought. name.com adds tax where it applies, and privacy protection where the account's settings say so;
    `total_paid` tells. The account's own contacts become the registrant. Some endings are sold for two years
    at least.
    """
    return await Shop(call).register(domain, years, max_price)


@action(effect=Effect.DESTRUCTIVE, look_for="the day the domain expires, and an order for it in the billing history")
async def renew_domain(call: Call, *, domain: DomainName, max_price: MaxPrice, years: Years = 1) -> Renewal:
    """Add years to a domain of the account.

    Spends the account's credit, or charges its payment method, and cannot be undone. The price is asked again
    right before: when it is higher than `max_price`, nothing is renewed. name.com adds tax where it applies;
    `total_paid` tells. Never repeat it before get_domain has told that `expires_at` is still the old one: every
    run adds years. Some endings are renewed for two years at least.
    """
    return await Shop(call).renew(domain, years, max_price)


# --------------------------------------------------------------------------------------- the account's own


@action(effect=Effect.READ)
async def list_domains(call: Call, *, limit: Limit = 100) -> list[Domain]:
    """List the account's domains."""
    return [domain_of(each) for each in await call.pages("core/v1/domains", limit=limit, items="domains")]


@action(effect=Effect.READ)
async def get_domain(call: Call, *, domain: DomainName) -> Domain:
    """Look up one domain of the account."""
    return domain_of((await call.get(_DOMAIN, domain=domain)).json)


@action(
    effect=Effect.DESTRUCTIVE,
    idempotent=True,
    look_for="the name servers of the domain; running it again is safe",
)
async def set_nameservers(call: Call, *, domain: DomainName, nameservers: Nameservers) -> list[str]:
    """Say which name servers answer for a domain.

    Replaces those there are. They should serve the domain already: some registries look before they accept. With
    wrong ones the whole domain stops working, mail included, and it takes up to two days until everybody sees a
    change. Answers with the name servers as they are now. An expired domain cannot be changed.
    """
    answer = await call.post(_DOMAIN + ":setNameservers", json={"nameservers": list(nameservers)}, domain=domain)
    return domain_of(answer.json).nameservers


# ----------------------------------------------------------------------------------------------- DNS records


@action(effect=Effect.READ)
async def list_dns_records(call: Call, *, domain: DomainName, limit: Limit = 1000) -> list[Record]:
    """List the DNS records of a domain.

    They are served only while the domain uses name.com's name servers.
    """
    return await Records(call, domain).all(limit)


@action(effect=Effect.WRITE, look_for="a record with this type, host and answer among the domain's DNS records")
async def create_dns_record(
    call: Call,
    *,
    domain: DomainName,
    type: RecordType,
    host: Host,
    answer: Value,
    ttl: Ttl = 300,
    priority: Priority = None,
) -> Record:
    """Add a DNS record.

    Others of the same type and host stay; upsert_dns_record replaces them.
    """
    return await Records(call, domain).create(Wanted(type, host, answer, ttl, priority))


@action(
    effect=Effect.WRITE,
    idempotent=True,
    look_for="the record's type, host and answer at the domain's DNS records",
)
async def update_dns_record(
    call: Call,
    *,
    domain: DomainName,
    record_id: RecordNumber,
    type: RecordType,
    host: Host,
    answer: Value,
    ttl: Ttl = 300,
    priority: Priority = None,
) -> Record:
    """Replace one DNS record.

    The whole record is replaced: give every part of it, also those that stay.
    """
    return await Records(call, domain).replace(record_id, Wanted(type, host, answer, ttl, priority))


@action(effect=Effect.DESTRUCTIVE, look_for="the record among the domain's DNS records")
async def delete_dns_record(call: Call, *, domain: DomainName, record_id: RecordNumber) -> None:
    """Delete one DNS record.

    What it served stops working within its time to live. Not found means that it is gone already.
    """
    await Records(call, domain).delete(record_id)


@action(
    effect=Effect.DESTRUCTIVE,
    idempotent=True,
    look_for="the records of this type and host among the domain's DNS records; running it again is safe",
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
) -> list[Record]:
    """Make the records of one type and host exactly these values.

    Changes what differs, adds what is missing and deletes what is not among the values; other types and hosts
    are left alone. All of them get the same time to live and priority. It takes several calls: when one
    fails, the earlier ones stay done, and running it again finishes the work.
    """
    return await Records(call, domain).make(Wanted(type, host, values[0], ttl, priority), values)

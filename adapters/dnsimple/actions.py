"""What an agent may do with domains at DNSimple: look, buy within a limit, and keep DNS records."""

import re

from adapters._kit import Annotated, Call, Effect, Field, Part, action, given
from adapters._kit.registrar import (
    DomainName,
    Host,
    Keyword,
    Limit,
    MaxPrice,
    Nameservers,
    Offer,
    Pricing,
    Priority,
    RecordNumber,
    Term,
    Tld,
    Value,
    Values,
    Years,
)
from adapters._kit.zone import Wanted, relative
from adapters.dnsimple.records import Records, Type
from adapters.dnsimple.results import (
    Account,
    Changes,
    Contact,
    Domain,
    Record,
    Registration,
    Renewal,
    Zone,
    registration_of,
)
from adapters.dnsimple.shop import Shop
from domain.errors import Rejected
from domain.json import Json

#: DNSimple suggests nothing and has every name checked by itself, under limits of its own.
_ENDINGS = ("com", "net", "org", "dev", "app", "io")
_MOST_CHECKS = 10

RecordType = Annotated[Type, Field(description="ALIAS is DNSimple's alias record for the top of a domain.")]
Ttl = Annotated[int, Field(description="Seconds it may be cached.", ge=60, le=604_800)]
RegistrationId = Annotated[int, Field(description="The `registration_id` of purchase_domain.", ge=1, le=2**53 - 1)]


# ----------------------------------------------------------------------------------------------- the account


@action(effect=Effect.READ)
async def get_account(call: Call) -> Account:
    """Look up the connected account."""
    return Account.of((await call.get("whoami")).at("data.account"))


@action(effect=Effect.READ)
async def list_accounts(call: Call) -> list[Account]:
    """List the accounts that the token reaches.

    Everything else here is about the connected account.
    """
    return [Account.of(each) for each in (await call.get("accounts")).objects("data")]


@action(effect=Effect.READ)
async def list_contacts(call: Call, *, limit: Limit = 100) -> list[Contact]:
    """List those whom domains can be registered for.

    purchase_domain needs one of them. A person adds contacts at DNSimple.
    """
    found = await call.pages("{account}/contacts", limit=limit, items="data", account=call.account_id)
    return [Contact.of(each) for each in found]


# ---------------------------------------------------------------------------------------- finding and buying


@action(effect=Effect.READ)
async def search_domains(
    call: Call,
    *,
    keyword: Keyword,
    tlds: Annotated[
        list[Tld] | None,
        Field(description="Only these endings, without the dot, e.g. com.", min_length=1, max_length=_MOST_CHECKS),
    ] = None,
    limit: Annotated[int, Field(description="The most to return.", ge=1, le=100)] = 20,
) -> list[Offer]:
    """Check a keyword under some endings.

    DNSimple does not suggest names: this tries the keyword itself, under the endings given or some common ones.
    Each ending costs one or two requests under strict limits, so ask seldom.
    """
    whole, _, ending = keyword.strip().lower().partition(".")
    name = re.sub(r"[^a-z0-9-]", "", whole).strip("-")[:63]
    if not name:
        raise Rejected("Nothing of this keyword can be part of a domain: letters a to z, digits and hyphens can.")
    first = [ending] if ending and re.fullmatch(r"[a-z0-9][a-z0-9.-]*", ending) else []
    endings = list(dict.fromkeys(tlds or [*first, *_ENDINGS]))[: min(limit, _MOST_CHECKS)]
    shop = Shop(call)
    return [await shop.offer(f"{name}.{each}") for each in endings]


@action(effect=Effect.READ)
async def check_availability(
    call: Call,
    *,
    domains: Annotated[list[DomainName], Field(description="At most 10.", min_length=1, max_length=_MOST_CHECKS)],
) -> list[Offer]:
    """See whether domains can be bought now, and for how much.

    In the order asked. A domain with an ending that DNSimple does not sell counts as not purchasable. DNSimple
    limits these questions strictly: ask about what shall be bought.
    """
    shop = Shop(call)
    return [await shop.offer(domain) for domain in domains]


@action(effect=Effect.READ)
async def get_pricing(
    call: Call,
    *,
    domain: DomainName,
    years: Term = None,
) -> Pricing:
    """Look up what a domain costs to register, renew or transfer.

    Says nothing about whether it is still free; see check_availability. Domains are registered for the shortest
    term of their ending only: for other years `purchase_price` is null.
    """
    return await Shop(call).pricing(domain, years)


@action(effect=Effect.DESTRUCTIVE, look_for="the domain in the account, or a registration of it in the activity log")
async def purchase_domain(
    call: Call,
    *,
    domain: DomainName,
    max_price: MaxPrice,
    contact_id: Annotated[int, Field(description="Who will own it: an `id` from list_contacts.", ge=1, le=2**53 - 1)],
    years: Years = 1,
) -> Registration:
    """Buy a domain.

    Charges the account and cannot be undone. Price and availability are asked again right before: when it costs
    more than `max_price`, or is no longer free, nothing is bought. Registering may take a while: when `state` is
    `pending`, follow it with get_registration and do not order again. Domains are registered for the shortest
    term of their ending, usually one year; renew_domain adds years. Of endings with a longer term the limit is
    held against the price times the years. It will not renew by itself, and privacy protection is off.
    """
    return await Shop(call).register(domain, years, max_price, contact_id)


@action(effect=Effect.READ)
async def get_registration(call: Call, *, domain: DomainName, registration_id: RegistrationId) -> Registration:
    """See how a purchase stands.

    Ask again after a minute while it is `pending`. `failed` and `cancelled` bought nothing.
    """
    answer = await call.get(
        "{account}/registrar/domains/{domain}/registrations/{registration_id}",
        account=call.account_id,
        domain=domain,
        registration_id=registration_id,
    )
    return registration_of(answer.at("data"), domain)


@action(effect=Effect.DESTRUCTIVE, look_for="the day the domain expires, and a renewal of it in the activity log")
async def renew_domain(call: Call, *, domain: DomainName, max_price: MaxPrice, years: Years = 1) -> Renewal:
    """Add years to a domain of the account.

    Charges the account and cannot be undone. The price is asked again right before: when it is higher than
    `max_price`, nothing is renewed. While `state` is `pending` do not order again; `expires_at` of get_domain
    tells when it is done.
    """
    return await Shop(call).renew(domain, years, max_price)


# --------------------------------------------------------------------------------------- the account's own


@action(effect=Effect.READ)
async def list_domains(call: Call, *, limit: Limit = 100) -> list[Domain]:
    """List the account's domains.

    Those that are registered elsewhere and only served by DNSimple are among them.
    """
    found = await call.pages("{account}/domains", limit=limit, items="data", account=call.account_id)
    return [Domain.of(each) for each in found]


@action(effect=Effect.READ)
async def get_domain(call: Call, *, domain: DomainName) -> Domain:
    """Look up one domain of the account, with its name servers."""
    found = Domain.of((await call.get("{account}/domains/{domain}", account=call.account_id, domain=domain)).at("data"))
    if found.state != "registered":
        return found
    path = "{account}/registrar/domains/{domain}/delegation"
    answer = await call.get(path, account=call.account_id, domain=domain)
    return Domain.of({**found.model_dump(), "nameservers": answer.at("data")})


@action(
    effect=Effect.DESTRUCTIVE,
    idempotent=True,
    look_for="the name servers of the domain; running it again is safe",
)
async def set_nameservers(
    call: Call,
    *,
    domain: DomainName,
    nameservers: Nameservers,
) -> list[str]:
    """Say which name servers answer for a domain.

    Replaces those there are. With wrong ones the whole domain stops working, mail included, and it takes up to
    two days until everybody sees a change. Answers with the name servers as they are now.
    """
    path = "{account}/registrar/domains/{domain}/delegation"
    answer = await call.put(path, json=list(nameservers), account=call.account_id, domain=domain)
    told = answer.at("data")
    return [str(each) for each in told] if isinstance(told, list) else list(nameservers)


@action(effect=Effect.READ)
async def list_zones(call: Call, *, limit: Limit = 100) -> list[Zone]:
    """List the zones: the domains whose DNS is kept here."""
    found = await call.pages("{account}/zones", limit=limit, items="data", account=call.account_id)
    return [Zone.of(each) for each in found]


# ----------------------------------------------------------------------------------------------- DNS records


@action(effect=Effect.READ)
async def list_dns_records(call: Call, *, domain: DomainName, limit: Limit = 1000) -> list[Record]:
    """List the DNS records of a domain.

    They are served only while the domain uses DNSimple's name servers.
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

    The whole record is replaced: give every part of it, also those that stay. The type must be the one it has:
    DNSimple cannot change it.
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
    are left alone. All of them get the same time to live and priority. DNSimple does all of it at once, or
    nothing.
    """
    return await Records(call, domain).make(Wanted(type, host, values[0], ttl, priority), values)


class NewRecord(Part):
    """A record to add."""

    type: RecordType
    host: Host
    answer: Value
    ttl: Ttl = 300
    priority: Priority = None


class ChangedRecord(Part):
    """A record to change. What is left out stays as it is."""

    record_id: RecordNumber
    host: Annotated[Host | None, Field(description='Name within the domain; "@" is the domain itself.')] = None
    answer: Annotated[Value | None, Field(description="As in create_dns_record.")] = None
    ttl: Annotated[Ttl | None, Field(description="Seconds it may be cached.")] = None
    priority: Annotated[Priority, Field(description="Of MX and SRV records.")] = None


@action(
    effect=Effect.DESTRUCTIVE,
    look_for="the records that were to be added, changed and deleted among the domain's DNS records",
)
async def batch_dns_changes(
    call: Call,
    *,
    domain: DomainName,
    creates: Annotated[
        list[NewRecord] | None, Field(description="Records to add.", min_length=1, max_length=100)
    ] = None,
    updates: Annotated[
        list[ChangedRecord] | None, Field(description="Records to change.", min_length=1, max_length=100)
    ] = None,
    deletes: Annotated[
        list[RecordNumber] | None, Field(description="Records to delete.", min_length=1, max_length=100)
    ] = None,
) -> Changes:
    """Change several DNS records at once.

    All of it happens, or nothing: one wrong change undoes the others. Name at least one.
    """
    if not (creates or updates or deletes):
        raise Rejected("Name at least one record to create, update or delete.")
    records = Records(call, domain)
    added: list[Json] = [
        records.body(Wanted(each.type, each.host, each.answer, each.ttl, each.priority)) for each in creates or ()
    ]
    changed: list[Json] = [_changed(each, domain) for each in updates or ()]
    return await records.batch(added, changed, deletes or [])


def _changed(change: ChangedRecord, domain: str) -> dict[str, Json]:
    name = None if change.host is None else relative(change.host, domain).removeprefix("@")
    return given(id=int(change.record_id), name=name, content=change.answer, ttl=change.ttl, priority=change.priority)

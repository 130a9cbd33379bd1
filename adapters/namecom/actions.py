"""What an agent may do with domains at name.com: look, buy within a limit, and keep DNS records."""

from dataclasses import dataclass
from decimal import Decimal

from adapters._kit import Annotated, Call, Effect, Field, action
from adapters._kit.call import given
from adapters.namecom.records import Records, Type, relative
from adapters.namecom.results import Domain, Offer, Pricing, Purchase, Record
from domain.errors import AlreadyThere, NotThere, Rejected
from domain.json import Json

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
#: name.com may search for longer than we wait for the first byte of an answer, unless told.
_SEARCH_MILLISECONDS = 5_000

DomainName = Annotated[
    str,
    Field(
        description="A domain in lower case, e.g. example.com; international names in punycode (xn--…).",
        min_length=4,
        max_length=253,
        pattern=rf"^({_LABEL}\.)+{_LABEL}$",
    ),
]
Years = Annotated[int, Field(description="For how many years.", ge=1, le=10)]
Limit = Annotated[int, Field(description="The most to return.", ge=1, le=1000)]
RecordType = Annotated[Type, Field(description="ANAME is name.com's alias record for the top of a domain.")]
Host = Annotated[
    str,
    Field(
        description='Name within the domain, e.g. www; "@" is the domain itself.',
        max_length=253,
        pattern=r"^(@|[A-Za-z0-9_*]([A-Za-z0-9_.*-]*[A-Za-z0-9_])?)$",
    ),
]
Value = Annotated[
    str,
    Field(
        description='An address, a host name or text, as the type asks; for SRV "weight port target".',
        min_length=1,
        max_length=4_000,
    ),
]
Ttl = Annotated[int, Field(description="Seconds it may be cached; name.com takes 300 or more.", ge=300, le=604_800)]
Priority = Annotated[int | None, Field(description="Needed for MX and SRV; others have none.", ge=0, le=65_535)]
RecordId = Annotated[int, Field(description="The record's `id` from list_dns_records.", ge=1, le=2**31 - 1)]


# ------------------------------------------------------------------------------------ finding and buying


@action(effect=Effect.READ)
async def search_domains(
    call: Call,
    *,
    keyword: Annotated[str, Field(description="A word, or a whole domain name.", min_length=1, max_length=253)],
    tlds: Annotated[
        list[Annotated[str, Field(min_length=2, max_length=63, pattern=r"^[a-z0-9][a-z0-9.-]*$")]] | None,
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
    return [Offer.of(each) for each in found[:limit]]


@action(effect=Effect.READ)
async def check_availability(
    call: Call,
    *,
    domains: Annotated[list[DomainName], Field(description="At most 50.", min_length=1, max_length=50)],
) -> list[Offer]:
    """See whether domains can be bought now, and for how much.

    In the order asked. A domain with an ending that name.com does not sell counts as not purchasable.
    """
    return await _offers(call, domains)


@action(effect=Effect.READ)
async def get_pricing(
    call: Call,
    *,
    domain: DomainName,
    years: Annotated[int | None, Field(description="The shortest term when left out.", ge=1, le=10)] = None,
) -> Pricing:
    """Look up what a domain costs to register, renew or transfer.

    Says nothing about whether it is still free; see check_availability. Some endings are sold for two years
    at least.
    """
    answer = await call.get("core/v1/domains/{domain}:getPricing", query={"years": years}, domain=domain)
    return Pricing.of(answer.json)


@action(
    effect=Effect.DESTRUCTIVE,
    idempotent=True,  # X-Idempotency-Key: a repeated order gets the first one's answer, for twelve hours
    look_for="the domain in the account, and an order for it in the billing history",
)
async def purchase_domain(
    call: Call,
    *,
    domain: DomainName,
    max_price: Annotated[
        float,
        Field(
            description="The most it may cost for all the years, in US dollars before tax, e.g. 15.00.",
            gt=0,
            le=100_000,
        ),
    ],
    years: Years = 1,
) -> Purchase:
    """Buy a domain.

    Spends the account's credit, or charges its payment method, and cannot be undone. The price is asked again
    right before the purchase: when it is higher than `max_price`, or the domain is no longer free, nothing is
    bought. name.com adds tax where it applies, and privacy protection where the account's settings say so;
    `total_paid` tells. The account's own contacts become the registrant. Some endings are sold for two years
    at least.
    """
    quote = await _quote(call, domain, years)
    if quote.price > Decimal(str(max_price)):
        raise Rejected(f"{domain} costs {quote.price} US dollars now, above the limit of {max_price}. Not bought.")
    return await _buy(call, domain, years, quote)


@dataclass(frozen=True, slots=True)
class _Quote:
    """The price for all the years, as of now. `is_ours`: the domain is in the account already."""

    price: Decimal
    purchase_type: str
    is_ours: bool = False


async def _quote(call: Call, domain: str, years: int) -> _Quote:
    """Raises Rejected when the domain is not for sale."""
    [offer] = await _offers(call, [domain])
    kind = offer.purchase_type or "registration"
    is_free = offer.purchasable and offer.purchase_price is not None
    # When the answer to a purchase was lost, the domain may be ours: ordering again with its key brings it.
    if not is_free and not await _is_ours(call, domain):
        raise Rejected(f"{domain} cannot be bought now. It was not bought.")
    if offer.purchase_price is not None and (offer.premium or kind != "registration"):
        # name.com's description: these cost the price of one year times the years. For others the offer is
        # for the shortest term, which is not always a year.
        return _Quote(Decimal(offer.purchase_price) * years, kind)
    answer = await call.get("core/v1/domains/{domain}:getPricing", query={"years": years}, domain=domain)
    price = Pricing.of(answer.json).purchase_price
    if price is None:
        raise Rejected(f"name.com does not sell {domain} for {years} year(s). It was not bought.")
    return _Quote(Decimal(price), kind, is_ours=not is_free)


async def _buy(call: Call, domain: str, years: int, quote: _Quote) -> Purchase:
    order: dict[str, Json] = {
        "domain": {"domainName": domain},
        "years": years,
        "purchasePrice": float(quote.price),
        "purchaseType": quote.purchase_type,
    }
    try:
        answer = await call.post("core/v1/domains", json=order)
    except AlreadyThere:
        call.has_acted = True  # 409: an order with this key exists; what became of it is not said
        raise
    except Rejected as problem:
        if problem.status == 402:
            message = "name.com could not take the payment: the account needs credit or another payment method."
            raise Rejected(message, status=402) from None
        if quote.is_ours:
            raise AlreadyThere(f"{domain} is in this account already; it was not bought again.") from None
        raise
    return Purchase.of(answer.json)


async def _offers(call: Call, domains: list[str]) -> list[Offer]:
    answer = await call.post("core/v1/domains:checkAvailability", json={"domainNames": domains}, harmless=True)
    told = {offer.domain: offer for offer in map(Offer.of, answer.objects("results"))}
    return [told.get(domain) or Offer.of({"domain": domain, "purchasable": False}) for domain in domains]


async def _is_ours(call: Call, domain: str) -> bool:
    try:
        await call.get("core/v1/domains/{domain}", domain=domain)
    except NotThere:
        return False
    return True


# ------------------------------------------------------------------------------------- the account's own


@action(effect=Effect.READ)
async def list_domains(call: Call, *, limit: Limit = 100) -> list[Domain]:
    """List the account's domains."""
    return [Domain.of(each) for each in await call.pages("core/v1/domains", limit=limit, items="domains")]


@action(effect=Effect.READ)
async def get_domain(call: Call, *, domain: DomainName) -> Domain:
    """Look up one domain of the account."""
    answer = await call.get("core/v1/domains/{domain}", domain=domain)
    return Domain.of(answer.json)


# ------------------------------------------------------------------------------------------- DNS records


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
    return await Records(call, domain).create(type, relative(host, domain), answer, ttl, priority)


@action(
    effect=Effect.WRITE,
    idempotent=True,
    look_for="the record's type, host and answer at the domain's DNS records",
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
) -> Record:
    """Replace one DNS record.

    The whole record is replaced: give every part of it, also those that stay.
    """
    return await Records(call, domain).replace(record_id, type, relative(host, domain), answer, ttl, priority)


@action(effect=Effect.DESTRUCTIVE, look_for="the record among the domain's DNS records")
async def delete_dns_record(call: Call, *, domain: DomainName, record_id: RecordId) -> None:
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
    values: Annotated[list[Value], Field(description="All the answers there shall be.", min_length=1, max_length=50)],
    ttl: Ttl = 300,
    priority: Priority = None,
) -> list[Record]:
    """Make the records of one type and host exactly these values.

    Changes what differs, adds what is missing and deletes what is not among the values; other types and hosts
    are left alone. All of them get the same time to live and priority. It takes several calls: when one
    fails, the earlier ones stay done, and running it again finishes the work.
    """
    return await Records(call, domain).make(type, relative(host, domain), values, ttl, priority)

"""Prices and purchases at DNSimple: what is asked before money is spent."""

from dataclasses import dataclass
from decimal import Decimal

from adapters._kit import Call
from adapters._kit.registrar import Offer, Pricing, refuse_above
from adapters.dnsimple.results import Quote, Registration, Renewal, registration_of, renewal_of
from domain.errors import AlreadyThere, NotThere, Rejected
from domain.json import Json

_DOMAIN = "{account}/domains/{domain}"
_REGISTRAR = "{account}/registrar/domains/{domain}"


@dataclass(frozen=True, slots=True)
class Shop:
    """What one account can buy. Methods raise ProviderProblem."""

    call: Call

    async def offer(self, domain: str) -> Offer:
        """Whether it can be bought now. Prices cost a second request, which only what is free is worth."""
        try:
            answer = await self.call.get(_REGISTRAR + "/check", account=self.call.account_id, domain=domain)
        except Rejected as problem:
            if problem.status != 400:
                raise
            # 400 is DNSimple's answer for an ending that it does not sell.
            return Offer.of({"domain": domain, "purchasable": False})
        offer = Offer.of(
            {"domain": domain, "purchasable": answer.at("data.available"), "premium": answer.at("data.premium")}
        )
        if not offer.purchasable:
            return offer
        quote = await self.quote(domain)
        prices = {"purchase_price": quote.registration_price, "renewal_price": quote.renewal_price}
        return offer.model_copy(update=prices)

    async def quote(self, domain: str) -> Quote:
        """Today's prices."""
        answer = await self.call.get(_REGISTRAR + "/prices", account=self.call.account_id, domain=domain)
        return Quote.of(answer.at("data"))

    async def term(self, domain: str) -> int:
        """For how many years DNSimple registers a domain with this ending: always the fewest there are."""
        tld = domain.partition(".")[2]
        try:
            years = (await self.call.get("tlds/{tld}", tld=tld)).at("data.minimum_registration")
        except NotThere:
            raise Rejected(f"DNSimple does not sell domains that end in .{tld}.") from None
        return years if isinstance(years, int) and years > 0 else 1

    async def pricing(self, domain: str, years: int | None) -> Pricing:
        """Prices for the years asked about."""
        quote = await self.quote(domain)
        is_sold = years is None or years == await self.term(domain)
        renewal = Decimal(quote.renewal_price) * (years or 1)
        return Pricing(
            premium=quote.premium,
            purchase_price=quote.registration_price if is_sold else None,
            renewal_price=str(renewal),
            transfer_price=quote.transfer_price,
        )

    async def register(self, domain: str, years: int, max_price: float, contact_id: int) -> Registration:
        """Ask everything again, then order."""
        await self._refuse_unless_free(domain)
        term = await self.term(domain)
        if years != term:
            raise Rejected(f"DNSimple registers {domain} for {term} year(s), no more and no less. Not bought.")
        quote = await self.quote(domain)
        # Whether the price of a longer term is for all of it is not said, nor when a trustee is charged: the
        # limit is held against the most it can come to.
        most = (Decimal(quote.registration_price) + Decimal(quote.trustee_price or 0)) * term
        refuse_above(max_price, most, domain)
        order: dict[str, Json] = {"registrant_id": contact_id}
        if quote.premium:
            order["premium_price"] = quote.registration_price
        return registration_of(await self._order(domain, "registrations", order), domain, most)

    async def renew(self, domain: str, years: int, max_price: float) -> Renewal:
        """Ask for the price again, then order."""
        quote = await self.quote(domain)
        price = Decimal(quote.renewal_price) * years
        refuse_above(max_price, price, domain)
        order: dict[str, Json] = {"period": years}
        if quote.premium:
            order["premium_price"] = quote.renewal_price
        return renewal_of(await self._order(domain, "renewals", order), domain, price)

    async def _order(self, domain: str, what: str, order: dict[str, Json]) -> Json:
        try:
            answer = await self.call.post(
                f"{_REGISTRAR}/{what}", json=order, account=self.call.account_id, domain=domain
            )
        except Rejected as problem:
            if problem.status == 402:
                message = (
                    "DNSimple could not take the payment: a person must look at the account's billing. Not bought."
                )
                raise Rejected(message, status=402) from None
            raise
        return answer.at("data")

    async def _refuse_unless_free(self, domain: str) -> None:
        answer = await self.call.get(_REGISTRAR + "/check", account=self.call.account_id, domain=domain)
        if answer.at("data.available") is True:
            return
        try:
            await self.call.get(_DOMAIN, account=self.call.account_id, domain=domain)
        except NotThere:
            raise Rejected(f"{domain} cannot be bought now. It was not bought.") from None
        raise AlreadyThere(f"{domain} is in this account already; it was not bought again.")

"""Prices and purchases at name.com: what is asked before money is spent."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from adapters._kit import Call
from adapters._kit.call import Answer
from adapters._kit.registrar import Pricing, refuse_above
from adapters.namecom.results import Offer, Registration, Renewal, offer_of, pricing_of, registration_of, renewal_of
from domain.errors import AlreadyThere, NotThere, Rejected
from domain.json import Json

_DOMAINS = "core/v1/domains"
_ONE = _DOMAINS + "/{domain}"


@dataclass(frozen=True, slots=True)
class _Quote:
    """The price for all the years, as of now. `is_ours`: the domain is in the account already."""

    price: Decimal
    purchase_type: str
    is_ours: bool = False


@dataclass(frozen=True, slots=True)
class Shop:
    """What one account can buy. Methods raise ProviderProblem."""

    call: Call

    async def offers(self, domains: Sequence[str]) -> list[Offer]:
        """What can be bought now, in the order asked. What name.com leaves out cannot."""
        body: dict[str, Json] = {"domainNames": list(domains)}
        answer = await self.call.post(_DOMAINS + ":checkAvailability", json=body, harmless=True)
        told = {offer.domain: offer for offer in map(offer_of, answer.objects("results"))}
        return [told.get(each) or Offer.of({"domain": each, "purchasable": False}) for each in domains]

    async def pricing(self, domain: str, years: int | None) -> Pricing:
        """Prices for the years asked about; None is the shortest term."""
        return pricing_of((await self.call.get(_ONE + ":getPricing", query={"years": years}, domain=domain)).json)

    async def register(self, domain: str, years: int, max_price: float) -> Registration:
        """Ask everything again, then order."""
        quote = await self._quote(domain, years)
        refuse_above(max_price, quote.price, domain)
        order: dict[str, Json] = {
            "domain": {"domainName": domain},
            "years": years,
            "purchasePrice": float(quote.price),
            "purchaseType": quote.purchase_type,
        }
        try:
            answer = await self._pay(_DOMAINS, domain, order)
        except AlreadyThere:
            self.call.may_have_acted()  # 409: an order with this key exists; what became of it is not said
            raise
        except Rejected as problem:
            if quote.is_ours and problem.status != 402:
                raise AlreadyThere(f"{domain} is in this account already; it was not bought again.") from None
            raise
        return registration_of(answer.json, domain, quote.price)

    async def renew(self, domain: str, years: int, max_price: float) -> Renewal:
        """Ask for the price again, then order."""
        shortest, whole = await self.pricing(domain, None), await self.pricing(domain, years)
        if shortest.renewal_price is None or whole.renewal_price is None:
            raise Rejected(f"name.com does not renew {domain} for {years} year(s). Not bought.")
        price = Decimal(whole.renewal_price)
        if whole.premium:
            # As when buying, these may cost the price of one year times the years, whatever the quote says.
            price = max(price, Decimal(shortest.renewal_price) * years)
        refuse_above(max_price, price, domain)
        # The price that is sent along is that of the shortest term, whatever the years. When it has changed since it
        # was asked for, name.com refuses.
        order: dict[str, Json] = {"years": years, "purchasePrice": float(shortest.renewal_price)}
        return renewal_of((await self._pay(_ONE + ":renew", domain, order)).json, domain, price, years)

    async def _quote(self, domain: str, years: int) -> _Quote:
        """Raises Rejected when the domain is not for sale."""
        [offer] = await self.offers([domain])
        kind = offer.purchase_type or "registration"
        is_free = offer.purchasable and offer.purchase_price is not None
        # When the answer to a purchase was lost, the domain may be ours: ordering again with its key brings it.
        if not is_free and not await self._is_ours(domain):
            raise Rejected(f"{domain} cannot be bought now. It was not bought.")
        if offer.purchase_price is not None and (offer.premium or kind != "registration"):
            # name.com's description: these cost the price of one year times the years. For others the offer is
            # for the shortest term, which is not always a year.
            return _Quote(Decimal(offer.purchase_price) * years, kind)
        price = (await self.pricing(domain, years)).purchase_price
        if price is None:
            raise Rejected(f"name.com does not sell {domain} for {years} year(s). It was not bought.")
        return _Quote(Decimal(price), kind, is_ours=not is_free)

    async def _is_ours(self, domain: str) -> bool:
        try:
            await self.call.get(_ONE, domain=domain)
        except NotThere:
            return False
        return True

    async def _pay(self, path: str, domain: str, order: dict[str, Json]) -> Answer:
        try:
            return await self.call.post(path, json=order, domain=domain)
        except Rejected as problem:
            if problem.status != 402:
                raise
            message = "name.com could not take the payment: the account needs credit or another payment method."
            raise Rejected(message, status=402) from None

"""Prices and purchases at Cloudflare: what is asked before money is spent."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn

from adapters._kit import Call
from adapters._kit.registrar import Pricing, refuse_above
from adapters.cloudflare.results import Offer, Registration, offer_of, registration_of
from domain.errors import AlreadyThere, NotThere, Rejected
from domain.json import Json

_REGISTRAR = "accounts/{account}/registrar"
_REGISTRATIONS = _REGISTRAR + "/registrations"
_ONE = _REGISTRATIONS + "/{domain}"

_WHY_NOT = {
    "extension_not_supported_via_api": "Cloudflare sells this ending only to people, in its dashboard.",
    "extension_not_supported": "Cloudflare does not sell this ending.",
    "extension_disallows_registration": "The registry of this ending takes no new registrations.",
    "domain_premium": "It is a premium domain, which Cloudflare sells only to people, in its dashboard.",
}


@dataclass(frozen=True, slots=True)
class Shop:
    """What one account can buy. Methods raise ProviderProblem."""

    call: Call

    async def offers(self, domains: Sequence[str]) -> list[Offer]:
        """What the registries say now, in the order asked. What Cloudflare leaves out cannot be bought."""
        answer = await self.call.post(
            _REGISTRAR + "/domain-check", json={"domains": list(domains)}, harmless=True, account=self.call.account_id
        )
        told = {offer.domain: offer for offer in map(offer_of, answer.objects("result.domains"))}
        return [told.get(each) or Offer.of({"domain": each, "purchasable": False}) for each in domains]

    async def pricing(self, domain: str, years: int | None) -> Pricing:
        """Prices for the years asked about, where the registry tells them."""
        [offer] = await self.offers([domain])
        first, later, many = offer.purchase_price, offer.renewal_price, years or 1
        return Pricing(
            premium=offer.premium,
            purchase_price=str(_price(first, later, many)) if first and later else None,
            renewal_price=str(Decimal(later) * many) if later else None,
            transfer_price=None,
        )

    async def register(self, domain: str, years: int, max_price: float) -> Registration:
        """Ask everything again, then order."""
        [offer] = await self.offers([domain])
        if not offer.purchasable:
            await self._refuse(domain, offer)
        if offer.premium:
            raise Rejected(f"{_WHY_NOT['domain_premium']} Not bought.")
        if offer.purchase_price is None or offer.renewal_price is None:
            raise Rejected(f"Cloudflare names no price in US dollars for {domain}. Not bought.")
        price = _price(offer.purchase_price, offer.renewal_price, years)
        refuse_above(max_price, price, domain)
        order: dict[str, Json] = {"domain_name": domain, "years": years}
        answer = await self.call.post(_REGISTRATIONS, json=order, account=self.call.account_id)
        return registration_of(answer.at("result"), domain, price)

    async def _refuse(self, domain: str, offer: Offer) -> NoReturn:
        """Raises AlreadyThere when the domain is in the account or ordered by it, else Rejected with the reason."""
        if await self._is_there(_ONE, domain):
            raise AlreadyThere(f"{domain} is in this account already; it was not bought again.")
        if await self._is_there(_ONE + "/registration-status", domain):
            raise AlreadyThere(f"{domain} was ordered before: get_registration tells how it stands. Not ordered again.")
        why = _WHY_NOT.get(offer.reason or "", f"{domain} cannot be bought now.")
        raise Rejected(f"{why} Not bought.")

    async def _is_there(self, path: str, domain: str) -> bool:
        try:
            await self.call.get(path, account=self.call.account_id, domain=domain)
        except NotThere:
            return False
        return True


def _price(first: str, later: str, years: int) -> Decimal:
    """The first year at its own price, then the later ones."""
    return Decimal(first) + Decimal(later) * (years - 1)

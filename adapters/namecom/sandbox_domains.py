"""The sandbox's shop: searching, pricing, buying, renewing, and what the account has."""

import hashlib
import json
import re
from dataclasses import dataclass

from pydantic import JsonValue
from starlette.routing import Route

from adapters.namecom.sandbox_api import Ask, Refused, Reply, Shape, api_route, not_found, wrong
from adapters.namecom.sandbox_state import (
    ENDINGS,
    Domain,
    Ending,
    Registry,
    Replay,
    dollars,
    price,
)

_MOST_NAMES = 50
_REPLAY_SECONDS = 12 * 3600
_NAME = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
_BESIDES = ("", "get", "my", "the")


def domain_routes(registry: Registry) -> list[Route]:
    """Everything about domains but their records."""
    return [
        api_route(registry, "GET", "/core/v1/hello", _hello),
        api_route(registry, "POST", "/core/v1/domains:search", _search),
        api_route(registry, "POST", "/core/v1/domains:checkAvailability", _check),
        api_route(registry, "GET", "/core/v1/domains", _list),
        api_route(registry, "POST", "/core/v1/domains", _buy),
        api_route(registry, "GET", "/core/v1/domains/{domain}:getPricing", _pricing),
        api_route(registry, "POST", "/core/v1/domains/{domain}:renew", _renew),
        api_route(registry, "POST", "/core/v1/domains/{domain}:setNameservers", _delegate),
        api_route(registry, "GET", "/core/v1/domains/{domain}", _get),
    ]


def _hello(ask: Ask) -> Reply:
    motd = "This is a sandbox that comes with Mandate. It is not name.com; nothing here is for sale."
    told: Shape = {"serverName": "sandbox", "motd": motd, "username": ask.user.username}
    return Reply({**told, "serverTime": ask.registry.stamp()})


def _search(ask: Ask) -> Reply:
    word = re.sub(r"[^a-z0-9-]", "", ask.text("keyword").lower().partition(".")[0]).strip("-")[:50]
    chosen = _strings(ask, "tldFilter") or list(ENDINGS)
    names = [f"{before}{word}.{ending}" for before in _BESIDES for ending in chosen if word]
    return Reply(
        {"results": [_result(ask.registry, name, found) for name in names if (found := ask.registry.ending(name))]}
    )


def _check(ask: Ask) -> Reply:
    names = _strings(ask, "domainNames")
    if not 1 <= len(names) <= _MOST_NAMES:
        raise wrong(f"'domainNames' must hold 1 to {_MOST_NAMES} names")
    sold = [(name.lower(), found) for name in names if (found := ask.registry.ending(name.lower()))]
    if not sold:
        raise Refused(422, "Unprocessable Entity", "None of the domains has a supported TLD.")
    return Reply({"results": [_result(ask.registry, name, found) for name, found in sold]})


def _pricing(ask: Ask) -> Reply:
    name = str(ask.request.path_params["domain"]).lower()
    ending = ask.registry.ending(name)
    if ending is None:
        raise not_found("The requested domain does not exist.")
    years = ask.asked("years", ending.fewest_years)
    if years > 10:
        raise wrong("'years' cannot be more than 10")
    is_sold = years >= ending.fewest_years
    return Reply(
        {
            "premium": _is_premium(name, ending),
            "purchasePrice": dollars(price(ending, years)) if is_sold else None,
            "renewalPrice": dollars(ending.later * years) if is_sold else None,
            "transferPrice": dollars(ending.later),
        }
    )


def _list(ask: Ask) -> Reply:
    mine = [found for found in ask.registry.world.domains.values() if found.owner == ask.user.username]
    return Reply(ask.page("domains", [_shape(found) for found in sorted(mine, key=lambda found: found.name)]))


def _get(ask: Ask) -> Reply:
    return Reply(_shape(ask.domain()))


def _delegate(ask: Ask) -> Reply:
    domain, names = ask.domain(), _strings(ask, "nameservers")
    if not names or not all(_NAME.fullmatch(each) for each in names):
        raise wrong("'nameservers' must hold host names")
    domain.nameservers = names
    ask.registry.performed("POST /core/v1/domains/{domainName}:setNameservers")
    return Reply(_shape(domain))


# ---------------------------------------------------------------------------------------------------- buying


@dataclass(frozen=True)
class _Order:
    """What is bought, for how long, at how many cents."""

    name: str
    years: int
    cents: int
    ending: Ending


def _buy(ask: Ask) -> Reply:
    """The same key and body bring the first answer again, for twelve hours; another body is a 409."""
    key = ask.request.headers.get("x-idempotency-key")
    echo = {"X-Idempotency-Key": key} if key else {}
    place, fingerprint = f"{ask.user.username}/{key}", _fingerprint(ask.body)
    known = ask.registry.world.replays.get(place) if key else None
    if known is not None and known.until > ask.registry.now():
        if known.fingerprint != fingerprint:
            raise Refused(409, "The idempotency key was used for another request.")
        return Reply(known.answer, {**echo, "X-Idempotent-Replay": "1"})
    answer = _sell(ask, _order(ask))
    if key:
        until = ask.registry.now() + _REPLAY_SECONDS
        ask.registry.world.replays[place] = Replay(fingerprint=fingerprint, answer=answer, until=until)
    ask.registry.performed("POST /core/v1/domains")
    return Reply(answer, echo)


def _order(ask: Ask) -> _Order:
    """The order, checked as name.com describes it; raises Refused."""
    named = ask.body.get("domain")
    name = named.get("domainName") if isinstance(named, dict) else None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise wrong("'domainName' is not a domain name")
    ending = ask.registry.ending(name)
    if ending is None:
        raise Refused(422, "Pricing information unavailable", "The TLD is not supported.")
    years = ask.number("years") or ending.fewest_years
    if not ending.fewest_years <= years <= 10:
        raise wrong(f"'years' must be {ending.fewest_years} to 10")
    if not ask.registry.is_free(name):
        raise wrong("The domain is not available.")
    cents = price(ending, years)
    _confirm_price(ask, name, ending, cents)
    return _Order(name, years, cents, ending)


def _sell(ask: Ask, order: _Order) -> Shape:
    _pay(ask, order.cents)
    registry = ask.registry
    bought = Domain(
        name=order.name,
        owner=ask.user.username,
        created_at=registry.stamp(),
        expires_at=registry.stamp(order.years),
        renewal=order.ending.later,
    )
    registry.world.domains[order.name] = bought
    return {"domain": _shape(bought), "order": registry.world.new_id(), "totalPaid": dollars(order.cents)}


def _renew(ask: Ask) -> Reply:
    """The price to confirm is that of the shortest term, whatever the years. No key is heeded."""
    domain, registry = ask.domain(), ask.registry
    ending = registry.ending(domain.name)
    if ending is None:
        raise Refused(422, "Domain pricing unavailable", "There is no price for this domain.")
    years = ask.number("years") or ending.fewest_years
    if not ending.fewest_years <= years <= 10:
        raise wrong(f"'years' must be {ending.fewest_years} to 10")
    _confirm_price(ask, domain.name, ending, ending.later * ending.fewest_years)
    _pay(ask, ending.later * years)
    domain.expires_at = f"{int(domain.expires_at[:4]) + years}{domain.expires_at[4:]}"
    registry.performed("POST /core/v1/domains/{domainName}:renew")
    return Reply(
        {"domain": _shape(domain), "order": registry.world.new_id(), "totalPaid": dollars(ending.later * years)}
    )


def _confirm_price(ask: Ask, name: str, ending: Ending, cents: int) -> None:
    """Raises Refused (400) when a price was told that is not this one, or none where one must be."""
    told = ask.body.get("purchasePrice")
    if told is None and _is_premium(name, ending):
        raise wrong("'purchasePrice' is required for premium domains")
    if told is not None and (not isinstance(told, (int, float)) or round(told * 100) != cents):
        raise wrong("'purchasePrice' is not the price of this domain")


def _pay(ask: Ask, cents: int) -> None:
    """Raises Refused (402) when the credit does not reach."""
    if ask.user.credit < cents:
        raise Refused(402, "Payment Required", "The account has too little credit.")
    ask.user.credit -= cents


def _fingerprint(body: Shape) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


# ---------------------------------------------------------------------------------------------------- shapes


def _result(registry: Registry, name: str, ending: Ending) -> Shape:
    label, _, tld = name.partition(".")
    found: Shape = {"domainName": name, "sld": label, "tld": tld, "purchasable": registry.is_free(name)}
    if found["purchasable"]:
        found |= {
            "premium": _is_premium(name, ending),
            "purchasePrice": dollars(price(ending, ending.fewest_years)),
            "purchaseType": "registration",
            "renewalPrice": dollars(ending.later),
        }
    return found


def _is_premium(name: str, ending: Ending) -> bool:
    return ENDINGS.get(name.partition(".")[2]) is not ending


def _shape(domain: Domain) -> Shape:
    nameservers: list[JsonValue] = list(domain.nameservers)
    return {
        "domainName": domain.name,
        "createDate": domain.created_at,
        "expireDate": domain.expires_at,
        "autorenewEnabled": True,
        "locked": True,
        "privacyEnabled": False,
        "contacts": {},
        "nameservers": nameservers,
        "renewalPrice": dollars(domain.renewal),
    }


def _strings(ask: Ask, name: str) -> list[str]:
    value = ask.body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise wrong(f"'{name}' must be a list of strings")
    return [str(each) for each in value]

"""The sandbox's accounts and shop: who asks, searching, checking, buying, and what the account has."""

import re
from base64 import b64decode, urlsafe_b64encode

from pydantic import JsonValue
from starlette.routing import Route

from adapters.cloudflare.sandbox_api import Ask, Refused, Reply, Shape, api_route, not_found, wrong
from adapters.cloudflare.sandbox_state import (
    DASHBOARD_ENDINGS,
    ENDINGS,
    NAMESERVERS,
    PREMIUM_LENGTH,
    REGISTRY_SECONDS,
    Account,
    Registration,
    Registry,
    Token,
    Zone,
    dollars,
)

_REGISTRAR = "/accounts/{account}/registrar"
_REGISTRATIONS = _REGISTRAR + "/registrations"
_MOST_NAMES = 20
_NAME = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
_BESIDES = ("", "get", "my", "the")


def domain_routes(registry: Registry) -> list[Route]:
    """Everything but records."""
    return [
        api_route(registry, "GET", "/user/tokens/verify", _verify),
        api_route(registry, "GET", "/accounts", _accounts),
        api_route(registry, "GET", "/accounts/{account}", _account),
        api_route(registry, "GET", "/accounts/{account}/tokens/verify", _verify_of_account),
        api_route(registry, "GET", "/zones", _zones),
        api_route(registry, "GET", _REGISTRAR + "/domain-search", _search),
        api_route(registry, "POST", _REGISTRAR + "/domain-check", _check),
        api_route(registry, "POST", _REGISTRATIONS, _register),
        api_route(registry, "GET", _REGISTRATIONS, _list),
        api_route(registry, "GET", _REGISTRATIONS + "/{domain}", _get),
        api_route(registry, "GET", _REGISTRATIONS + "/{domain}/registration-status", _status),
    ]


# -------------------------------------------------------------------------------------------------- who asks


def _verify(ask: Ask) -> Reply:
    return _verified(ask.token, is_of_account=False)


def _verify_of_account(ask: Ask) -> Reply:
    return _verified(ask.token, is_of_account=True)


def _verified(token: Token, *, is_of_account: bool) -> Reply:
    if token.is_of_account is not is_of_account:
        raise Refused(401, 1000, "Invalid API Token")
    told: Shape = {"id": token.id, "status": "active"}
    return Reply({**told, "expires_on": token.expires_on} if token.expires_on else told)


def _accounts(ask: Ask) -> Reply:
    if ask.token.is_of_account:
        raise wrong("List accounts endpoint does not support account owned tokens.", 1001)
    return ask.page([_account_shape(ask.registry.world.accounts[each]) for each in ask.token.accounts])


def _account(ask: Ask) -> Reply:
    return Reply(_account_shape(ask.owner))


# ------------------------------------------------------------------------------------------------- what it has


def _zones(ask: Ask) -> Reply:
    query, world = ask.request.query_params, ask.registry.world
    wanted = query.get("account.id")
    found = [each for each in world.zones.values() if each.account in ask.token.accounts]
    found = [each for each in found if wanted in (None, each.account) and query.get("name") in (None, each.name)]
    return ask.page([_zone_shape(each, world.accounts[each.account]) for each in found])


def _list(ask: Ask) -> Reply:
    """By cursor."""
    size = ask.asked("per_page", 20, 1, 50)
    try:
        after = b64decode(ask.request.query_params.get("cursor", ""), altchars=b"-_", validate=True).decode()
    except ValueError:
        raise wrong("cursor is invalid") from None
    mine = sorted((each for each in _mine(ask) if each.domain > after), key=lambda each: each.domain)
    shown = mine[:size]
    following = urlsafe_b64encode(shown[-1].domain.encode()).decode() if len(mine) > size else ""
    info: Shape = {"count": len(shown), "per_page": size, "cursor": following}
    return Reply([_registration_shape(each) for each in shown], info=info)


def _get(ask: Ask) -> Reply:
    for each in _mine(ask):
        if each.domain == ask.at("domain"):
            return Reply(_registration_shape(each))
    raise not_found("The domain is not registered in this account")


def _mine(ask: Ask) -> list[Registration]:
    orders = ask.registry.world.registrations.values()
    return [each for each in orders if each.account == ask.owner.id and each.expires_at]


# ------------------------------------------------------------------------------------------ searching and buying


def _search(ask: Ask) -> Reply:
    query = ask.request.query_params
    word = re.sub(r"[^a-z0-9-]", "", query.get("q", "").lower().partition(".")[0]).strip("-")[:50]
    if not word:
        raise wrong("q must hold a keyword or a domain name", 10001)
    chosen = [each for each in query.getlist("extensions") or ENDINGS if each in ENDINGS]
    names = [f"{before}{word}.{ending}" for before in _BESIDES for ending in chosen]
    shown = names[: ask.asked("limit", 20, 1, 50)]
    return Reply({"domains": [_offer(ask.registry, name) for name in shown]})


def _check(ask: Ask) -> Reply:
    names = ask.body.get("domains")
    if not isinstance(names, list) or not 1 <= len(names) <= _MOST_NAMES:
        raise wrong(f"domains must hold 1 to {_MOST_NAMES} names", 10001)
    known = [each for each in names if isinstance(each, str) and _NAME.fullmatch(each)]
    return Reply({"domains": [_offer(ask.registry, name) for name in known]})


def _offer(registry: Registry, name: str) -> Shape:
    label, _, ending = name.partition(".")
    refused: Shape = {"name": name, "registrable": False}
    if ending in DASHBOARD_ENDINGS:
        return {**refused, "reason": "extension_not_supported_via_api"}
    if ending not in ENDINGS:
        return {**refused, "reason": "extension_not_supported"}
    if not registry.is_free(name):
        return {**refused, "reason": "domain_unavailable"}
    if len(label) <= PREMIUM_LENGTH:
        return {**refused, "reason": "domain_premium", "tier": "premium"}
    price = ENDINGS[ending]
    told: Shape = {"registration_cost": dollars(price.first), "renewal_cost": dollars(price.later)}
    return {"name": name, "registrable": True, "tier": "standard", "pricing": {"currency": "USD", **told}}


def _register(ask: Ask) -> Reply:
    """Accepted at once when the caller prefers so (RFC 7240), and always done later."""
    registry, name = ask.registry, ask.body.get("domain_name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise wrong("domain_name must be a domain", 10001)
    if not ask.owner.can_pay:
        raise Refused(402, 10002, "The account has no valid payment method")
    if registry.world.registrations.get(name) and not registry.is_free(name):
        raise Refused(409, 10003, "A registration for this domain exists")
    if _offer(registry, name)["registrable"] is not True:
        raise wrong("The domain cannot be registered", 10004)
    fewest = ENDINGS[name.partition(".")[2]].fewest_years
    years = ask.body.get("years", fewest)
    if isinstance(years, bool) or not isinstance(years, int) or not fewest <= years <= 10:
        raise wrong(f"years must be {fewest} to 10", 10001)
    order = Registration(
        domain=name,
        account=ask.owner.id,
        years=years,
        state="in_progress",
        due=registry.now() + REGISTRY_SECONDS,
        created_at=registry.stamp(),
        updated_at=registry.stamp(),
        autorenew=ask.body.get("auto_renew") is True,
    )
    registry.world.registrations[name] = order
    registry.performed("POST /accounts/{account_id}/registrar/registrations")
    return Reply(_workflow_shape(order), status=202)


def _status(ask: Ask) -> Reply:
    found = ask.registry.world.registrations.get(ask.at("domain"))
    if found is None or found.account != ask.owner.id:
        raise not_found("There is no registration of this domain")
    return Reply(_workflow_shape(found))


# ---------------------------------------------------------------------------------------------------- shapes


def _account_shape(account: Account) -> Shape:
    return {"id": account.id, "name": account.name, "type": "standard", "created_on": "2026-01-12T09:00:00Z"}


def _zone_shape(zone: Zone, account: Account) -> JsonValue:
    names: list[JsonValue] = list(NAMESERVERS)
    return {
        "id": zone.id,
        "name": zone.name,
        "status": zone.status,
        "paused": False,
        "type": "full",
        "development_mode": 0,
        "account": {"id": account.id, "name": account.name},
        "created_on": zone.created_on,
        "modified_on": zone.created_on,
        "name_servers": names,
        "meta": {},
        "owner": {"id": None, "type": "user"},
        "plan": {"id": "free", "name": "Free Website"},
    }


def _registration_shape(order: Registration) -> Shape:
    return {
        "domain_name": order.domain,
        "status": "active",
        "auto_renew": order.autorenew,
        "locked": True,
        "privacy_mode": "redaction",
        "created_at": order.created_at,
        "expires_at": order.expires_at,
    }


def _workflow_shape(order: Registration) -> Shape:
    place = f"/accounts/{order.account}/registrar/registrations/{order.domain}"
    shape: Shape = {
        "state": order.state,
        "completed": order.state in ("succeeded", "failed"),
        "created_at": order.created_at,
        "updated_at": order.updated_at,
        "links": {"self": place + "/registration-status", "resource": place},
        "context": {"domain_name": order.domain},
    }
    if order.state == "failed":
        shape["error"] = {"code": "registry_rejected", "message": "The registry did not accept the name."}
    if order.state == "action_required":
        shape["context"] = {"domain_name": order.domain, "action": "confirm_email"}
    return shape

"""The sandbox's shop: who asks, checking, pricing, buying, renewing, and what the account has."""

import re

from pydantic import JsonValue
from starlette.routing import Route

from adapters.dnsimple.sandbox_api import Ask, Refused, Reply, Shape, api_route, not_found, wrong
from adapters.dnsimple.sandbox_state import (
    ENDINGS,
    REGISTRY_SECONDS,
    Account,
    Contact,
    Domain,
    Ending,
    Registration,
    Registry,
    dollars,
    ending,
    is_premium,
    new_zone,
)

_BEGINNING = "2026-01-12T09:00:00Z"
_REGISTRAR = "/{account}/registrar/domains/{domain}"
_SERVER = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")


def domain_routes(registry: Registry) -> list[Route]:
    """Everything but records."""
    return [
        api_route(registry, "GET", "/whoami", _whoami),
        api_route(registry, "GET", "/accounts", _accounts),
        api_route(registry, "GET", "/tlds/{tld}", _tld),
        api_route(registry, "GET", "/{account}/contacts", _contacts),
        api_route(registry, "GET", "/{account}/domains", _list),
        api_route(registry, "GET", "/{account}/domains/{domain}", _get),
        api_route(registry, "GET", "/{account}/zones", _zones),
        api_route(registry, "GET", _REGISTRAR + "/check", _check),
        api_route(registry, "GET", _REGISTRAR + "/prices", _prices),
        api_route(registry, "POST", _REGISTRAR + "/registrations", _register),
        api_route(registry, "GET", _REGISTRAR + "/registrations/{registration}", _registration),
        api_route(registry, "POST", _REGISTRAR + "/renewals", _renew),
        api_route(registry, "GET", _REGISTRAR + "/delegation", _delegation),
        api_route(registry, "PUT", _REGISTRAR + "/delegation", _delegate),
    ]


# --------------------------------------------------------------------------------------------------- who asks


def _whoami(ask: Ask) -> Reply:
    if ask.token.account is None:
        person: Shape = {"id": 7, "email": "lin@harbour.example", "created_at": _BEGINNING, "updated_at": _BEGINNING}
        return Reply({"data": {"user": person, "account": None}})
    account = ask.registry.world.accounts[ask.token.account]
    return Reply({"data": {"user": None, "account": _account_shape(account)}})


def _accounts(ask: Ask) -> Reply:
    found = ask.registry.world.accounts.values()
    return Reply({"data": [_account_shape(each) for each in found if ask.token.account in (None, each.id)]})


def _contacts(ask: Ask) -> Reply:
    found = ask.registry.world.contacts.values()
    return Reply(ask.page([_contact_shape(each) for each in found if each.account == ask.owner.id]))


# ------------------------------------------------------------------------------------------------- what it has


def _mine(ask: Ask) -> list[Domain]:
    found = [each for each in ask.registry.world.domains.values() if each.account == ask.owner.id]
    return sorted(found, key=lambda each: each.name)


def _list(ask: Ask) -> Reply:
    return Reply(ask.page([_domain_shape(each) for each in _mine(ask)]))


def _get(ask: Ask) -> Reply:
    return Reply({"data": _domain_shape(ask.domain())})


def _zones(ask: Ask) -> Reply:
    return Reply(ask.page([_zone_shape(each) for each in _mine(ask)]))


def _delegation(ask: Ask) -> Reply:
    return Reply({"data": list(_registered(ask).nameservers)})


def _delegate(ask: Ask) -> Reply:
    domain = _registered(ask)
    names = ask.body
    if not isinstance(names, list) or not 2 <= len(names) <= 13:
        raise Refused(400, "The name servers must be a list of 2 to 13 names")
    for each in names:
        if not isinstance(each, str) or not _SERVER.fullmatch(each):
            raise Refused(400, "One of the name servers is not a host name")
    domain.nameservers = [str(each) for each in names]
    ask.registry.performed("PUT /{account}/registrar/domains/{domain}/delegation")
    return Reply({"data": list(names)})


def _registered(ask: Ask) -> Domain:
    domain = ask.domain()
    if domain.expires_at is None:
        raise Refused(400, f"The domain {domain.name} is not registered with DNSimple")
    return domain


# ------------------------------------------------------------------------------------------ checking and buying


def _sold(ask: Ask) -> tuple[str, Ending]:
    """The domain of the path, and what it costs; raises Refused (400)."""
    name = ask.at("domain").lower()
    found = ending(name)
    if found is None:
        raise Refused(400, f"TLD .{name.partition('.')[2].upper()} is not supported")
    return name, found


def _tld(ask: Ask) -> Reply:
    tld = ask.at("tld")
    if tld not in ENDINGS:
        raise not_found(f"TLD `{tld}` not found")
    return Reply(
        {
            "data": {
                "tld": tld,
                "tld_type": 1,
                "whois_privacy": True,
                "auto_renew_only": False,
                "idn": True,
                "minimum_registration": ENDINGS[tld].years,
                "registration_enabled": True,
                "renewal_enabled": True,
                "transfer_enabled": True,
                "dnssec_interface_type": "ds",
                "name_server_min": 2,
                "name_server_max": 13,
                "trustee_service_enabled": False,
                "trustee_service_required": False,
            }
        }
    )


def _check(ask: Ask) -> Reply:
    name, _ = _sold(ask)
    free = ask.registry.is_free(name)
    return Reply({"data": {"domain": name, "available": free, "premium": is_premium(name), "trustee": False}})


def _prices(ask: Ask) -> Reply:
    name, found = _sold(ask)
    return Reply(
        {
            "data": {
                "domain": name,
                "premium": is_premium(name),
                "registration_price": dollars(found.first),
                "renewal_price": dollars(found.later),
                "transfer_price": dollars(found.later),
                "restore_price": dollars(8000),
            }
        }
    )


def _register(ask: Ask) -> Reply:
    (name, found), registry = _sold(ask), ask.registry
    contact = registry.world.contacts.get(_number(ask, "registrant_id"))
    if contact is None or contact.account != ask.owner.id:
        raise not_found("Contact not found")
    _pay(ask, name, found.first)
    if not registry.is_free(name):
        raise Refused(400, f"The domain {name} is not available")
    domain = Domain(
        id=registry.world.new_id(),
        name=name,
        account=ask.owner.id,
        contact=contact.id,
        created_at=registry.stamp(),
        expires_at=None if found.is_slow else registry.stamp(found.years),
        records=new_zone(registry.world),
    )
    registry.world.domains[name] = domain
    order = _ordered(ask, domain, contact, found.years, is_slow=found.is_slow)
    registry.performed("POST /{account}/registrar/domains/{domain}/registrations")
    return Reply({"data": _registration_shape(order)}, status=202 if found.is_slow else 201)


def _ordered(ask: Ask, domain: Domain, contact: Contact, years: int, *, is_slow: bool) -> Registration:
    registry = ask.registry
    order = Registration(
        id=registry.world.new_id(),
        domain=domain.name,
        domain_id=domain.id,
        account=ask.owner.id,
        contact=contact.id,
        years=years,
        state="registering" if is_slow else "registered",
        due=registry.now() + REGISTRY_SECONDS,
        created_at=registry.stamp(),
        updated_at=registry.stamp(),
    )
    registry.world.registrations[order.id] = order
    return order


def _registration(ask: Ask) -> Reply:
    told = ask.at("registration")
    found = ask.registry.world.registrations.get(int(told)) if told.isdigit() and len(told) < 12 else None
    if found is None or found.account != ask.owner.id or found.domain != ask.at("domain").lower():
        raise not_found("Domain registration not found")
    return Reply({"data": _registration_shape(found)})


def _renew(ask: Ask) -> Reply:
    domain, registry = _registered(ask), ask.registry
    _, found = _sold(ask)
    years, expires = _number(ask, "period"), domain.expires_at or registry.stamp()
    if not 1 <= years <= 9:
        raise wrong("period", "must be between 1 and 9")
    _pay(ask, domain.name, found.later)
    domain.expires_at = f"{int(expires[:4]) + years}{expires[4:]}"
    registry.performed("POST /{account}/registrar/domains/{domain}/renewals")
    return Reply(
        {
            "data": {
                "id": registry.world.new_id(),
                "domain_id": domain.id,
                "period": years,
                "state": "renewed",
                "created_at": registry.stamp(),
                "updated_at": registry.stamp(),
            }
        },
        status=201,
    )


def _pay(ask: Ask, name: str, cents: int) -> None:
    """Raises Refused when the account owes money, or the price of a premium domain was not confirmed."""
    if ask.owner.owes:
        raise Refused(402, "This action cannot be completed because you have invoices that need to be paid")
    told = ask.fields.get("premium_price")
    if is_premium(name) and (not isinstance(told, str) or told != f"{dollars(cents):.2f}"):
        raise wrong("premium_price", "must be the price of the premium domain")


def _number(ask: Ask, name: str) -> int:
    value = ask.fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(name, "is not a number")
    return value


# ---------------------------------------------------------------------------------------------------- shapes


def _account_shape(account: Account) -> Shape:
    plan = "teams-v2-monthly"
    times: Shape = {"created_at": _BEGINNING, "updated_at": _BEGINNING}
    return {"id": account.id, "email": account.email, "plan_identifier": plan, **times}


def _contact_shape(contact: Contact) -> Shape:
    unsaid = dict.fromkeys(("job_title", "address2", "fax"), "")
    return {
        **unsaid,
        "id": contact.id,
        "account_id": contact.account,
        "label": contact.label,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "organization_name": contact.organization,
        "address1": "1 Harbour Street",
        "city": "Port",
        "state_province": "PT",
        "postal_code": "1000",
        "country": "PT",
        "phone": "+351.210000000",
        "email": f"{contact.first_name.lower()}@harbour.example",
        "created_at": _BEGINNING,
        "updated_at": _BEGINNING,
    }


def _domain_shape(domain: Domain) -> Shape:
    shape: Shape = {
        "id": domain.id,
        "account_id": domain.account,
        "registrant_id": domain.contact,
        "name": domain.name,
        "unicode_name": domain.name,
        "state": "registered" if domain.expires_at else "hosted",
        "auto_renew": False,
        "private_whois": False,
        "expires_at": domain.expires_at,
        "trustee": False,
        "created_at": domain.created_at,
        "updated_at": domain.created_at,
    }
    if domain.expires_at:
        shape["expires_on"] = domain.expires_at[:10]
    return shape


def _zone_shape(domain: Domain) -> JsonValue:
    return {
        "id": domain.id,
        "account_id": domain.account,
        "name": domain.name,
        "reverse": False,
        "secondary": False,
        "last_transferred_at": None,
        "active": True,
        "created_at": domain.created_at,
        "updated_at": domain.created_at,
    }


def _registration_shape(order: Registration) -> Shape:
    return {
        "id": order.id,
        "domain_id": order.domain_id,
        "registrant_id": order.contact,
        "period": order.years,
        "state": order.state,
        "auto_renew": False,
        "whois_privacy": False,
        "trustee": False,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
    }

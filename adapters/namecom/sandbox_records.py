"""The sandbox's DNS records. They are kept and listed; nothing answers DNS for them."""

import ipaddress

from pydantic import JsonValue
from starlette.routing import Route

from adapters.namecom.sandbox_api import Ask, Reply, Shape, api_route, not_found, wrong
from adapters.namecom.sandbox_state import Record, Registry

_TYPES = ("A", "AAAA", "ANAME", "CNAME", "MX", "NS", "SRV", "TXT")
_LEAST_TTL_SECONDS = 300
_PATH = "/core/v1/domains/{domain}/records"


def record_routes(registry: Registry) -> list[Route]:
    """Records of one domain."""
    return [
        api_route(registry, "GET", _PATH, _list),
        api_route(registry, "POST", _PATH, _create),
        api_route(registry, "GET", _PATH + "/{id}", _get),
        api_route(registry, "PUT", _PATH + "/{id}", _replace),
        api_route(registry, "DELETE", _PATH + "/{id}", _delete),
    ]


def _list(ask: Ask) -> Reply:
    domain = ask.domain()
    shapes: list[JsonValue] = [_shape(record, domain.name) for record in domain.records]
    return Reply(ask.page("records", shapes))


def _get(ask: Ask) -> Reply:
    return Reply(_shape(_named(ask), ask.domain().name))


def _create(ask: Ask) -> Reply:
    domain = ask.domain()
    record = _told(ask, 0)
    record.id = ask.registry.world.new_id()
    domain.records.append(record)
    ask.registry.performed("POST /core/v1/domains/{domainName}/records")
    return Reply(_shape(record, domain.name))


def _replace(ask: Ask) -> Reply:
    domain, old = ask.domain(), _named(ask)
    record = _told(ask, old.id)
    domain.records[domain.records.index(old)] = record
    ask.registry.performed("PUT /core/v1/domains/{domainName}/records/{id}")
    return Reply(_shape(record, domain.name))


def _delete(ask: Ask) -> Reply:
    ask.domain().records.remove(_named(ask))
    ask.registry.performed("DELETE /core/v1/domains/{domainName}/records/{id}")
    return Reply(None)


def _named(ask: Ask) -> Record:
    number = str(ask.request.path_params["id"])
    for record in ask.domain().records:
        if str(record.id) == number:
            return record
    raise not_found("The requested record does not exist.")


def _told(ask: Ask, number: int) -> Record:
    """The record of the body; raises Refused (400)."""
    kind, answer = ask.text("type"), ask.text("answer")
    host = "" if ask.body.get("host") in (None, "@") else ask.text("host")
    ttl = ask.number("ttl", _LEAST_TTL_SECONDS) or 0
    priority = ask.number("priority")
    if kind not in _TYPES:
        raise wrong(f"'type' must be one of {', '.join(_TYPES)}")
    if not answer or not _is_answer(kind, answer):
        raise wrong(f"'answer' is not one for a record of type {kind}")
    if ttl < _LEAST_TTL_SECONDS:
        raise wrong(f"'ttl' must be at least {_LEAST_TTL_SECONDS}")
    if kind in ("MX", "SRV") and priority is None:
        raise wrong(f"'priority' is required for records of type {kind}")
    return Record(
        id=number,
        type=kind,
        host=host,
        answer=answer,
        ttl=ttl,
        priority=priority if kind in ("MX", "SRV") else None,
    )


def _is_answer(kind: str, answer: str) -> bool:
    try:
        if kind == "A":
            ipaddress.IPv4Address(answer)
        elif kind == "AAAA":
            ipaddress.IPv6Address(answer)
    except ValueError:
        return False
    return kind != "SRV" or len(answer.split()) == 3


def _shape(record: Record, domain: str) -> Shape:
    shape: Shape = {
        "id": record.id,
        "domainName": domain,
        "host": record.host,
        "fqdn": f"{record.host}.{domain}." if record.host else f"{domain}.",
        "type": record.type,
        "answer": record.answer,
        "ttl": record.ttl,
    }
    if record.priority is not None:
        shape["priority"] = record.priority
    return shape

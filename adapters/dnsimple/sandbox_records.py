"""The sandbox's DNS records. They are kept and listed; nothing answers DNS for them."""

import ipaddress
from collections.abc import Callable

from pydantic import JsonValue
from starlette.routing import Route

from adapters.dnsimple.sandbox_api import Ask, Refused, Reply, Shape, api_route, not_found, wrong
from adapters.dnsimple.sandbox_state import Domain, Record, Registry

_TYPES = ("A", "AAAA", "ALIAS", "CAA", "CNAME", "MX", "NS", "SRV", "TXT")
_LEAST_TTL_SECONDS = 60
_TTL_SECONDS = 3600
_PATH = "/{account}/zones/{domain}/records"
_COUNTED = "/{account}/zones/{zone}/records"


def record_routes(registry: Registry) -> list[Route]:
    """Records of one zone."""
    return [
        api_route(registry, "GET", _PATH, _list),
        api_route(registry, "POST", _PATH, _create),
        api_route(registry, "GET", _PATH + "/{id}", _get),
        api_route(registry, "PATCH", _PATH + "/{id}", _update),
        api_route(registry, "DELETE", _PATH + "/{id}", _delete),
        api_route(registry, "POST", "/{account}/zones/{domain}/batch", _batch),
    ]


def _list(ask: Ask) -> Reply:
    domain, query = ask.domain(), ask.request.query_params
    found = [each for each in domain.records if query.get("type") in (None, each.type)]
    # An empty name asks for nothing in particular: whoever wants the top of the zone must look for it.
    found = [each for each in found if query.get("name") in (None, "", each.name)]
    return Reply(ask.page([_shape(each, domain.name) for each in found]))


def _get(ask: Ask) -> Reply:
    domain = ask.domain()
    return Reply({"data": _shape(_named(domain, ask.at("id")), domain.name)})


def _create(ask: Ask) -> Reply:
    domain = ask.domain()
    record = _add(ask, domain, ask.fields)
    ask.registry.performed(f"POST {_COUNTED}")
    return Reply({"data": _shape(record, domain.name)}, status=201)


def _update(ask: Ask) -> Reply:
    domain = ask.domain()
    record = _change(ask, domain, _named(domain, ask.at("id")), ask.fields)
    ask.registry.performed(f"PATCH {_COUNTED}/{{zonerecord}}")
    return Reply({"data": _shape(record, domain.name)})


def _delete(ask: Ask) -> Reply:
    domain = ask.domain()
    _remove(domain, _named(domain, ask.at("id")))
    ask.registry.performed(f"DELETE {_COUNTED}/{{zonerecord}}")
    return Reply(None)


def _batch(ask: Ask) -> Reply:
    """All or nothing: the changes are made to a copy, which takes the place of the zone when none was refused."""
    domain = ask.domain()
    copy = domain.model_copy(deep=True)
    creates, updates, deletes = (_steps(ask, name) for name in ("creates", "updates", "deletes"))
    gone = [_step("deletes", index, each, lambda told: _taken(copy, told)) for index, each in enumerate(deletes)]
    changed = [
        _step("updates", index, each, lambda told: _change(ask, copy, _named(copy, told.get("id")), told))
        for index, each in enumerate(updates)
    ]
    added = [_step("creates", index, each, lambda told: _add(ask, copy, told)) for index, each in enumerate(creates)]
    domain.records = copy.records
    ask.registry.performed("POST /{account}/zones/{zone}/batch")
    return Reply(
        {
            "data": {
                "creates": [_shape(each, domain.name) for each in added],
                "updates": [_shape(each, domain.name) for each in changed],
                "deletes": [{"id": each.id} for each in gone],
            }
        }
    )


# ------------------------------------------------------------------------------------------------------ steps


def _step(what: str, index: int, told: Shape, do: Callable[[Shape], Record]) -> Record:
    """One of a batch; a refusal names it."""
    try:
        return do(told)
    except Refused as refused:
        named: Shape = {"index": index, "message": refused.message}
        raise Refused(400, "Validation failed", {what: [named]}) from None


def _add(ask: Ask, domain: Domain, told: Shape) -> Record:
    record = _told(told, Record(id=0, type="", name="", content="", ttl=_TTL_SECONDS))
    _refuse_same(domain, record)
    record.id, record.at = ask.registry.world.new_id(), ask.registry.stamp()
    domain.records.append(record)
    if record.type == "ALIAS":
        words = f'"ALIAS for {record.content}"'
        child = Record(id=ask.registry.world.new_id(), type="TXT", name=record.name, content=words, ttl=record.ttl)
        child.parent = record.id
        domain.records.append(child)
    return record


def _change(ask: Ask, domain: Domain, record: Record, told: Shape) -> Record:
    changed = _told({**told, "type": record.type}, record.model_copy())
    _refuse_same(domain, changed)
    changed.at = ask.registry.stamp()
    domain.records[domain.records.index(record)] = changed
    return changed


def _taken(domain: Domain, told: Shape) -> Record:
    record = _named(domain, told.get("id"))
    _remove(domain, record)
    return record


def _remove(domain: Domain, record: Record) -> None:
    if record.system:
        raise Refused(400, "The record is a system record")
    domain.records = [each for each in domain.records if record.id not in (each.id, each.parent)]


def _named(domain: Domain, number: JsonValue) -> Record:
    for record in domain.records:
        if str(record.id) == str(number):
            return record
    raise not_found(f"Record `{number}` not found")


def _told(told: Shape, record: Record) -> Record:
    """The record with what was told about it; raises Refused (400)."""
    if record.system:
        raise Refused(400, "The record is a system record")
    for name in ("type", "name", "content"):
        value = told.get(name, getattr(record, name))
        if not isinstance(value, str):
            raise wrong(name, "is invalid")
        setattr(record, name, value)
    if record.type not in _TYPES:
        raise wrong("record_type", "unsupported")
    if not record.content or not _is_content(record.type, record.content):
        raise wrong("content", "is invalid")
    record.ttl = _number(told, "ttl", record.ttl)
    if record.ttl < _LEAST_TTL_SECONDS:
        raise wrong("ttl", f"must be greater than or equal to {_LEAST_TTL_SECONDS}")
    if record.type in ("MX", "SRV"):
        record.priority = _number(told, "priority", record.priority or 0)
    if record.type == "TXT" and not record.content.startswith('"'):
        record.content = f'"{record.content}"'
    return record


def _number(told: Shape, name: str, default: int) -> int:
    value = told.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(name, "is not a number")
    return value


def _is_content(kind: str, content: str) -> bool:
    try:
        if kind == "A":
            ipaddress.IPv4Address(content)
        elif kind == "AAAA":
            ipaddress.IPv6Address(content)
    except ValueError:
        return False
    return kind not in ("SRV", "CAA") or len(content.split(maxsplit=2)) == 3


def _refuse_same(domain: Domain, record: Record) -> None:
    def key(one: Record) -> tuple[str, str, str]:
        return (one.type, one.name.lower(), one.content.lower())

    if any(key(each) == key(record) and each.id != record.id for each in domain.records):
        raise wrong("base", "zone record already exists")


def _steps(ask: Ask, name: str) -> list[Shape]:
    value = ask.fields.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Refused(400, "Validation failed", {name: []})
    return [each for each in value if isinstance(each, dict)]


def _shape(record: Record, domain: str) -> Shape:
    return {
        "id": record.id,
        "zone_id": domain,
        "parent_id": record.parent,
        "name": record.name,
        "content": record.content,
        "ttl": record.ttl,
        "priority": record.priority,
        "type": record.type,
        "regions": ["global"],
        "system_record": record.system,
        "created_at": record.at,
        "updated_at": record.at,
    }

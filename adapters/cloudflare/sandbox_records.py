"""The sandbox's DNS records. They are kept and listed; nothing answers DNS for them."""

import ipaddress

from pydantic import JsonValue
from starlette.routing import Route

from adapters.cloudflare.sandbox_api import Ask, Refused, Reply, Shape, api_route, wrong
from adapters.cloudflare.sandbox_state import Record, Registry, Zone

_TYPES = ("A", "AAAA", "CAA", "CNAME", "MX", "NS", "SRV", "TXT")
_ADDRESSES = ("A", "AAAA", "CNAME")
#: The parts of answers that have parts, as they follow each other in `content`.
_PARTS = {"SRV": ("priority", "weight", "port", "target"), "CAA": ("flags", "tag", "value")}
_PATH = "/zones/{zone}/dns_records"
_COUNTED = "/zones/{zone_id}/dns_records"


def record_routes(registry: Registry) -> list[Route]:
    """Records of one zone."""
    return [
        api_route(registry, "GET", _PATH, _list),
        api_route(registry, "POST", _PATH, _create),
        api_route(registry, "GET", _PATH + "/{id}", _get),
        api_route(registry, "PATCH", _PATH + "/{id}", _edit),
        api_route(registry, "DELETE", _PATH + "/{id}", _delete),
    ]


def _list(ask: Ask) -> Reply:
    zone, query = ask.zone(), ask.request.query_params
    found = [each for each in zone.records if query.get("type") in (None, each.type)]
    found = [each for each in found if query.get("name.exact") in (None, each.name)]
    return ask.page([_shape(each) for each in found])


def _get(ask: Ask) -> Reply:
    return Reply(_shape(_named(ask, ask.zone())))


def _create(ask: Ask) -> Reply:
    zone = ask.zone()
    record = _told(ask.body, Record(id=ask.registry.world.new_id(), type="", name="", content=""), zone)
    record.created_on = record.modified_on = ask.registry.stamp()
    zone.records.append(record)
    ask.registry.performed(f"POST {_COUNTED}")
    return Reply(_shape(record))


def _edit(ask: Ask) -> Reply:
    """What is not told stays."""
    zone = ask.zone()
    old = _named(ask, zone)
    record = _told(ask.body, old.model_copy(), zone)
    record.modified_on = ask.registry.stamp()
    zone.records[zone.records.index(old)] = record
    ask.registry.performed(f"PATCH {_COUNTED}/{{dns_record_id}}")
    return Reply(_shape(record))


def _delete(ask: Ask) -> Reply:
    zone = ask.zone()
    record = _named(ask, zone)
    zone.records.remove(record)
    ask.registry.performed(f"DELETE {_COUNTED}/{{dns_record_id}}")
    return Reply({"id": record.id})


def _named(ask: Ask, zone: Zone) -> Record:
    for record in zone.records:
        if record.id == ask.at("id"):
            return record
    raise Refused(404, 81044, "Record does not exist.")


def _told(told: Shape, record: Record, zone: Zone) -> Record:
    """The record with what was told about it; raises Refused (400)."""
    record.type, record.name = _text(told, "type", record.type), _text(told, "name", record.name).lower()
    if record.type not in _TYPES:
        raise wrong("DNS Validation Error: the type is not supported")
    if record.name != zone.name and not record.name.endswith(f".{zone.name}"):
        record.name = f"{record.name}.{zone.name}"
    record.proxied = _flag(told, "proxied", default=record.proxied)
    if record.proxied and record.type not in _ADDRESSES:
        raise wrong("This record type cannot be proxied.", 9004)
    record.ttl = 1 if record.proxied else _number(told, "ttl", record.ttl)
    if record.ttl != 1 and not 60 <= record.ttl <= 86_400:
        raise wrong("TTL must be between 60 and 86400 seconds, or 1 for Automatic.", 9021)
    _answer(told, record)
    _refuse_double(record, zone)
    return record


def _answer(told: Shape, record: Record) -> None:
    names = _PARTS.get(record.type)
    if names is not None:
        parts = told.get("data", record.data)
        if not isinstance(parts, dict) or not all(name in parts for name in names):
            raise wrong(f"DNS Validation Error: data must hold {', '.join(names)}")
        record.data = parts
        record.content = " ".join(str(parts[name]) for name in names)
        return
    record.data, record.content = None, _text(told, "content", record.content)
    if not record.content or not _is_content(record.type, record.content):
        raise wrong(f"Content for {record.type} record is invalid.", 9005)
    if record.type == "MX":
        record.priority = _number(told, "priority", record.priority if record.priority is not None else -1)
        if record.priority < 0:
            raise wrong("priority is a required field.", 9100)
    if record.type == "TXT" and not record.content.startswith('"'):
        record.content = f'"{record.content}"'


def _refuse_double(record: Record, zone: Zone) -> None:
    others = [each for each in zone.records if each.id != record.id and each.name == record.name]
    if any((each.type, each.content) == (record.type, record.content) for each in others):
        raise wrong("An identical record already exists.", 81058)
    alone = [each for each in others if "CNAME" in (each.type, record.type)]
    if any(each.type in _ADDRESSES for each in alone) and record.type in _ADDRESSES:
        raise wrong("An A, AAAA, or CNAME record with that host already exists.", 81053)


def _is_content(kind: str, content: str) -> bool:
    try:
        if kind == "A":
            ipaddress.IPv4Address(content)
        elif kind == "AAAA":
            ipaddress.IPv6Address(content)
    except ValueError:
        return False
    return True


def _text(told: Shape, name: str, default: str) -> str:
    value = told.get(name, default)
    if not isinstance(value, str):
        raise wrong(f"DNS Validation Error: {name} must be a string", 9000)
    return value


def _number(told: Shape, name: str, default: int) -> int:
    value = told.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(f"DNS Validation Error: {name} must be a number", 9000)
    return value


def _flag(told: Shape, name: str, *, default: bool) -> bool:
    value = told.get(name, default)
    if not isinstance(value, bool):
        raise wrong(f"DNS Validation Error: {name} must be true or false", 9000)
    return value


def _shape(record: Record) -> JsonValue:
    shape: Shape = {
        "id": record.id,
        "name": record.name,
        "type": record.type,
        "content": record.content,
        "ttl": record.ttl,
        "proxied": record.proxied,
        "proxiable": record.type in _ADDRESSES,
        "comment": record.comment,
        "tags": [],
        "settings": {},
        "meta": {},
        "created_on": record.created_on,
        "modified_on": record.modified_on,
    }
    if record.priority is not None:
        shape["priority"] = record.priority
    if record.data is not None:
        shape["data"] = record.data
    return shape

"""The contacts of the Gmail sandbox: the part of the People API that the actions use.

A search sees what was there at the last search with an empty query, as Google's cache does.
"""

from pydantic import JsonValue
from starlette.routing import Route

from adapters._kit.sandbox_google import Ask, GoogleDesk, GoogleRefused, Shape
from adapters.gmail.sandbox_state import ContactCard, World
from adapters.gmail.scopes import CONTACTS, CONTACTS_READ

_HOME = "/people/v1"
_FIELDS = ("names", "emailAddresses", "phoneNumbers", "organizations", "biographies")
_SINGLE = ("names", "biographies")
_ORDERS = {
    "LAST_MODIFIED_ASCENDING": ("version", False),
    "LAST_MODIFIED_DESCENDING": ("version", True),
    "FIRST_NAME_ASCENDING": ("givenName", False),
    "LAST_NAME_ASCENDING": ("familyName", False),
}


def people_routes(desk: GoogleDesk[World]) -> list[Route]:
    """All of them."""
    world = desk.world

    def connections(ask: Ask) -> Shape:
        order, is_reverse = _ORDERS.get(ask.query("sortOrder", "LAST_MODIFIED_ASCENDING"), ("", False))
        if not order:
            raise _invalid("Invalid sortOrder.")
        cards = sorted(world.cards(ask.person).values(), key=lambda each: _key(each, order), reverse=is_reverse)
        mask = _mask(ask, "personFields")
        people: list[JsonValue] = [_person_shape(each, mask) for each in cards]
        page = ask.page(people, ask.number("pageSize", 100, 1000), "connections")
        return {**page, "totalPeople": len(people), "totalItems": len(people)}

    def search(ask: Ask) -> Shape:
        cards, mask, wanted = world.cards(ask.person), _mask(ask, "readMask"), ask.query("query").lower()
        if not wanted:
            world.warmed[ask.person.sub] = [*cards]
            return {}
        known = [cards[each] for each in world.warmed.get(ask.person.sub, []) if each in cards]
        found = [each for each in known if any(word.startswith(wanted) for word in _words(each))]
        size = ask.number("pageSize", 10, 30)
        return {"results": [{"person": _person_shape(each, mask)} for each in found[:size]]} if found else {}

    def create(ask: Ask) -> Shape:
        mask = _mask(ask, "personFields")
        number = f"c{1 + max((int(each[1:]) for each in world.cards(ask.person)), default=7300)}"
        card = ContactCard(id=number, version=_newest(world, ask) + 1, fields=_fields(ask.body(), _FIELDS))
        world.cards(ask.person)[number] = card
        return _person_shape(card, mask)

    def update(ask: Ask) -> Shape:
        card, body, mask = _card(world, ask), ask.body(), _mask(ask, "personFields")
        changed = [each for each in ask.query("updatePersonFields").split(",") if each]
        if not changed or not set(changed) <= set(_FIELDS):
            raise _invalid("Invalid updatePersonFields mask.")
        if body.get("etag") != card.etag:
            message = "Request person.etag is different than the current person.etag. Get the latest person."
            raise GoogleRefused(400, "FAILED_PRECONDITION", message)
        card.fields = {**card.fields, **_fields(body, tuple(changed))}
        card.version = _newest(world, ask) + 1
        return _person_shape(card, mask)

    def delete(ask: Ask) -> Shape:
        del world.cards(ask.person)[_card(world, ask).id]
        return {}

    return [
        desk.route("GET", f"{_HOME}/people/me/connections", connections, CONTACTS_READ),
        desk.route("GET", f"{_HOME}/people:searchContacts", search, CONTACTS_READ),
        desk.route("POST", f"{_HOME}/people:createContact", create, CONTACTS),
        desk.route("PATCH", f"{_HOME}/people/{{id}}:updateContact", update, CONTACTS),
        desk.route("DELETE", f"{_HOME}/people/{{id}}:deleteContact", delete, CONTACTS),
    ]


def _invalid(message: str) -> GoogleRefused:
    return GoogleRefused(400, "INVALID_ARGUMENT", message)


def _card(world: World, ask: Ask) -> ContactCard:
    card = world.cards(ask.person).get(ask.path("id"))
    if card is None:
        raise GoogleRefused(404, "NOT_FOUND", "Requested entity was not found.")
    return card


def _newest(world: World, ask: Ask) -> int:
    return max((each.version for each in world.cards(ask.person).values()), default=0)


def _mask(ask: Ask, name: str) -> list[str]:
    wanted = [each for each in ask.query(name).split(",") if each]
    if not wanted or not set(wanted) <= {*_FIELDS, "metadata"}:
        raise _invalid(f"{name} mask is required. Please specify one or more valid paths.")
    return wanted


def _fields(body: Shape, wanted: tuple[str, ...]) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for name in wanted:
        values = body.get(name, [])
        if not isinstance(values, list) or not all(isinstance(each, dict) for each in values):
            raise _invalid(f"Invalid value at 'person.{name}'.")
        if name in _SINGLE and len(values) > 1:
            raise _invalid(f"{name} is a singleton for contact sources.")
        found[name] = values
    return found


def _person_shape(card: ContactCard, mask: list[str]) -> Shape:
    shape: Shape = {"resourceName": f"people/{card.id}", "etag": card.etag}
    for name in mask:
        if values := card.fields.get(name):
            shape[name] = [_named(each) for each in _objects(values)] if name == "names" else values
    return shape


def _named(name: dict[str, JsonValue]) -> dict[str, JsonValue]:
    given, family = str(name.get("givenName", "")), str(name.get("familyName", ""))
    return {**name, "displayName": f"{given} {family}".strip(), "unstructuredName": f"{given} {family}".strip()}


def _words(card: ContactCard) -> list[str]:
    every = [str(value) for name in _FIELDS[:4] for each in _objects(card.fields.get(name)) for value in each.values()]
    return [word.lower() for value in every for word in (value, *value.split())]


def _key(card: ContactCard, order: str) -> tuple[int, str]:
    if order == "version":
        return card.version, card.id
    names = _objects(card.fields.get("names"))
    return 0, str(names[0].get(order, "")) if names else ""


def _objects(values: JsonValue) -> list[dict[str, JsonValue]]:
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []

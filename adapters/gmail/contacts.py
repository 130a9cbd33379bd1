"""Contacts: Google's People API, on a host of its own."""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from adapters._kit import Annotated, Call, Effect, Field, action
from adapters._kit.call import Query
from adapters.gmail.parameters import Address, PageToken
from adapters.gmail.results import Contact, ContactList
from adapters.gmail.scopes import CONTACTS, CONTACTS_READ
from domain.errors import AnswerGarbled, Rejected
from domain.json import Json, JsonObject

#: What a contact holds, in Google's words.
FIELDS: Final = "names,emailAddresses,phoneNumbers,organizations,biographies"
_HOST = "people"

ContactId: TypeAlias = Annotated[
    str, Field(description="`id` of a contact, such as `c7301`.", pattern=r"^[A-Za-z0-9_-]+$", max_length=100)
]
NamePart: TypeAlias = Annotated[str, Field(description="Part of a name.", min_length=1, max_length=200)]
Emails: TypeAlias = Annotated[list[Address], Field(description="E-mail addresses, the main one first.", max_length=50)]
Phones: TypeAlias = Annotated[
    list[Annotated[str, Field(description="A telephone number.", min_length=1, max_length=60)]],
    Field(description="Telephone numbers, the main one first.", max_length=50),
]
Words: TypeAlias = Annotated[str, Field(description="One line of text.", min_length=1, max_length=500)]
Notes: TypeAlias = Annotated[str, Field(description="Anything worth remembering.", max_length=10_000)]


@action(effect=Effect.READ, scopes=(CONTACTS_READ,))
async def list_contacts(
    call: Call,
    *,
    limit: Annotated[int, Field(description="How many contacts at most.", ge=1, le=1000)] = 100,
    order: Annotated[
        Literal["LAST_MODIFIED_ASCENDING", "LAST_MODIFIED_DESCENDING", "FIRST_NAME_ASCENDING", "LAST_NAME_ASCENDING"],
        Field(description="In which order. It must be the same on every page."),
    ] = "LAST_MODIFIED_ASCENDING",
    page_token: PageToken = None,
) -> ContactList:
    """List contacts.

    The people and organisations in the account's Google contacts (address book).
    """
    query: Query = {"personFields": FIELDS, "pageSize": limit, "sortOrder": order, "pageToken": page_token}
    answer = await call.on(_HOST).get("v1/people/me/connections", query=query)
    token = answer.at("nextPageToken")
    people = answer.objects("connections") if answer.at("connections") is not None else []
    return ContactList(
        contacts=[_contact(each) for each in people], next_page_token=token if isinstance(token, str) else None
    )


@action(effect=Effect.READ, scopes=(CONTACTS_READ,))
async def search_contacts(
    call: Call,
    *,
    query: Annotated[
        str,
        Field(
            description="How a name, e-mail address, telephone number or organisation begins.",
            min_length=1,
            max_length=200,
        ),
    ],
    limit: Annotated[int, Field(description="How many contacts at most.", ge=1, le=30)] = 10,
) -> list[Contact]:
    """Find a contact.

    By the beginning of a name, address, number or organisation. A contact made in the last minutes may not be found
    yet; `list_contacts` has it at once.
    """
    # Google asks for a first request with an empty query: it fetches the contacts into the cache that is searched.
    await call.on(_HOST).get("v1/people:searchContacts", query={"query": "", "readMask": FIELDS, "pageSize": 1})
    asked: Query = {"query": query, "readMask": FIELDS, "pageSize": limit}
    answer = await call.on(_HOST).get("v1/people:searchContacts", query=asked)
    found = answer.objects("results") if answer.at("results") is not None else []
    return [_contact(each.get("person")) for each in found]


@action(effect=Effect.WRITE, scopes=(CONTACTS,), look_for="a contact with this name and these addresses")
async def create_contact(
    call: Call,
    *,
    given_name: NamePart,
    family_name: NamePart | None = None,
    emails: Emails | None = None,
    phones: Phones | None = None,
    organization: Annotated[Words | None, Field(description="Where the person works.")] = None,
    job_title: Annotated[Words | None, Field(description="As what.")] = None,
    notes: Notes | None = None,
) -> Contact:
    """Add a contact.

    Google does not look whether there is one already: use `search_contacts` first. Change contacts one after another,
    not at the same time.
    """
    person = _person(given_name, family_name, emails or None, phones or None, organization, job_title, notes)
    answer = await call.on(_HOST).post("v1/people:createContact", query={"personFields": FIELDS}, json=person)
    return _contact(answer.json)


@action(effect=Effect.WRITE, scopes=(CONTACTS,), look_for="the contact as it is now")
async def update_contact(
    call: Call,
    *,
    contact_id: ContactId,
    etag: Annotated[str, Field(description="`etag` of the contact as it was read last.", min_length=1, max_length=200)],
    given_name: NamePart | None = None,
    family_name: NamePart | None = None,
    emails: Annotated[Emails | None, Field(description="All its e-mail addresses; others are removed.")] = None,
    phones: Annotated[Phones | None, Field(description="All its telephone numbers; others are removed.")] = None,
    organization: Annotated[
        Words | None, Field(description="Where the person works; `job_title` goes with it.")
    ] = None,
    job_title: Annotated[Words | None, Field(description="As what; `organization` goes with it.")] = None,
    notes: Notes | None = None,
) -> Contact:
    """Change a contact.

    What is given replaces what was there, whole: both parts of the name together, all addresses, all numbers. What is
    not given stays. When the contact changed meanwhile it is a conflict: read it again, and use its new `etag`.
    """
    person = _person(given_name, family_name, emails, phones, organization, job_title, notes)
    fields = ",".join(name for name in FIELDS.split(",") if name in person)
    if not fields:
        raise Rejected("Give at least one thing to change. Nothing was sent.")
    answer = await call.on(_HOST).send(
        "PATCH",
        "v1/people/{id}:updateContact",
        id=contact_id,
        query={"updatePersonFields": fields, "personFields": FIELDS},
        json={**person, "etag": etag},
    )
    return _contact(answer.json)


@action(effect=Effect.DESTRUCTIVE, scopes=(CONTACTS,), look_for="whether the contact is still there")
async def delete_contact(call: Call, *, contact_id: ContactId) -> None:
    """Delete a contact.

    A person can bring it back in Google Contacts within 30 days.
    """
    await call.on(_HOST).delete("v1/people/{id}:deleteContact", id=contact_id)


def _person(
    given_name: str | None,
    family_name: str | None,
    emails: Sequence[str] | None,
    phones: Sequence[str] | None,
    organization: str | None,
    job_title: str | None,
    notes: str | None,
) -> dict[str, Json]:
    """Only what was given."""
    person: dict[str, Json] = {}
    if given_name is not None or family_name is not None:
        person["names"] = [_without_nothing(givenName=given_name, familyName=family_name)]
    if emails is not None:
        person["emailAddresses"] = [{"value": each} for each in emails]
    if phones is not None:
        person["phoneNumbers"] = [{"value": each} for each in phones]
    if organization is not None or job_title is not None:
        person["organizations"] = [_without_nothing(name=organization, title=job_title)]
    if notes is not None:
        person["biographies"] = [{"value": notes, "contentType": "TEXT_PLAIN"}]
    return person


def _without_nothing(**words: str | None) -> JsonObject:
    return {name: word for name, word in words.items() if word is not None}


def _contact(person: Json) -> Contact:
    if not isinstance(person, dict):
        raise AnswerGarbled("Google's answer holds no person where one is described.")
    resource = person.get("resourceName")
    organization = _first(person, "organizations")
    return Contact.of(
        {
            "id": resource.removeprefix("people/") if isinstance(resource, str) else None,
            "etag": person.get("etag"),
            "name": _first(person, "names").get("displayName") or "",
            "emails": _values(person, "emailAddresses"),
            "phones": _values(person, "phoneNumbers"),
            "organization": organization.get("name"),
            "job_title": organization.get("title"),
            "notes": _first(person, "biographies").get("value"),
        }
    )


def _first(person: JsonObject, member: str) -> JsonObject:
    return next(iter(_objects(person, member)), {})


def _values(person: JsonObject, member: str) -> list[Json]:
    return [each["value"] for each in _objects(person, member) if isinstance(each.get("value"), str)]


def _objects(person: JsonObject, member: str) -> list[JsonObject]:
    found = person.get(member)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

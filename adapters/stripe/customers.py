"""Those who pay."""

from adapters._kit import Annotated, Call, Effect, Field, action
from adapters._kit.brackets import bracketed
from adapters.stripe.parameters import (
    Address,
    CustomerId,
    Email,
    Limit,
    Metadata,
    Name,
    Since,
    Until,
    created,
    noted,
    spoken,
)
from adapters.stripe.results import Customer, Deleted
from domain.json import JsonObject

Remark = Annotated[str, Field(description="For yourselves; customers do not see it.", min_length=1, max_length=5000)]
Phone = Annotated[str, Field(description="With country code.", pattern=r"^[0-9+()./ -]{3,20}$")]
PostalAddress = Annotated[Address, Field(description="For invoices and taxes. In an update it replaces the whole.")]

#: The most that one page of a search holds.
_PAGE = 100


@action(
    effect=Effect.WRITE,
    scopes=("read_write",),
    idempotent=True,
    look_for="a customer with this e-mail address or name",
)
async def create_customer(
    call: Call,
    *,
    email: Email | None = None,
    name: Name | None = None,
    description: Remark | None = None,
    phone: Phone | None = None,
    address: PostalAddress | None = None,
    metadata: Metadata | None = None,
) -> Customer:
    """Create a customer.

    Stripe lets several customers have one e-mail address: look with list_customers first.
    """
    form = _form(email, name, description, phone, address, metadata)
    return Customer.of((await call.post("v1/customers", form=form)).json)


@action(effect=Effect.READ, scopes=("read_only",))
async def list_customers(
    call: Call,
    *,
    email: Annotated[Email | None, Field(description="Only those with this address; case matters.")] = None,
    created_since: Since | None = None,
    created_before: Until | None = None,
    limit: Limit = 100,
) -> list[Customer]:
    """List customers, or find those with an e-mail address."""
    query = bracketed(email=email, created=created(created_since, created_before))
    return [Customer.of(each) for each in await call.pages("v1/customers", limit=limit, items="data", query=query)]


@action(effect=Effect.READ, scopes=("read_only",))
async def search_customers(
    call: Call,
    *,
    query: Annotated[
        str,
        Field(
            description="In Stripe's search language, e.g. email:'ada@example.com', name~'harbour', "
            "metadata['plan']:'gold', joined by AND or OR.",
            min_length=3,
            max_length=1000,
        ),
    ],
    limit: Limit = 20,
) -> list[Customer]:
    """Search customers by name, e-mail address, phone or metadata.

    The search lags behind by about a minute: do not look here for what was just created or changed. Not offered to
    accounts in India.
    """
    found: list[JsonObject] = []
    page: str | None = None
    while len(found) < limit:
        asked = bracketed(query=query, limit=min(limit - len(found), _PAGE), page=page)
        answer = await call.get("v1/customers/search", query=asked)
        found += answer.objects("data")
        following = answer.at("next_page")
        if answer.at("has_more") is not True or not isinstance(following, str) or following == page:
            break
        page = following
    return [Customer.of(each) for each in found[:limit]]


@action(effect=Effect.READ, scopes=("read_only",))
async def get_customer(
    call: Call,
    *,
    customer: CustomerId,
    with_subscriptions: Annotated[bool, Field(description="Tell their running subscriptions too.")] = False,
) -> Customer:
    """Look up a customer.

    One that was deleted is still answered, with `deleted` true and nothing else.
    """
    query = bracketed(expand=["subscriptions"] if with_subscriptions else None)
    return Customer.of((await call.get("v1/customers/{customer}", query=query, customer=customer)).json)


@action(effect=Effect.WRITE, scopes=("read_write",), idempotent=True, look_for="the customer's details as they are")
async def update_customer(
    call: Call,
    *,
    customer: CustomerId,
    email: Email | None = None,
    name: Name | None = None,
    description: Remark | None = None,
    phone: Phone | None = None,
    address: PostalAddress | None = None,
    metadata: Metadata | None = None,
) -> Customer:
    """Change a customer's e-mail address, name, phone, address or notes.

    What is left out stays as it is.
    """
    form = _form(email, name, description, phone, address, metadata)
    return Customer.of((await call.post("v1/customers/{customer}", form=form, customer=customer)).json)


@action(
    effect=Effect.DESTRUCTIVE,
    scopes=("read_write",),
    look_for="the customer: get_customer answers `deleted` true when it is gone",
)
async def delete_customer(call: Call, *, customer: CustomerId) -> Deleted:
    """Delete a customer for good, and end their subscriptions at once.

    Cannot be undone. Past payments stay. Not found means that there is none, or that it is gone already.
    """
    return Deleted.of((await call.delete("v1/customers/{customer}", customer=customer)).json)


def _form(
    email: str | None,
    name: str | None,
    description: str | None,
    phone: str | None,
    address: Address | None,
    metadata: Metadata | None,
) -> dict[str, str | int | bool | None]:
    return bracketed(
        email=email,
        name=name,
        description=description,
        phone=phone,
        address=spoken(address),
        metadata=noted(metadata),
    )

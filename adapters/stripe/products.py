"""What is sold, and for how much."""

from typing import Literal

from adapters._kit import Annotated, Call, Effect, Field, Part, action
from adapters._kit.brackets import bracketed
from adapters.stripe.parameters import (
    Amount,
    Currency,
    Interval,
    IntervalCount,
    Limit,
    Metadata,
    PriceId,
    ProductId,
    Recurring,
    Url,
    noted,
    spoken,
)
from adapters.stripe.results import Price, Product
from domain.errors import Rejected

ProductName = Annotated[str, Field(description="As customers see it.", min_length=1, max_length=250)]
Description = Annotated[str, Field(description="As customers see it.", min_length=1, max_length=5000)]
Active = Annotated[bool, Field(description="Whether it can be bought.")]
LookupKey = Annotated[str, Field(pattern=r"^[^\s\x00-\x1f]{1,200}$")]


class DefaultPrice(Part):
    """The price a product is sold for when nobody says otherwise."""

    currency: Currency
    unit_amount: Amount
    recurring: Recurring | None = Field(None, description="Left out: it is paid once.")


@action(
    effect=Effect.WRITE,
    scopes=("read_write",),
    idempotent=True,
    look_for="a product with this name in the product catalogue",
)
async def create_product(
    call: Call,
    *,
    name: ProductName,
    description: Description | None = None,
    active: Active | None = None,
    default_price: Annotated[
        DefaultPrice | None, Field(description="Made with it, instead of a create_price afterwards.")
    ] = None,
    images: Annotated[list[Url] | None, Field(description="Addresses of pictures.", min_length=1, max_length=8)] = None,
    tax_code: Annotated[
        str | None, Field(description="Stripe's tax code, txcd_ and 8 digits.", pattern=r"^txcd_[0-9]{8}$")
    ] = None,
    metadata: Metadata | None = None,
) -> Product:
    """Create a product or service to sell.

    It needs a price before anybody can buy it: give `default_price`, or use create_price.
    """
    form = bracketed(
        name=name,
        description=description,
        active=active,
        default_price_data=spoken(default_price),
        images=images,
        tax_code=tax_code,
        metadata=noted(metadata),
    )
    return Product.of((await call.post("v1/products", form=form)).json)


@action(effect=Effect.READ, scopes=("read_only",))
async def list_products(
    call: Call,
    *,
    active: Annotated[bool | None, Field(description="Only those that can be bought, or only the others.")] = None,
    ids: Annotated[list[ProductId] | None, Field(description="Only these.", min_length=1, max_length=100)] = None,
    limit: Limit = 100,
) -> list[Product]:
    """List the products and services that are sold."""
    query = bracketed(active=active, ids=ids)
    return [Product.of(each) for each in await call.pages("v1/products", limit=limit, items="data", query=query)]


@action(
    effect=Effect.WRITE,
    scopes=("read_write",),
    idempotent=True,
    look_for="the product as it is in the product catalogue",
)
async def update_product(
    call: Call,
    *,
    product: ProductId,
    name: ProductName | None = None,
    description: Description | None = None,
    active: Annotated[bool | None, Field(description="False takes it off sale; subscriptions go on.")] = None,
    default_price: Annotated[PriceId | None, Field(description="One of its own prices.")] = None,
    metadata: Metadata | None = None,
) -> Product:
    """Change a product: its name, description, default price, or whether it is on sale.

    What is left out stays as it is.
    """
    form = bracketed(
        name=name, description=description, active=active, default_price=default_price, metadata=noted(metadata)
    )
    return Product.of((await call.post("v1/products/{id}", form=form, id=product)).json)


@action(
    effect=Effect.WRITE,
    scopes=("read_write",),
    idempotent=True,
    look_for="a price with this amount at the product",
)
async def create_price(
    call: Call,
    *,
    currency: Currency,
    unit_amount: Amount,
    product: Annotated[ProductId | None, Field(description="An existing product.")] = None,
    product_name: Annotated[ProductName | None, Field(description="A new product, made with the price.")] = None,
    interval: Annotated[
        Interval | None, Field(description="How often it is charged, for subscriptions. Left out: paid once.")
    ] = None,
    interval_count: IntervalCount | None = None,
    nickname: Annotated[str | None, Field(description="For yourselves.", min_length=1, max_length=5000)] = None,
    lookup_key: Annotated[
        LookupKey | None, Field(description="A name of yours to find it by; of one price only.")
    ] = None,
    metadata: Metadata | None = None,
) -> Price:
    """Create a price for a product, paid once or by subscription.

    Amounts of a price cannot be changed later: make a new price. Give `product` or `product_name`, not both.
    """
    if (product is None) is (product_name is None):
        raise Rejected("Give `product` or `product_name`, one of the two. Nothing was sent.")
    if interval is None and interval_count is not None:
        raise Rejected("`interval_count` needs `interval`. Nothing was sent.")
    form = bracketed(
        currency=currency,
        unit_amount=unit_amount,
        product=product,
        product_data={"name": product_name},
        recurring={"interval": interval, "interval_count": interval_count},
        nickname=nickname,
        lookup_key=lookup_key,
        metadata=noted(metadata),
    )
    return Price.of((await call.post("v1/prices", form=form)).json)


@action(effect=Effect.READ, scopes=("read_only",))
async def list_prices(
    call: Call,
    *,
    product: Annotated[ProductId | None, Field(description="Only those of this product.")] = None,
    active: Annotated[bool | None, Field(description="Only those in use, or only the others.")] = None,
    type: Annotated[
        Literal["one_time", "recurring"] | None, Field(description="Only those paid once, or by subscription.")
    ] = None,
    lookup_keys: Annotated[
        list[LookupKey] | None, Field(description="Only those with one of these names.", min_length=1, max_length=10)
    ] = None,
    limit: Limit = 100,
) -> list[Price]:
    """List prices: what products cost, once or by subscription."""
    query = bracketed(product=product, active=active, type=type, lookup_keys=lookup_keys)
    return [Price.of(each) for each in await call.pages("v1/prices", limit=limit, items="data", query=query)]

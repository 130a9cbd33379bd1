"""Standing orders: what customers pay for again and again."""

from typing import Literal

from adapters._kit import Annotated, Call, Effect, Field, Part, action
from adapters._kit.brackets import bracketed
from adapters.stripe.parameters import (
    Amount,
    CollectionMethod,
    Currency,
    CustomerId,
    DaysUntilDue,
    Email,
    Interval,
    IntervalCount,
    Items,
    Limit,
    Metadata,
    Name,
    PriceId,
    ProductId,
    SubscriptionId,
    TrialDays,
    listed,
    noted,
)
from adapters.stripe.products import ProductName
from adapters.stripe.results import Customer, Price, Product, Subscription, SubscriptionSetUp
from domain.errors import NotThere, Rejected

_ONE = "v1/subscriptions/{subscription}"
#: So that the answer tells where the customer pays.
_WITH_INVOICE = ["latest_invoice"]

PaymentBehavior = Annotated[
    Literal["default_incomplete", "allow_incomplete", "error_if_incomplete"],
    Field(
        description="What happens to the first invoice. default_incomplete: nothing is charged until the customer pays "
        "it at `payment_url`. allow_incomplete: the stored payment method is charged now. error_if_incomplete: "
        "likewise, and nothing is set up when that fails."
    ),
]


class ItemChange(Part):
    """What changes about one price of a subscription."""

    id: str | None = Field(
        None, description="The item's id, si_ and more. Left out: a new item.", pattern=r"^si_[A-Za-z0-9_]{1,250}$"
    )
    price: PriceId | None = Field(None, description="The new price.")
    quantity: int | None = Field(None, description="How many.", ge=0, le=1_000_000)
    deleted: bool | None = Field(None, description="True takes the item out of the subscription.")


@action(
    effect=Effect.WRITE,
    scopes=("read_write",),
    idempotent=True,
    look_for="a subscription of the customer with these prices",
)
async def create_subscription(
    call: Call,
    *,
    customer: CustomerId,
    items: Items,
    payment_behavior: PaymentBehavior = "default_incomplete",
    collection_method: CollectionMethod = "charge_automatically",
    days_until_due: DaysUntilDue | None = None,
    trial_period_days: TrialDays | None = None,
    metadata: Metadata | None = None,
) -> Subscription:
    """Subscribe a customer to prices that exist.

    Moves money, at once or by the next invoice. With `default_incomplete` the subscription is `incomplete` until the
    customer pays the first invoice at `payment_url` within 23 hours. set_up_subscription makes product and price too.
    """
    form = bracketed(
        customer=customer,
        items=listed(items),
        **_paid(payment_behavior, collection_method, days_until_due, trial_period_days),
        metadata=noted(metadata),
        expand=_WITH_INVOICE,
    )
    return Subscription.of((await call.post("v1/subscriptions", form=form)).json)


@action(effect=Effect.READ, scopes=("read_only",))
async def list_subscriptions(
    call: Call,
    *,
    customer: Annotated[CustomerId | None, Field(description="Only those of this customer.")] = None,
    price: Annotated[PriceId | None, Field(description="Only those with this price.")] = None,
    status: Annotated[
        Literal[
            "active",
            "all",
            "canceled",
            "ended",
            "incomplete",
            "incomplete_expired",
            "past_due",
            "paused",
            "trialing",
            "unpaid",
        ]
        | None,
        Field(description="Only these. Left out: all but canceled ones; `all` includes them."),
    ] = None,
    limit: Limit = 100,
) -> list[Subscription]:
    """List subscriptions: who pays what, again and again.

    Canceled ones only with `status` all, canceled or ended.
    """
    query = bracketed(customer=customer, price=price, status=status)
    found = await call.pages("v1/subscriptions", limit=limit, items="data", query=query)
    return [Subscription.of(each) for each in found]


@action(effect=Effect.READ, scopes=("read_only",))
async def get_subscription(call: Call, *, subscription: SubscriptionId) -> Subscription:
    """Look up a subscription, and where its latest invoice is paid."""
    query = bracketed(expand=_WITH_INVOICE)
    return Subscription.of((await call.get(_ONE, query=query, subscription=subscription)).json)


@action(
    effect=Effect.WRITE,
    scopes=("read_write",),
    look_for="the subscription's items and, for proration, the customer's upcoming and latest invoices",
)
async def update_subscription(
    call: Call,
    *,
    subscription: SubscriptionId,
    items: Annotated[
        list[ItemChange] | None,
        Field(
            description="What changes; other items stay. To change a plan, give the item's id and the new price.",
            min_length=1,
            max_length=20,
        ),
    ] = None,
    proration_behavior: Annotated[
        Literal["create_prorations", "always_invoice", "none"] | None,
        Field(description="How a change within a period is charged: with the next invoice, at once, or not at all."),
    ] = None,
    cancel_at_period_end: Annotated[
        bool | None, Field(description="True ends it when the paid period does; false takes that back.")
    ] = None,
    metadata: Metadata | None = None,
) -> Subscription:
    """Change a subscription, or cancel it at the end of the paid period.

    Another plan, another quantity, items added or taken out. Changing a price or quantity may charge or credit the
    customer; `proration_behavior` decides. An item with a new price and without its id is added beside the old one.
    """
    form = bracketed(
        items=[each.model_dump(exclude_none=True) for each in items or ()],
        proration_behavior=proration_behavior,
        cancel_at_period_end=cancel_at_period_end,
        metadata=noted(metadata),
        expand=_WITH_INVOICE,
    )
    return Subscription.of((await call.post(_ONE, form=form, subscription=subscription)).json)


@action(
    effect=Effect.DESTRUCTIVE,
    scopes=("read_write",),
    look_for="the subscription's status; `canceled` means that it happened",
)
async def cancel_subscription(
    call: Call,
    *,
    subscription: SubscriptionId,
    invoice_now: Annotated[bool, Field(description="Make a last invoice for what was used and not invoiced.")] = False,
    prorate: Annotated[bool, Field(description="Credit what was paid for the rest of the period.")] = False,
) -> Subscription:
    """Cancel a subscription at once.

    Cannot be undone. Kinder: update_subscription with `cancel_at_period_end`, which ends it when the paid period does.
    """
    query = bracketed(invoice_now=invoice_now or None, prorate=prorate or None)
    answer = await call.send("DELETE", _ONE, query=query, subscription=subscription)
    return Subscription.of(answer.json)


@action(
    effect=Effect.WRITE,
    scopes=("read_write",),
    idempotent=True,
    look_for="the customer's subscriptions, and the product catalogue for a product with this name; running it again "
    "would make another product, price and subscription",
)
async def set_up_subscription(
    call: Call,
    *,
    amount: Amount,
    currency: Currency,
    interval: Annotated[Interval, Field(description="How often it is charged.")],
    interval_count: IntervalCount = 1,
    product_name: Annotated[ProductName | None, Field(description="A new product: what is subscribed to.")] = None,
    product: Annotated[ProductId | None, Field(description="Instead of `product_name`: an existing product.")] = None,
    customer: Annotated[CustomerId | None, Field(description="An existing customer.")] = None,
    customer_email: Annotated[Email | None, Field(description="Instead of `customer`: a new customer.")] = None,
    customer_name: Annotated[Name | None, Field(description="The new customer's name.")] = None,
    quantity: Annotated[int, Field(description="How many are subscribed to.", ge=1, le=1_000_000)] = 1,
    payment_behavior: PaymentBehavior = "default_incomplete",
    collection_method: CollectionMethod = "charge_automatically",
    days_until_due: DaysUntilDue | None = None,
    trial_period_days: TrialDays | None = None,
) -> SubscriptionSetUp:
    """Set up a subscription: product, price and the customer's subscription in one go.

    Sells `amount` per interval to one customer, e.g. 1900 usd each month. Makes the product unless `product` is given,
    its recurring price, the customer unless `customer` is given, and the subscription; answers all four, with the
    `payment_url` where the customer pays the first invoice. An existing customer or product is looked up first, and
    nothing is made when there is none. When a later step is refused, what the earlier ones made stays.
    """
    if (product is None) is (product_name is None):
        raise Rejected("Give `product` or `product_name`, one of the two. Nothing was sent.")
    if (customer is None) is (customer_email is None):
        raise Rejected("Give `customer` or `customer_email`, one of the two. Nothing was sent.")
    if customer is not None and customer_name is not None:
        raise Rejected("`customer_name` is for a new customer. Nothing was sent.")
    paid = _paid(payment_behavior, collection_method, days_until_due, trial_period_days)
    await _look_up(call, customer, product)
    sold = product or await _new_product(call, product_name)
    recurring = {"interval": interval, "interval_count": interval_count}
    priced = bracketed(currency=currency, unit_amount=amount, product=sold, recurring=recurring)
    price = Price.of((await call.post("v1/prices", form=priced, step="price")).json)
    payer = customer or await _new_customer(call, customer_email, customer_name)
    form = bracketed(customer=payer, items=[{"price": price.id, "quantity": quantity}], **paid, expand=_WITH_INVOICE)
    made = Subscription.of((await call.post("v1/subscriptions", form=form, step="subscription")).json)
    return SubscriptionSetUp(customer=payer, product=sold, price=price, subscription=made)


async def _look_up(call: Call, customer: str | None, product: str | None) -> None:
    """Before anything is made. Raises NotThere."""
    if customer is not None:
        found = Customer.of((await call.get("v1/customers/{customer}", customer=customer)).json)
        if found.deleted:
            raise NotThere("This customer was deleted. Nothing was made.")
    if product is not None:
        answer = await call.get("v1/products", query=bracketed(ids=[product]))
        if not answer.objects("data"):
            raise NotThere("There is no such product. Nothing was made.")


async def _new_product(call: Call, name: str | None) -> str:
    return Product.of((await call.post("v1/products", form=bracketed(name=name), step="product")).json).id


async def _new_customer(call: Call, email: str | None, name: str | None) -> str:
    form = bracketed(email=email, name=name)
    return Customer.of((await call.post("v1/customers", form=form, step="customer")).json).id


def _paid(
    payment_behavior: str, collection_method: str, days_until_due: int | None, trial_period_days: int | None
) -> dict[str, str | int | None]:
    """How it is paid, as Stripe takes it. Raises Rejected for what does not go together."""
    is_invoiced = collection_method == "send_invoice"
    if is_invoiced is not (days_until_due is not None):
        raise Rejected("`days_until_due` belongs to collection_method send_invoice, which needs it. Nothing was sent.")
    return {
        "payment_behavior": None if is_invoiced else payment_behavior,
        "collection_method": collection_method,
        "days_until_due": days_until_due,
        "trial_period_days": trial_period_days,
    }

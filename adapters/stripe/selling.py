"""Being paid: checkout pages, links, the customers' own portal; and paying back, and what was invoiced."""

from typing import Literal

from adapters._kit import Annotated, Call, Effect, Field, action
from adapters._kit.brackets import bracketed
from adapters.stripe.parameters import (
    ChargeId,
    CustomerId,
    Email,
    Items,
    Limit,
    Metadata,
    PaymentIntentId,
    SubscriptionId,
    Url,
    listed,
    noted,
)
from adapters.stripe.results import CheckoutSession, Invoice, PaymentLink, PortalSession, Refund
from domain.errors import Rejected
from domain.json import Json


@action(
    effect=Effect.WRITE,
    scopes=("read_write",),
    idempotent=True,
    look_for="an open checkout session with these items; one that nobody pays ends by itself",
)
async def create_checkout_session(
    call: Call,
    *,
    mode: Annotated[
        Literal["payment", "subscription"],
        Field(description="payment: paid once. subscription: needs at least one recurring price."),
    ],
    line_items: Items,
    success_url: Annotated[
        Url, Field(description="Where the customer comes after paying. {CHECKOUT_SESSION_ID} in it is filled.")
    ],
    cancel_url: Annotated[
        Url | None, Field(description="Where they come when they turn back; hosted pages only.")
    ] = None,
    customer: Annotated[CustomerId | None, Field(description="An existing customer.")] = None,
    customer_email: Annotated[Email | None, Field(description="Instead: fills in the address of a new one.")] = None,
    ui_mode: Annotated[
        Literal["hosted_page", "embedded_page"],
        Field(description="A page at Stripe, or one that your own page embeds with `client_secret`."),
    ] = "hosted_page",
    metadata: Metadata | None = None,
) -> CheckoutSession:
    """Create a checkout page on which one customer pays or subscribes.

    Send the customer to `url`. It is good once and for a day; create_payment_link makes one that lasts.
    """
    if customer is not None and customer_email is not None:
        raise Rejected("Give `customer` or `customer_email`, not both. Nothing was sent.")
    is_hosted = ui_mode == "hosted_page"
    if cancel_url is not None and not is_hosted:
        raise Rejected("`cancel_url` is for hosted pages. Nothing was sent.")
    form = bracketed(
        mode=mode,
        line_items=listed(line_items),
        success_url=success_url if is_hosted else None,
        return_url=None if is_hosted else success_url,
        cancel_url=cancel_url,
        customer=customer,
        customer_email=customer_email,
        ui_mode=ui_mode,
        metadata=noted(metadata),
    )
    return CheckoutSession.of((await call.post("v1/checkout/sessions", form=form)).json)


@action(
    effect=Effect.WRITE,
    scopes=("read_write",),
    idempotent=True,
    look_for="a payment link for these prices among the payment links",
)
async def create_payment_link(
    call: Call,
    *,
    line_items: Items,
    redirect_url: Annotated[
        Url | None, Field(description="Where customers come after paying. Left out: a page of Stripe's thanks them.")
    ] = None,
    confirmation_message: Annotated[
        str | None, Field(description="What that page of Stripe's says.", min_length=1, max_length=500)
    ] = None,
    metadata: Metadata | None = None,
) -> PaymentLink:
    """Create a payment link that can be shared with anybody.

    It can be paid any number of times, until a person switches it off. With recurring prices it sells subscriptions.
    """
    if redirect_url is not None and confirmation_message is not None:
        raise Rejected("Give `redirect_url` or `confirmation_message`, not both. Nothing was sent.")
    after: dict[str, Json] | None = None
    if redirect_url is not None:
        after = {"type": "redirect", "redirect": {"url": redirect_url}}
    elif confirmation_message is not None:
        after = {"type": "hosted_confirmation", "hosted_confirmation": {"custom_message": confirmation_message}}
    form = bracketed(line_items=listed(line_items), after_completion=after, metadata=noted(metadata))
    return PaymentLink.of((await call.post("v1/payment_links", form=form)).json)


@action(
    effect=Effect.WRITE,
    scopes=("read_write",),
    idempotent=True,
    look_for="what the customer changed there; the session itself leaves no trace and ends by itself",
)
async def create_billing_portal_session(
    call: Call,
    *,
    customer: CustomerId,
    return_url: Annotated[Url | None, Field(description="Where the portal's back button leads.")] = None,
    configuration: Annotated[
        str | None,
        Field(
            description="One of the account's portal set-ups. Left out: its default.",
            pattern=r"^bpc_[A-Za-z0-9_]{1,250}$",
        ),
    ] = None,
) -> PortalSession:
    """Open the billing portal for a customer.

    There they change their cards and subscriptions and see their invoices themselves.
    `url` lets whoever has it act as that customer for a short time: hand it to the customer alone and do not store it.
    """
    form = bracketed(customer=customer, return_url=return_url, configuration=configuration)
    return PortalSession.of((await call.post("v1/billing_portal/sessions", form=form)).json)


@action(
    effect=Effect.DESTRUCTIVE,
    scopes=("read_write",),
    idempotent=True,
    look_for="a refund of this amount at the payment",
)
async def create_refund(
    call: Call,
    *,
    charge: Annotated[ChargeId | None, Field(description="The charge to pay back.")] = None,
    payment_intent: Annotated[PaymentIntentId | None, Field(description="Instead: the payment behind it.")] = None,
    amount: Annotated[
        int | None,
        Field(
            description="In the smallest unit of the charge's currency: 500 is 5.00 usd, or 500 jpy. Left out: all "
            "that was not paid back yet.",
            ge=1,
            le=999_999_999_999,
        ),
    ] = None,
    reason: Annotated[
        Literal["duplicate", "fraudulent", "requested_by_customer"] | None,
        Field(description="fraudulent also blocks the card and e-mail address."),
    ] = None,
    metadata: Metadata | None = None,
) -> Refund:
    """Refund a payment, all of it or a part.

    Moves money out of the account and cannot be taken back; Stripe keeps its fee. A conflict means that all was
    refunded already.
    """
    if (charge is None) is (payment_intent is None):
        raise Rejected("Give `charge` or `payment_intent`, one of the two. Nothing was sent.")
    form = bracketed(
        charge=charge, payment_intent=payment_intent, amount=amount, reason=reason, metadata=noted(metadata)
    )
    return Refund.of((await call.post("v1/refunds", form=form)).json)


@action(effect=Effect.READ, scopes=("read_only",))
async def list_invoices(
    call: Call,
    *,
    customer: Annotated[CustomerId | None, Field(description="Only those of this customer.")] = None,
    subscription: Annotated[SubscriptionId | None, Field(description="Only those of this subscription.")] = None,
    status: Annotated[
        Literal["draft", "open", "paid", "uncollectible", "void"] | None,
        Field(description="Only these; open ones wait to be paid."),
    ] = None,
    limit: Limit = 100,
) -> list[Invoice]:
    """List invoices: what customers owe and what they paid."""
    query = bracketed(customer=customer, subscription=subscription, status=status)
    return [Invoice.of(each) for each in await call.pages("v1/invoices", limit=limit, items="data", query=query)]

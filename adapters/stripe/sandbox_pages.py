"""Pages on which customers would pay, in the Stripe sandbox: made, addressed, and honest about paying nothing."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters._kit.sandbox import problem_page
from adapters.stripe.sandbox_api import Ask, Refused, api_route
from adapters.stripe.sandbox_catalogue import living
from adapters.stripe.sandbox_forms import Form
from adapters.stripe.sandbox_state import Hub, Shape, number

_DAY_SECONDS = 86_400


def page_routes(hub: Hub) -> list[Route]:
    """Checkout, links and the portal; and where their addresses lead."""
    return [
        api_route(hub, "POST", "/v1/checkout/sessions", _checkout),
        api_route(hub, "POST", "/v1/payment_links", _payment_link),
        api_route(hub, "POST", "/v1/billing_portal/sessions", _portal),
        Route("/pages/{id:path}", _shown, methods=["GET"]),
    ]


async def _shown(_request: Request) -> Response:
    words = "At Stripe, a customer would pay here, or see what they pay for. In the sandbox nothing is paid."
    return problem_page("Stripe", 200, "A page for customers", words)


def _lines(ask: Ask, forms: list[Form]) -> list[tuple[Shape, int]]:
    lines = []
    for form in forms:
        price, quantity = ask.find("price", form.needed("price"), "line_items[0][price]"), form.number("quantity", 1)
        form.finish()
        lines.append((price, 1 if quantity is None else quantity))
    if not lines:
        raise Refused(400, "Missing required param: line_items.", "parameter_missing", "line_items")
    if len({price["currency"] for price, _ in lines}) > 1:
        raise Refused(400, "All line items must be in one currency.", None, "line_items")
    return lines


def _checkout(ask: Ask) -> Shape:
    form = ask.form
    mode = form.one_of("mode", "payment", "subscription", "setup")
    look = form.one_of("ui_mode", "hosted_page", "embedded_page", "elements", "form") or "hosted_page"
    success, cancel, back = form.text("success_url"), form.text("cancel_url"), form.text("return_url")
    payer, email, notes = form.text("customer"), form.text("customer_email"), form.notes()
    lines = _lines(ask, form.parts("line_items"))
    form.finish()
    if mode is None or (look == "hosted_page" and success is None) or (look == "embedded_page" and back is None):
        raise Refused(400, "Missing required param: mode, success_url or return_url.", "parameter_missing")
    if mode == "subscription" and not any(price["type"] == "recurring" for price, _ in lines):
        raise Refused(400, "You must provide at least one recurring price in `subscription` mode.", None, "line_items")
    if mode == "payment" and any(price["type"] == "recurring" for price, _ in lines):
        raise Refused(400, "You specified `payment` mode but passed a recurring price.", None, "line_items")
    if payer is not None:
        living(ask, payer, "customer")
    total = sum(number(price, "unit_amount") * quantity for price, quantity in lines)
    id = ask.id("cs_test")
    told: Shape = {"success_url": success, "cancel_url": cancel, "return_url": back, "metadata": notes}
    return ask.book.put(
        {
            "id": id,
            "object": "checkout.session",
            "amount_subtotal": total,
            "amount_total": total,
            "automatic_tax": {"enabled": False},
            "client_secret": None if look == "hosted_page" else f"{id}_secret_sandbox",
            "created": ask.time,
            "currency": lines[0][0]["currency"],
            "custom_fields": [],
            "custom_text": {},
            "customer": payer,
            "customer_email": email,
            "expires_at": ask.time + _DAY_SECONDS,
            "livemode": ask.book.live,
            "mode": mode,
            "payment_method_types": ["card"],
            "payment_status": "unpaid",
            "shipping_options": [],
            "status": "open",
            "ui_mode": look,
            "url": f"{ask.root}/pages/{id}" if look == "hosted_page" else None,
            **told,
        }
    )


def _payment_link(ask: Ask) -> Shape:
    form = ask.form
    lines, notes, after = _lines(ask, form.parts("line_items")), form.notes(), form.part("after_completion")
    then: Shape = {"type": "hosted_confirmation", "hosted_confirmation": {"custom_message": None}}
    if after is not None:
        redirect, thanks = after.part("redirect"), after.part("hosted_confirmation")
        then = {"type": after.one_of("type", "redirect", "hosted_confirmation")}
        then["redirect"] = {"url": redirect.needed("url")} if redirect else None
        then["hosted_confirmation"] = {"custom_message": thanks.text("custom_message")} if thanks else None
        after.finish()
    form.finish()
    id = ask.id("plink")
    return ask.book.put(
        {
            "id": id,
            "object": "payment_link",
            "active": True,
            "after_completion": {name: value for name, value in then.items() if value is not None},
            "allow_promotion_codes": False,
            "automatic_tax": {"enabled": False},
            "billing_address_collection": "auto",
            "currency": lines[0][0]["currency"],
            "custom_fields": [],
            "custom_text": {},
            "customer_creation": "if_required",
            "livemode": ask.book.live,
            "metadata": notes,
            "payment_method_collection": "always",
            "phone_number_collection": {"enabled": False},
            "shipping_options": [],
            "submit_type": "auto",
            "tax_id_collection": {"enabled": False, "required": "never"},
            "url": f"{ask.root}/pages/{id}",
        }
    )


def _portal(ask: Ask) -> Shape:
    form = ask.form
    customer = living(ask, form.needed("customer"), "customer")
    back, configuration = form.text("return_url"), form.text("configuration")
    form.finish()
    id = ask.id("bps")
    return {
        "id": id,
        "object": "billing_portal.session",
        "configuration": configuration or "bpc_sandbox_default",
        "created": ask.time,
        "customer": customer["id"],
        "livemode": ask.book.live,
        "return_url": back,
        "url": f"{ask.root}/pages/{id}",
    }

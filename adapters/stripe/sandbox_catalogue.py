"""Products, prices and customers in the Stripe sandbox."""

import re
from collections.abc import Callable

from starlette.routing import Route

from adapters.stripe.sandbox_api import Ask, Desk, Refused, api_route, list_shape, missing
from adapters.stripe.sandbox_forms import Form, Wrong
from adapters.stripe.sandbox_state import Hub, Shape

_CURRENCY = re.compile(r"[a-z]{3}")
_CLAUSE = re.compile(r"(\w+(?:\['[^']*'\])?)\s*([:~])\s*['\"]([^'\"]*)['\"]")


def catalogue_routes(hub: Hub) -> list[Route]:
    """What is sold, and to whom."""
    return [
        api_route(hub, "POST", "/v1/products", _create_product),
        api_route(hub, "GET", "/v1/products", _list_products),
        api_route(hub, "POST", "/v1/products/{id}", _update_product),
        api_route(hub, "POST", "/v1/prices", _create_price),
        api_route(hub, "GET", "/v1/prices", _list_prices),
        api_route(hub, "POST", "/v1/customers", _create_customer),
        api_route(hub, "GET", "/v1/customers", _list_customers),
        api_route(hub, "GET", "/v1/customers/search", _search_customers),
        api_route(hub, "GET", "/v1/customers/{customer}", _get_customer),
        api_route(hub, "POST", "/v1/customers/{customer}", _update_customer),
        api_route(hub, "DELETE", "/v1/customers/{customer}", _delete_customer),
    ]


# ------------------------------------------------------------------------------------------------- products


def _create_product(ask: Ask) -> Shape:
    form = ask.form
    name, description, tax_code = form.needed("name"), form.text("description"), form.text("tax_code")
    is_active = form.flag("active")
    images, notes, default = form.texts("images"), form.notes(), form.part("default_price_data")
    terms = _terms(default) if default else None
    form.finish()
    product = ask.book.put(new_product(ask, name))
    product |= {
        "active": is_active is not False,
        "description": description,
        "tax_code": tax_code,
        "images": [*(images or [])],
        "metadata": notes,
    }
    if terms is not None:
        product["default_price"] = ask.book.put(new_price(ask, str(product["id"]), terms))["id"]
    return product


def new_product(desk: Desk, name: str) -> Shape:
    """A product that is on sale."""
    return {
        "id": desk.id("prod"),
        "object": "product",
        "active": True,
        "created": desk.time,
        "default_price": None,
        "description": None,
        "images": [],
        "livemode": desk.book.live,
        "marketing_features": [],
        "metadata": {},
        "name": name,
        "tax_code": None,
        "type": "service",
        "updated": desk.time,
    }


def _list_products(ask: Ask) -> Shape:
    active, ids = ask.form.flag("active"), ask.form.texts("ids")

    def keep(each: Shape) -> bool:
        return (active is None or each["active"] is active) and (ids is None or each["id"] in ids)

    return _listed(ask, "product", keep)


def _update_product(ask: Ask) -> Shape:
    form, product = ask.form, ask.find("product", ask.at("id"))
    before = product["metadata"]
    changes: Shape = {"metadata": form.notes(before if isinstance(before, dict) else None)}
    for name in ("name", "description", "default_price"):
        if (told := form.text(name)) is not None:
            changes[name] = told
    if (active := form.flag("active")) is not None:
        changes["active"] = active
    form.finish()
    if "default_price" in changes:
        price = ask.find("price", str(changes["default_price"]), "default_price")
        if price["product"] != product["id"]:
            raise Refused(400, "The price is not one of this product.", None, "default_price")
    product |= {**changes, "updated": ask.time}
    return product


# --------------------------------------------------------------------------------------------------- prices


def _terms(form: Form) -> Shape:
    """What a price is about, wherever it is told."""
    currency, amount = form.needed("currency"), form.number("unit_amount")
    if not _CURRENCY.fullmatch(currency):
        raise Wrong("parameter_invalid_string", "currency", f"Invalid currency: {currency[:100]}.")
    if amount is None:
        raise Wrong("parameter_missing", "unit_amount", "Missing required param: unit_amount.")
    told = form.part("recurring")
    recurring: Shape | None = None
    if told is not None:
        interval = told.one_of("interval", "day", "week", "month", "year")
        if interval is None:
            raise Wrong("parameter_missing", "recurring[interval]", "Missing required param: recurring[interval].")
        count = told.number("interval_count", 1) or 1
        recurring = {"interval": interval, "interval_count": count, "usage_type": "licensed", "meter": None}
        told.finish()
    return {"currency": currency, "unit_amount": amount, "recurring": recurring}


def _create_price(ask: Ask) -> Shape:
    form = ask.form
    terms, product, data = _terms(form), form.text("product"), form.part("product_data")
    nickname, lookup_key, notes = form.text("nickname"), form.text("lookup_key"), form.notes()
    name = data.needed("name") if data else None
    form.finish()
    if (product is None) is (name is None):
        raise Refused(400, "You must specify either `product` or `product_data`.", "parameter_missing", "product")
    if product is not None:
        ask.find("product", product, "product")
    if lookup_key is not None and any(each["lookup_key"] == lookup_key for each in ask.book.all("price").values()):
        raise Refused(400, "A price with this lookup key exists.", "resource_already_exists", "lookup_key")
    owner = product or str(ask.book.put(new_product(ask, name or ""))["id"])
    price = ask.book.put(new_price(ask, owner, terms))
    price |= {"nickname": nickname, "lookup_key": lookup_key, "metadata": notes}
    return price


def new_price(desk: Desk, product: str, terms: Shape) -> Shape:
    """A price in use."""
    return {
        "id": desk.id("price"),
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": desk.time,
        "livemode": desk.book.live,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": product,
        "type": "recurring" if terms.get("recurring") else "one_time",
        "unit_amount_decimal": str(terms["unit_amount"]),
        **terms,
    }


def _list_prices(ask: Ask) -> Shape:
    form = ask.form
    product, active, keys = form.text("product"), form.flag("active"), form.texts("lookup_keys")
    kind = form.one_of("type", "one_time", "recurring")

    def keep(each: Shape) -> bool:
        fits = (product is None or each["product"] == product) and (active is None or each["active"] is active)
        return fits and (kind is None or each["type"] == kind) and (keys is None or each["lookup_key"] in keys)

    return _listed(ask, "price", keep)


# ------------------------------------------------------------------------------------------------ customers


def _create_customer(ask: Ask) -> Shape:
    told = _customer_fields(ask.form, {})
    ask.form.finish()
    return ask.book.put({**new_customer(ask), **told})


def new_customer(desk: Desk) -> Shape:
    """A customer nothing is known of."""
    return {
        "id": desk.id("cus"),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": desk.time,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "email": None,
        "invoice_settings": {"custom_fields": None, "default_payment_method": None, "footer": None},
        "livemode": desk.book.live,
        "metadata": {},
        "name": None,
        "phone": None,
        "shipping": None,
    }


def _customer_fields(form: Form, before: Shape) -> Shape:
    known = before.get("metadata")
    told: Shape = {"metadata": form.notes(known if isinstance(known, dict) else None)}
    for name in ("email", "name", "description", "phone"):
        if (value := form.text(name)) is not None:
            told[name] = value
    if "email" in told and "@" not in str(told["email"]):
        raise Wrong("email_invalid", "email", f"Invalid email address: {str(told['email'])[:100]}")
    address = form.part("address")
    if address is not None:
        parts = ("line1", "line2", "city", "state", "postal_code", "country")
        told["address"] = {part: address.text(part) for part in parts}
        address.finish()
    return told


def _list_customers(ask: Ask) -> Shape:
    email, in_window = ask.form.text("email"), ask.created()
    return _listed(ask, "customer", lambda each: (email is None or each["email"] == email) and in_window(each))


def _search_customers(ask: Ask) -> Shape:
    """`field:'exact'` and `field~'part'`, joined by AND or OR. Not behind by a minute, as the real one is."""
    form = ask.form
    query, size, page = form.needed("query"), form.number("limit", 1) or 10, form.text("page")
    form.finish()
    is_any = " OR " in query
    clauses = [_CLAUSE.fullmatch(each.strip()) for each in re.split(r" AND | OR ", query)]
    if not all(clauses):
        raise Refused(400, "We were unable to parse your search query.", None, "query")
    found = []
    for each in (one for one in reversed(ask.book.all("customer").values()) if "deleted" not in one):
        fits = [_fits(each, clause) for clause in clauses if clause]
        if any(fits) if is_any else all(fits):
            found.append(each)
    begin = int(page) if page is not None and page.isdigit() and len(page) < 7 else 0
    rest = begin + size
    following = str(rest) if len(found) > rest else None
    shown = list_shape("/v1/customers/search", found[begin:rest], has_more=following is not None)
    return {**shown, "object": "search_result", "next_page": following}


def _fits(customer: Shape, clause: re.Match[str]) -> bool:
    name, how, wanted = clause.groups()
    if name.startswith("metadata["):
        notes = customer["metadata"]
        held = notes.get(name[10:-2]) if isinstance(notes, dict) else None
    else:
        held = customer.get(name)
    text, wanted = str(held or "").lower(), wanted.lower()
    return text == wanted if how == ":" else wanted in text


def _get_customer(ask: Ask) -> Shape:
    wanted = ask.form.texts("expand") or []
    ask.form.finish()
    customer = ask.book.all("customer").get(ask.at("customer"))
    if customer is None:
        raise missing("customer", ask.at("customer"), param="customer")
    if "subscriptions" not in wanted or "deleted" in customer:
        return customer
    theirs = [
        each
        for each in ask.book.all("subscription").values()
        if each["customer"] == customer["id"] and each["status"] != "canceled"
    ]
    return {**customer, "subscriptions": list_shape(f"/v1/customers/{customer['id']}/subscriptions", theirs)}


def living(ask: Ask, id: str, param: str | None = None) -> Shape:
    """A customer that was not deleted; raises Refused."""
    customer = ask.find("customer", id, param)
    if "deleted" in customer:
        raise missing("customer", id, param=param or "customer", status=400 if param else 404)
    return customer


def _update_customer(ask: Ask) -> Shape:
    customer = living(ask, ask.at("customer"))
    told = _customer_fields(ask.form, customer)
    ask.form.finish()
    customer |= told
    return customer


def _delete_customer(ask: Ask) -> Shape:
    ask.form.finish()
    customer = living(ask, ask.at("customer"))
    for each in ask.book.all("subscription").values():
        if each["customer"] == customer["id"] and each["status"] != "canceled":
            each |= {"status": "canceled", "canceled_at": ask.time, "ended_at": ask.time}
    # What is left still answers, but is in no list and no search.
    return ask.book.put({"id": customer["id"], "object": "customer", "deleted": True})


def _listed(ask: Ask, kind: str, keep: Callable[[Shape], bool]) -> Shape:
    page = ask.page(kind, lambda each: "deleted" not in each and keep(each))
    ask.form.finish()
    return page

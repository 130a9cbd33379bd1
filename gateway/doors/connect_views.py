"""What the connect page says, screen by screen; the same words hosted and in a frame.

Hosted, the screens are addresses of their own and the browser is known by its cookie. In a frame there are no cookies
to rely on, so every way from one screen to the next is a form that carries the key.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import Response

from domain.catalogue import AuthScheme, Integration
from domain.connections import SessionStatus
from domain.errors import Violation
from domain.ids import Kind, public_id
from domain.json import Json
from gateway.doors.markup import NOTHING, Content, Markup, mark, page, tag
from resolvers.connect_page import Offer, Page, way_back

KEY_FIELD: Final = "credential."
_PROMISE: Final = (
    "Connecting allows nothing by itself: which agent may do what is decided separately, is written down each time, "
    "and can be taken back whenever you like."
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page is shown. `framed_by` is the origin of the page around it, None when hosted."""

    name: str
    key: str
    form_token: str
    framed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody typed and what is wrong with it. Values of secret fields are never among `kept`."""

    kept: Mapping[str, str]
    violations: Sequence[Violation] = ()
    problem: str | None = None


def choices(place: Place, view: Page) -> Response:
    """All that can be connected."""
    tiles = [tag("li", _way(place, _tile(offer.integration), slug, "choice")) for slug, offer in view.offers.items()]
    if not tiles:
        return message(place, "There is nothing to connect", "Ask whoever sent you here what should be connected.", 404)
    return _shown(
        place,
        "What would you like to connect?",
        _asker(place, view),
        tag("p", "You will see what it allows before anything happens.", class_="muted"),
        tag("ul", *tiles, class_="choices"),
        _leaving(view, "Not now"),
    )


def offer(place: Place, view: Page, chosen: Offer, typed: Typed | None = None) -> Response:
    """One service: what connecting allows, then the way to do it."""
    integration = chosen.integration
    has_mistakes = typed is not None and bool(typed.violations or typed.problem)
    is_by_key = AuthScheme.API_KEY in chosen.schemes
    title = f"Connect {integration.name}"
    return _shown(
        place,
        title,
        _asker(place, view),
        tag("p", integration.description, class_="muted"),
        _summary(integration, typed) if has_mistakes and typed else None,
        _allows(chosen),
        _consent(place, view, chosen) if AuthScheme.OAUTH2 in chosen.schemes else None,
        _by_key(place, view, chosen, typed or Typed({})) if is_by_key else None,
        _other_choice(place, view),
        tag("p", _PROMISE, class_="muted note"),
        sandbox=integration.is_sandbox,
        status=422 if has_mistakes else 200,
        browser_title=f"Mistake: {title}" if has_mistakes else title,
    )


def leaving(place: Place, chosen: Offer, address: str) -> Response:
    """Between two sites: a page, not a redirect, since `form-action` would hold for wherever a redirect leads."""
    name = chosen.integration.name
    return _shown(
        place,
        f"Going to {name}",
        tag("p", f"{name} will ask you to sign in and to confirm. We never see your password."),
        tag("p", tag("a", f"Continue to {name}", href=address, class_="button first"), class_="actions"),
        headers={"refresh": f"0; url={address}"},
    )


def ended(place: Place, view: Page) -> Response:
    """How it ended: whose account it became, or why it became none."""
    if view.connection is not None:
        return _connected(place, view)
    if view.session is not None and view.session.status in (SessionStatus.FAILED, SessionStatus.EXPIRED):
        return _failed(place, view)
    return message(place, "This link has ended", "Go back to where you came from and ask for a new one.", 410, view)


def message(place: Place | None, title: str, words: str, status: int, view: Page | None = None) -> Response:
    """Something that is not a step on the way."""
    back = _leaving(view, "Go back") if view else None
    shown_by = place.framed_by if place else None
    attributes = _attributes(shown_by, {"type": "failed", "detail": {"message": words, "canRetry": False}})
    content = (mark("bad"), _heading(title), tag("p", words), back)
    return page(title, *content, status=status, framed_by=shown_by, attributes=attributes)


def shell(origin: str) -> Response:
    """What a frame holds until the page around it sends the token."""
    form = tag(
        "form",
        tag("input", type="hidden", name="token", value=""),
        tag("input", type="hidden", name="origin", value=origin),
        method="post",
        action="/connect/frame",
        data_form="token",
    )
    title = "Connect an account"
    waiting = tag("p", "One moment …", class_="muted", role="status")
    attributes = _attributes(origin, {"type": "ready", "detail": {}})
    return page(title, _heading(title), waiting, form, framed_by=origin, attributes=attributes)


# ------------------------------------------------------------------------------------------------- endings


def _connected(place: Place, view: Page) -> Response:
    connection = view.connection
    if connection is None:
        raise TypeError("nothing was connected")
    known = view.offers.get(connection.integration)
    name, account = known.integration.name if known else "", connection.account
    facts: list[Content] = []
    if account is not None:
        facts += [tag("dt", "Account"), tag("dd", account.label)]
    if connection.granted_scopes and known:
        allowed = known.integration.explain(connection.granted_scopes)
        facts += [
            tag("dt", "Allowed"),
            *(tag("dd", each.explanation, tag("code", each.scope), class_="plain") for each in allowed),
        ]
    session = public_id(Kind.CONNECT_SESSION, view.session.id) if view.session else None
    told: Json = {
        "connection": public_id(Kind.CONNECTION, connection.id),
        "integration": connection.integration,
        "account": account.label if account else None,
        "session": session,
        "grantedScopes": list(connection.granted_scopes or ()),
    }
    return _shown(
        place,
        f"{name or 'The account'} is connected",
        tag("dl", *facts) if facts else None,
        tag("p", _PROMISE, class_="muted note"),
        _leaving(view, "Continue", is_first=True) or _closing(place),
        outcome="good",
        sandbox=connection.is_sandbox,
        told={"type": "connected", "detail": told},
    )


def _failed(place: Place, view: Page) -> Response:
    session = view.session
    if session is None:
        raise TypeError("nothing was begun")
    can_retry = view.is_open and session.integration in view.offers
    why = session.error or "It was not finished in time."
    again = _way(place, "Try again", session.integration, "button first") if can_retry else None
    told: Json = {"message": why, "canRetry": can_retry, "session": public_id(Kind.CONNECT_SESSION, session.id)}
    return _shown(
        place,
        "Not connected",
        tag("p", why),
        None
        if can_retry
        else tag("p", "This link has ended too: go back to where you came from and ask for a new one."),
        tag("div", again, _leaving(view, "Go back", is_bare=True), class_="actions"),
        outcome="bad",
        status=409,
        told={"type": "failed", "detail": told},
    )


# -------------------------------------------------------------------------------------------------- pieces


def _shown(
    place: Place,
    title: str,
    *content: Content,
    outcome: str | None = None,
    sandbox: bool = False,
    status: int = 200,
    browser_title: str | None = None,
    told: Json = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    badge = tag("p", tag("span", "Simulated account, for trying out", class_="sandbox")) if sandbox else None
    return page(
        browser_title or title,
        mark(outcome) if outcome else None,
        badge,
        _heading(title),
        *content,
        _look(place) if place.framed_by else None,
        status=status,
        framed_by=place.framed_by,
        headers=headers,
        attributes=_attributes(place.framed_by, told),
    )


def _asker(place: Place, view: Page) -> Markup | None:
    """Who sent the person here, as far as an operator vouches for it: by an address on a list of theirs."""
    address = place.framed_by or view.token.redirect_uri
    return tag("p", tag("strong", urlsplit(address).netloc), " asks for this.") if address else None


def _heading(title: str) -> Markup:
    return tag("h1", title, tabindex="-1")


def _attributes(framed_by: str | None, told: Json) -> dict[str, str]:
    """What the script in a frame reads: whom to tell, and what."""
    if framed_by is None:
        return {}
    return {"data_mandate_origin": framed_by} | ({"data_mandate_told": json.dumps(told)} if told else {})


def _tile(integration: Integration) -> Markup:
    letter = tag("span", integration.name[0], class_="tile", aria_hidden="true")
    words = tag("span", tag("strong", integration.name), tag("span", integration.description))
    return Markup(letter + words)


def _way(place: Place, label: Content, slug: str, looks: str) -> Markup:
    """To another screen of the page."""
    if place.framed_by is None:
        address = f"/connect/at/{place.name}" + (f"/{slug}" if slug else "")
        return tag("a", label, href=address, class_=looks)
    button = tag("button", label, class_=looks, name="to", value=slug)
    return tag("form", *_carried(place), button, method="post", action="/connect/frame")


def _carried(place: Place) -> list[Markup]:
    """What a form brings along: proof that it is ours and, in a frame, what else is a cookie's."""
    found = {"form": place.form_token}
    if place.framed_by is not None:
        found |= {"page": place.name, "key": place.key, "origin": place.framed_by}
    return [tag("input", type="hidden", name=name, value=value) for name, value in found.items()]


def _look(place: Place) -> Markup:
    """In a frame: shows how it ended in the other window. The script sends it; a person can too."""
    words = tag("p", "Go on in the other window. This page follows by itself.", class_="muted", role="status")
    button = tag("button", "Show this page again", class_="button", name="to", value="")
    return tag(
        "form", *_carried(place), words, button,
        method="post", action="/connect/frame", data_form="look", hidden=True, class_="actions",
    )  # fmt: skip


def _allows(chosen: Offer) -> Markup:
    """Each permission in plain words, before anything is agreed to."""
    name = chosen.integration.name
    points: list[Content] = []
    if AuthScheme.OAUTH2 in chosen.schemes:
        points += [tag("li", each.explanation, tag("code", each.scope)) for each in chosen.permissions]
    if not points:
        words = (
            f"See whose account it is. {name} asks for no further permission."
            if AuthScheme.OAUTH2 in chosen.schemes
            else f"Whatever the key that you give may do at {name}. Make one that may do as little as is needed."
        )
        points.append(tag("li", words))
    tasks = tag("p", "It is wanted for: " + ", ".join(chosen.actions) + ".", class_="muted") if chosen.actions else None
    return Markup(tag("h2", "What this allows") + tag("ul", *points, class_="points") + (tasks or NOTHING))


def _consent(place: Place, view: Page, chosen: Offer) -> Markup:
    """The button. In a frame it opens a window of ours, since services refuse to be framed, and rightly."""
    name = chosen.integration.name
    return tag(
        "form",
        *_carried(place),
        tag("input", type="hidden", name="how", value="oauth"),
        tag("div", tag("button", f"Continue at {name}", class_="button first"), _leaving(view, "Not now", is_bare=True),
            class_="actions"),
        method="post",
        action=_target(place, chosen),
        target="_blank" if place.framed_by else None,
    )  # fmt: skip


def _by_key(place: Place, view: Page, chosen: Offer, typed: Typed) -> Markup:
    """A form made from `credentialSchema`."""
    not_now = None if AuthScheme.OAUTH2 in chosen.schemes else _leaving(view, "Not now", is_bare=True)
    form = tag(
        "form",
        *_carried(place),
        tag("input", type="hidden", name="how", value="key"),
        *(_field(name, shape, typed, is_needed) for name, shape, is_needed in _fields(chosen.integration)),
        tag(
            "div", tag("button", f"Connect {chosen.integration.name}", class_="button first"), not_now, class_="actions"
        ),
        method="post",
        action=_target(place, chosen),
        novalidate=True,
        autocomplete="off",
    )
    if AuthScheme.OAUTH2 not in chosen.schemes:
        return form
    is_open = bool(typed.violations or typed.problem)
    return tag("details", tag("summary", "Use a key instead"), form, open=is_open)


def _target(place: Place, chosen: Offer) -> str:
    slug = chosen.integration.slug
    return f"/connect/frame/{slug}" if place.framed_by else f"/connect/at/{place.name}/{slug}"


def _fields(integration: Integration) -> list[tuple[str, Mapping[str, Json], bool]]:
    schema = integration.credential_schema or {}
    shapes, required = schema.get("properties"), schema.get("required")
    if not isinstance(shapes, Mapping):
        return []
    needed = required if isinstance(required, Sequence) else ()
    return [(name, shape, name in needed) for name, shape in shapes.items() if isinstance(shape, Mapping)]


def is_secret(integration: Integration, name: str) -> bool:
    """Whether what is typed there is never shown again; what we do not know is one."""
    return next((bool(shape.get("writeOnly")) for each, shape, _ in _fields(integration) if each == name), True)


def _field(name: str, shape: Mapping[str, Json], typed: Typed, is_needed: bool) -> Markup:  # noqa: FBT001 - a row
    mistakes = [each.message for each in typed.violations if each.pointer == f"/{name}"]
    hides = bool(shape.get("writeOnly"))
    described = f"{name}-hint" + (f" {name}-mistake" if mistakes else "")
    return tag(
        "div",
        tag("label", str(shape.get("title", name)) + ("" if is_needed else " (optional)"), for_=f"field-{name}"),
        tag("span", str(shape.get("description", "")).replace("`", ""), class_="hint", id=f"{name}-hint"),
        tag("span", " ".join(mistakes), class_="mistake", id=f"{name}-mistake") if mistakes else None,
        tag(
            "input",
            id=f"field-{name}",
            name=KEY_FIELD + name,
            type="password" if hides else "text",
            value=None if hides else typed.kept.get(name),
            required=is_needed,
            maxlength=None,
            autocomplete="off",
            autocapitalize="none",
            spellcheck="false",
            aria_describedby=described,
            aria_invalid="true" if mistakes else None,
        ),
        class_="field",
    )


def _summary(integration: Integration, typed: Typed) -> Markup:
    """Everything that is wrong, at once, each with a link to its field."""
    titles = {name: str(shape.get("title", name)) for name, shape, _ in _fields(integration)}
    lines = [
        tag(
            "li", tag("a", f"{titles[name]}: {each.message}", href=f"#field-{name}") if name in titles else each.message
        )
        for each in typed.violations
        for name in [each.pointer.removeprefix("/")]
    ]
    words = tag("p", typed.problem) if typed.problem else tag("ul", *lines)
    has_secret = any(is_secret(integration, name) for name in titles)
    again = tag("p", "What is secret was not kept: type it again.", class_="hint") if has_secret else None
    return tag("div", tag("h2", "That did not work"), words, again, class_="summary", role="alert")


def _other_choice(place: Place, view: Page) -> Markup | None:
    if len(view.offers) < 2:
        return None
    return tag("p", _way(place, "Connect something else", "", "button" if place.framed_by else "muted"), class_="note")


def _leaving(view: Page, label: str, *, is_first: bool = False, is_bare: bool = False) -> Markup | None:
    """Back to the application that sent the person here; None when it said no address."""
    address = way_back(view)
    if address is None:
        return None
    host = urlsplit(address).netloc
    link = tag("a", f"{label} to {host}" if label == "Go back" else f"{label}", href=address,
               class_="button first" if is_first else "button", title=host)  # fmt: skip
    return link if is_bare else tag("p", link, class_="actions")


def _closing(place: Place) -> Markup:
    if place.framed_by is None:
        return tag("p", "You can close this page.", class_="note")
    return tag("p", tag("button", "Done", type="button", class_="button first", data_close=True), class_="actions")


def is_over(view: Page) -> bool:
    """Whether nothing can be connected any more."""
    return view.connection is not None or view.token.expires_at <= datetime.now(UTC)

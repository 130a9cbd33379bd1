"""The connect page, `/connect`: a person connects an account, hosted by link or redirect, or in a frame.

Hosted it needs no script. The link's token becomes a cookie of this browser at once and leaves the address; each form
carries a token of its own beside the cookie. In a frame, where browsers keep cookies away, the key stands in the forms
instead: there is then nothing that a browser would send by itself, and so nothing for another page to abuse.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from console import static_dir
from domain.connections import SessionStatus
from domain.errors import (
    DependencyDown,
    InvalidInput,
    InvalidParameters,
    MandateError,
    NotFound,
    Refusal,
)
from gateway.doors import connect_views as views
from gateway.doors.bodies import bounded_body
from gateway.doors.markup import SCRIPT, STYLE, page_headers
from gateway.wiring import Gateway
from resolvers import connect_page as pages
from resolvers.connect_page import Offer, Page
from resolvers.connect_tokens import is_origin

_COOKIE: Final = "mandate_page_"
_COOKIE_SECONDS: Final = 6 * 3_600
_MOST_FIELDS: Final = 40
_FORM: Final = "application/x-www-form-urlencoded"
_FILE_HEADERS: Final = {
    "cache-control": "public, max-age=3600",
    "x-content-type-options": "nosniff",
    # A script of type module is fetched with CORS; it holds nothing that not everybody may read.
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
}

Fields = Mapping[str, str]


def routes(gateway: Gateway) -> list[Route]:
    """Every address below `/connect`."""
    door = ConnectPage(gateway)
    return [
        Route(STYLE, _file("style.css")),
        Route(SCRIPT, _file("connect.js")),
        Route("/connect", door.shell),
        Route("/connect/frame", door.frame, methods=["POST"]),
        Route("/connect/frame/state", door.state, methods=["POST"]),
        Route("/connect/frame/{slug}", door.frame_submitted, methods=["POST"]),
        Route("/connect/at/{name}", door.look),
        Route("/connect/at/{name}/{slug}", door.look),
        Route("/connect/at/{name}/{slug}", door.submitted, methods=["POST"]),
        Route("/connect/{token}", door.enter),
    ]


class ConnectPage:
    """One for a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._services = gateway.services

    # ------------------------------------------------------------------------------------------ hosted

    async def enter(self, request: Request) -> Response:
        """The link: a cookie for this browser, and an address without the token."""
        try:
            key, _ = await pages.open_by_token(self._services, request.path_params["token"])
        except MandateError as error:
            return _refused(None, error)
        answer = RedirectResponse(f"/connect/at/{key.name}", status_code=303, headers=page_headers())
        self._give(answer, key.name, key.text.reveal())
        return answer

    async def look(self, request: Request) -> Response:
        """A screen of the page, for the browser that has its key."""
        place = self._place(request)
        try:
            view = await pages.opened(self._services, place.name, place.key)
        except MandateError as error:
            return _refused(None, error)
        return _screen(place, view, request.path_params.get("slug"))

    async def submitted(self, request: Request) -> Response:
        """Somebody agreed, or typed a key."""
        place = self._place(request)
        try:
            fields = await _form_of(request)
            self._check_form(place, fields)
            view = await pages.opened(self._services, place.name, place.key)
        except MandateError as error:
            return _refused(None, error)
        return await self._connect(place, view, request.path_params["slug"], fields)

    def _place(self, request: Request) -> views.Place:
        name = request.path_params["name"]
        key = request.cookies.get(_COOKIE + name, "") if name.isalnum() else ""
        return views.Place(name, key, pages.form_token(self._services, key))

    def _give(self, answer: Response, name: str, key: str) -> None:
        answer.set_cookie(
            _COOKIE + name,
            key,
            max_age=_COOKIE_SECONDS,
            path="/connect",
            httponly=True,
            samesite="lax",
            secure=self._services.deployment.public_url.startswith("https:"),
        )

    # ---------------------------------------------------------------------------------------- in a frame

    async def shell(self, request: Request) -> Response:
        """What is shown in the frame first: it may be framed by one origin, which the operator lists."""
        origin = request.query_params.get("origin", "")
        if not is_origin(origin) or origin not in self._services.deployment.allowed_origins:
            words = "Follow the link that you were given, or go back to where you came from."
            return views.message(None, "There is nothing to connect here", words, 404)
        return views.shell(origin)

    async def frame(self, request: Request) -> Response:
        """A screen in a frame: by the token at first, by the key from then on."""
        place: views.Place | None = None
        try:
            fields = await _form_of(request)
            place = self._framed(fields)
            if fields.get("token"):
                key, view = await pages.open_by_token(self._services, fields["token"])
                place = self._framed({**fields, "page": key.name, "key": key.text.reveal()})
            else:
                self._check_form(place, fields)
                view = await pages.opened(self._services, place.name, place.key)
            _check_framing(place, view)
        except MandateError as error:
            return _refused(place, error)
        return _screen(place, view, fields.get("to") or None)

    async def frame_submitted(self, request: Request) -> Response:
        """Consent comes from a window of its own, which becomes a hosted page; a key comes from the frame itself."""
        place: views.Place | None = None
        try:
            fields = await _form_of(request)
            place = self._framed(fields)
            self._check_form(place, fields)
            view = await pages.opened(self._services, place.name, place.key)
            _check_framing(place, view)
        except MandateError as error:
            return _refused(place, error)
        if fields.get("how") == "oauth":
            place = views.Place(place.name, place.key, place.form_token)
            answer = await self._connect(place, view, request.path_params["slug"], fields)
            self._give(answer, place.name, place.key)
            return answer
        return await self._connect(place, view, request.path_params["slug"], fields)

    async def state(self, request: Request) -> Response:
        """For the script in a frame: whether the other window has come to an end."""
        headers = page_headers()
        try:
            fields = await _form_of(request)
            place = self._framed(fields)
            self._check_form(place, fields)
            view = await pages.opened(self._services, place.name, place.key)
        except DependencyDown:
            return JSONResponse({"state": "unknown"}, 503, headers)
        except MandateError:
            return JSONResponse({"state": "ended"}, 404, headers)
        is_failed = view.session is not None and view.session.status is not SessionStatus.OPEN
        state = "connected" if view.connection else "failed" if is_failed or not view.is_open else "open"
        return JSONResponse({"state": state}, headers=headers)

    def _framed(self, fields: Fields) -> views.Place:
        """Raises InvalidInput unless the origin is one that the operator lists."""
        origin, key = fields.get("origin", ""), fields.get("key", "")
        if not is_origin(origin) or origin not in self._services.deployment.allowed_origins:
            raise InvalidInput("This page may not be shown here.")
        return views.Place(fields.get("page", ""), key, pages.form_token(self._services, key), origin)

    # ------------------------------------------------------------------------------------------- both

    def _check_form(self, place: views.Place, fields: Fields) -> None:
        if not pages.is_own_form(self._services, place.key, fields.get("form", "")):
            raise InvalidInput("This form is not from here, or your browser keeps no cookies. Open the link once more.")

    async def _connect(self, place: views.Place, view: Page, slug: str, fields: Fields) -> Response:
        chosen = view.offers.get(slug)
        if views.is_over(view) or chosen is None:
            return _screen(place, view, slug)
        try:
            if fields.get("how") == "oauth":
                return views.leaving(place, chosen, await pages.leave_for(self._services, view, place.key, slug))
            typed = {
                name.removeprefix(views.KEY_FIELD): text.strip()
                for name, text in fields.items()
                if name.startswith(views.KEY_FIELD) and text.strip()
            }
            return await self._by_key(place, view, chosen, typed)
        except MandateError as error:
            return _refused(place, error)

    async def _by_key(self, place: views.Place, view: Page, chosen: Offer, typed: Fields) -> Response:
        integration = chosen.integration
        kept = {name: text for name, text in typed.items() if not views.is_secret(integration, name)}
        try:
            await pages.connect_by_key(self._services, view, place.key, integration.slug, typed)
        except InvalidParameters as error:
            return views.offer(place, view, chosen, views.Typed(kept, error.violations))
        except Refusal as error:
            return views.offer(place, view, chosen, views.Typed(kept, problem=error.message))
        if place.framed_by is None:
            return RedirectResponse(f"/connect/at/{place.name}", status_code=303, headers=page_headers())
        return views.ended(place, await pages.opened(self._services, place.name, place.key))


def _screen(place: views.Place, view: Page, slug: str | None) -> Response:
    """Where the person is: at the end, at one service, or before the choice."""
    if views.is_over(view):
        return views.ended(place, view)
    if slug is None and view.session is not None and view.session.status is not SessionStatus.OPEN:
        return views.ended(place, view)
    if slug is None and len(view.offers) == 1:
        slug = next(iter(view.offers))
    if slug is None:
        return views.choices(place, view)
    chosen = view.offers.get(slug)
    if chosen is None:
        return views.message(place, "This cannot be connected here", "Go back and choose another service.", 404, view)
    return views.offer(place, view, chosen)


def _check_framing(place: views.Place, view: Page) -> None:
    """Raises NotFound unless whoever made the token lets this origin's pages show it."""
    if place.framed_by not in view.token.allowed_origins:
        raise NotFound("This page may not be shown here.")


async def _form_of(request: Request) -> Fields:
    """What a form of ours sent. Raises InvalidInput for anything else, and for what another site's page sent."""
    headers = request.headers
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise InvalidInput("This form was sent from another page.")
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("host"):
        raise InvalidInput("This form was sent from another page.")
    body = await bounded_body(request.receive)
    if body is None or headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise InvalidInput("This is not a form of ours, or far too much was typed.")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise InvalidInput("This is not a form of ours.") from None
    if len({name for name, _ in pairs}) != len(pairs):
        raise InvalidInput("This form names a field twice.")
    return dict(pairs)


def _refused(place: views.Place | None, error: MandateError) -> Response:
    if isinstance(error, DependencyDown):
        return views.message(place, "Not now", "Mandate cannot reach its database. Try again in a moment.", 503)
    words = error.message if error.is_for_callers else "Mandate is not set up for this. Ask whoever runs it."
    return views.message(place, "That did not work", words, 404 if isinstance(error, NotFound) else 400)


def _file(name: str) -> FileResponse:
    return FileResponse(static_dir() / "connect" / name, headers=_FILE_HEADERS)

"""Where people sign in and out by browser: `/login`, `/login/callback`, `/logout`.

Pages of ours, without a script. Nothing a provider says is shown; where a person goes afterwards is an address of ours.
"""

import hmac
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from domain.callers import Caller
from domain.errors import DependencyDown, MandateError, Misconfigured, Unauthenticated
from domain.secrets import Secret
from gateway.browsers import Browsers, Departure
from gateway.doors.authentication import is_local
from gateway.doors.markup import Content, mark, page, page_headers, tag
from gateway.wiring import Gateway

_HOME: Final = "/login"
_LONGEST_PARAMETER: Final = 4_096
_LINK_USED: Final = "This link was used already, or is too old. The terminal where Mandate was started has a new one."
_STARTED_ELSEWHERE: Final = "This sign-in was not begun in this browser, or too long ago. Start again."
_DECLINED: Final = "The identity provider did not sign you in. Start again, or ask whoever runs it."
_NOT_SET_UP: Final = "Signing in by browser is not set up here. Whoever runs Mandate sets MANDATE_OIDC_CLIENT_ID."
_IN_DEVELOPMENT: Final = "The terminal where Mandate was started shows a link that signs you in, once."
_TOO_LONG: Final = (
    "The identity provider's token is longer than a browser can keep. Ask whoever runs it for fewer claims."
)


def routes(gateway: Gateway) -> list[Route]:
    """All three."""
    door = SigningIn(gateway)
    return [
        Route("/login", door.login),
        Route("/login/callback", door.callback),
        Route("/logout", door.logout, methods=["GET", "POST"]),
    ]


class SigningIn:
    """One for a gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    @property
    def _browsers(self) -> Browsers:
        return self._gateway.browsers

    async def login(self, request: Request) -> Response:
        """On to the provider; in development by a link; or a word about who is signed in."""
        back = _own_address(request.query_params.get("return", ""))
        if "once" in request.query_params:
            return await self._by_link(request, request.query_params["once"], back)
        caller = await self._known(request)
        if caller is not None:
            is_asked = "return" in request.query_params
            return _go(back) if is_asked else _signed_in(caller)
        if self._browsers.sign_in is None:
            return _trouble("Not signed in", _IN_DEVELOPMENT if self._browsers.links else _NOT_SET_UP, 404)
        try:
            departed = await self._browsers.sign_in.depart()
        except MandateError as error:
            return _refused(error)
        answer = _go(departed.url)
        self._browsers.remember(answer, departed, back)
        return answer

    async def callback(self, request: Request) -> Response:
        """Back from the provider: same browser, same state, once."""
        begun = self._browsers.remembered(request)
        answer = await self._arrived(request, begun)
        self._browsers.remembered(request, answer)  # whatever came of it, this one is over
        return answer

    async def logout(self, request: Request) -> Response:
        """Asked first: another page can send a person here, but cannot press the button."""
        is_ours = request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
        origin = request.headers.get("origin")
        is_ours = is_ours and (origin is None or urlsplit(origin).netloc == request.headers.get("host"))
        if request.method != "POST" or not is_ours:
            return page("Sign out?", tag("h1", "Sign out?"), _sign_out_button())
        try:
            elsewhere = await self._browsers.sign_in.way_out() if self._browsers.sign_in else None
        except MandateError:
            elsewhere = None
        words = "You are signed out of Mandate in this browser."
        further = (
            tag("a", "Sign out of the identity provider too", href=elsewhere, class_="button") if elsewhere else None
        )
        again = tag("a", "Sign in again", href="/login", class_="button first")
        answer = page(
            "Signed out", mark("good"), tag("h1", "Signed out"), tag("p", words),
            tag("div", again, further, class_="actions"),
        )  # fmt: skip
        self._browsers.part(answer)
        return answer

    async def _by_link(self, request: Request, code: str, back: str) -> Response:
        links = self._browsers.links
        token = links.take(code) if links else None
        if token is None:
            return _trouble("That did not work", _LINK_USED, 404)
        return await self._welcome(request, token, back)

    async def _arrived(self, request: Request, begun: Departure | None) -> Response:
        sign_in, query = self._browsers.sign_in, request.query_params
        said = {name: query.getlist(name) for name in ("state", "code", "error", "iss")}
        if any(len(values) > 1 or len("".join(values)) > _LONGEST_PARAMETER for values in said.values()):
            return _trouble("That did not work", "This address is not whole. Start again.", 400)
        state, code = query.get("state", ""), query.get("code", "")
        if sign_in is None or begun is None or not hmac.compare_digest(begun.state.encode(), state.encode()):
            return _trouble("That did not work", _STARTED_ELSEWHERE, 400)
        if "error" in query or not code:
            return _trouble("Not signed in", _DECLINED, 400)
        try:
            token = await sign_in.arrive(code, query.get("iss"), begun.verifier)
        except MandateError as error:
            return _refused(error)
        return await self._welcome(request, token, begun.back)

    async def _welcome(self, request: Request, token: Secret, back: str) -> Response:
        """The token is one that every door takes, or it is not taken here either."""
        try:
            caller = await self._caller(request, token)
        except MandateError as error:
            return _refused(error)
        answer = _go(back)
        if not self._browsers.welcome(answer, token, caller):
            return _trouble("Not signed in", _TOO_LONG, 400)
        return answer

    async def _known(self, request: Request) -> Caller | None:
        token = self._browsers.token(request)
        try:
            return await self._caller(request, token) if token else None
        except Unauthenticated:
            return None

    async def _caller(self, request: Request, token: Secret) -> Caller:
        authorization = f"Bearer {token.reveal()}"
        return await self._gateway.authenticator.authenticate(authorization, is_local=is_local(request))


def _own_address(text: str) -> str:
    """A path of ours; anything that a browser could take for another site is none."""
    parts = text.startswith("/") and not text.startswith("//") and text.isascii() and text.isprintable()
    is_path = parts and not {"\\", " ", "@"} & set(text) and len(text) <= 2_000
    return text if is_path else _HOME


def _go(address: str) -> Response:
    return RedirectResponse(address, status_code=303, headers=page_headers())


def _signed_in(caller: Caller) -> Response:
    facts: list[Content] = []
    for name, value in (
        ("You are", caller.subject),
        ("Tenant", caller.tenant),
        ("Role", ", ".join(sorted(caller.roles))),
    ):
        facts += [tag("dt", name), tag("dd", value)]
    return page("Signed in", mark("good"), tag("h1", "Signed in"), tag("dl", *facts), _sign_out_button())


def _sign_out_button() -> Content:
    return tag(
        "form", tag("p", tag("button", "Sign out", class_="button"), class_="actions"), method="post", action="/logout"
    )


def _trouble(title: str, words: str, status: int) -> Response:
    again = tag("p", tag("a", "Start again", href="/login", class_="button first"), class_="actions")
    return page(title, mark("bad"), tag("h1", title), tag("p", words), again if status == 400 else None, status=status)


def _refused(error: MandateError) -> Response:
    if isinstance(error, DependencyDown):
        return _trouble("Not now", error.message, 503)
    if isinstance(error, Misconfigured):
        return _trouble("Not signed in", "Signing in is not set up correctly. Ask whoever runs Mandate.", 500)
    return _trouble("Not signed in", error.message, 400)

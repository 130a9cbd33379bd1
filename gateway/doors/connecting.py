"""Where a person's browser passes on its way to a service and back: `/oauth/start/…` and `/oauth/callback`."""

import html
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from domain.errors import DependencyDown, MandateError
from gateway.wiring import Gateway
from resolvers.connecting import Arrival, Callback, complete, depart

_COOKIE: Final = "mandate_connect"
_COOKIE_SECONDS: Final = 1_800
_LONGEST_PARAMETER: Final = 4_096

_CSP: Final = "default-src 'none'; style-src 'self' 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
_HEADERS: Final = {
    "content-security-policy": _CSP,
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0; font: 16px/24px system-ui, sans-serif; background: light-dark(#fff, #0f1218);
  color: light-dark(#171a21, #e8ebf0); }}
main {{ max-width: 32rem; margin: 20vh auto 0; padding: 0 24px; }}
h1 {{ font-size: 20px; line-height: 28px; margin: 0 0 8px; }}
p {{ margin: 0 0 8px; }}
.muted {{ color: light-dark(#555e6d, #a3acba); }}
</style>
</head>
<body><main><h1>{title}</h1><p>{message}</p><p class="muted">{advice}</p></main></body>
</html>
"""


def routes(gateway: Gateway) -> list[Route]:
    """Both addresses."""

    async def start(request: Request) -> Response:
        """Bind this browser, then on to the service."""
        try:
            departure = await depart(gateway.services, request.path_params["link"])
        except MandateError as error:
            return _refused(error)
        response = RedirectResponse(departure.url, status_code=303, headers=_HEADERS)
        response.set_cookie(
            _COOKIE,
            departure.browser.reveal(),
            max_age=_COOKIE_SECONDS,
            path="/oauth",
            httponly=True,
            samesite="lax",
            secure=gateway.services.deployment.public_url.startswith("https:"),
        )
        return response

    async def callback(request: Request) -> Response:
        """Same browser, same state, once."""
        found = _parameters(request)
        if found is None:
            return _page(400, "That did not work", "This address is not whole. Start connecting again.")
        try:
            arrival = await complete(gateway.services, found)
        except MandateError as error:
            return _refused(error)
        response = _arrived(arrival)
        response.delete_cookie(_COOKIE, path="/oauth")
        return response

    return [Route("/oauth/start/{link}", start), Route("/oauth/callback", callback)]


def _parameters(request: Request) -> Callback | None:
    """What came back; None when a parameter stands there twice or is enormous (RFC 6749, section 3.1)."""
    query = request.query_params
    for name in ("state", "code", "error"):
        values = query.getlist(name)
        if len(values) > 1 or any(len(value) > _LONGEST_PARAMETER for value in values):
            return None
    return Callback(
        state=query.get("state"),
        code=query.get("code"),
        error=query.get("error"),
        browser=request.cookies.get(_COOKIE),
    )


def _arrived(arrival: Arrival) -> Response:
    if arrival.redirect_to is not None:
        return RedirectResponse(arrival.redirect_to, status_code=303, headers=_HEADERS)
    if arrival.is_connected:
        return _page(200, "Connected", arrival.message, "You can close this page.")
    return _page(400, "Not connected", arrival.message)


def _refused(error: MandateError) -> Response:
    if isinstance(error, DependencyDown):
        return _page(503, "Not now", "Mandate cannot reach its database. Try again in a moment.")
    message = error.message if error.is_for_callers else "Mandate is not set up for this. Ask whoever runs it."
    return _page(400, "That did not work", message)


def _page(status: int, title: str, message: str, advice: str = "") -> Response:
    """Every word is escaped, ours too."""
    words = {"title": title, "message": message, "advice": advice}
    content = _PAGE.format(**{name: html.escape(text) for name, text in words.items()})
    return HTMLResponse(content, status_code=status, headers=_HEADERS)

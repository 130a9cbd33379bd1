"""Where a person's browser passes on its way to a service and back: `/oauth/start/…` and `/oauth/callback`."""

import base64
import hashlib
import html
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from domain.errors import DependencyDown, MandateError
from gateway.wiring import Gateway
from resolvers.connecting import Arrival, Callback, complete, depart

_COOKIE: Final = "mandate_connect_"
_COOKIE_SECONDS: Final = 1_800
_LONGEST_PARAMETER: Final = 4_096
_CLOSE: Final = "You can close this page."

_STYLE: Final = """
:root { color-scheme: light dark; }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; padding: 24px 16px; display: grid; place-items: center;
  font: 16px/24px system-ui, sans-serif; color: light-dark(#171a21, #e8ebf0);
  background: light-dark(#f4f5f8, #0f1218); }
main { width: 100%; max-width: 28rem; padding: 32px 24px; text-align: center; overflow-wrap: anywhere;
  background: light-dark(#fff, #181d26); border: 1px solid light-dark(#d9dde4, #303846); border-radius: 12px; }
svg { width: 48px; height: 48px; fill: none; stroke: currentcolor; stroke-width: 2;
  stroke-linecap: round; stroke-linejoin: round; }
.good { color: light-dark(#1a7f4b, #6fd3a0); }
.bad { color: light-dark(#a15c00, #f0b35e); }
h1 { font-size: 22px; line-height: 28px; margin: 16px 0 8px; }
p { margin: 0; text-wrap: balance; }
.muted { margin-top: 12px; color: light-dark(#555e6d, #a3acba); }
.muted:empty { display: none; }
"""

_CSP: Final = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": _CSP,
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}

_MARKS: Final = {
    "good": '<circle cx="12" cy="12" r="10"/><path d="m7.5 12.5 3 3 6-6.5"/>',
    "bad": '<circle cx="12" cy="12" r="10"/><path d="M12 7v6"/><path d="M12 16.5v.01"/>',
}

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body><main>
<svg class="{outcome}" viewBox="0 0 24 24" aria-hidden="true">{mark}</svg>
<h1>{title}</h1>
<p>{message}</p>
<p class="muted">{advice}</p>
</main></body>
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
            _COOKIE + departure.name,
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
        return _arrived(arrival)

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
        browsers={
            name.removeprefix(_COOKIE): text for name, text in request.cookies.items() if name.startswith(_COOKIE)
        },
    )


def _arrived(arrival: Arrival) -> Response:
    if arrival.redirect_to is not None:
        return RedirectResponse(arrival.redirect_to, status_code=303, headers=_HEADERS)
    if arrival.is_connected:
        return _page(200, "Connected", arrival.message, _CLOSE)
    return _page(400, "Not connected", arrival.message, _CLOSE)


def _refused(error: MandateError) -> Response:
    if isinstance(error, DependencyDown):
        return _page(503, "Not now", "Mandate cannot reach its database. Try again in a moment.")
    message = error.message if error.is_for_callers else "Mandate is not set up for this. Ask whoever runs it."
    return _page(400, "That did not work", message)


def _page(status: int, title: str, message: str, advice: str = "") -> Response:
    """Every word is escaped, ours too."""
    words = {"title": title, "message": message, "advice": advice}
    outcome = "good" if status < 400 else "bad"
    content = _PAGE.format(
        **{name: html.escape(text) for name, text in words.items()},
        outcome=outcome,
        mark=_MARKS[outcome],
        style=_STYLE,
    )
    return HTMLResponse(content, status_code=status, headers=_HEADERS)

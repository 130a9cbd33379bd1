"""A browser, as far as the journey needs one: it follows links, keeps cookies, reads a form and presses its button.

The standard library's own client in a thread: what is shown is what any program could do.
"""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from typing import cast
from urllib.parse import urlencode, urljoin

from domain.json import Json

_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Shown:
    """A page that a browser ended up on."""

    url: str
    status: int
    text: str


@dataclass(slots=True)
class Form:
    """A form's address and what it would send: pairs, for several checked boxes may have one name."""

    action: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)


class Browser:
    """One person's browser."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
        )

    async def open(self, url: str) -> Shown:
        """Follow a link."""
        return await self._load(urllib.request.Request(url))  # noqa: S310  # an address the gateway gave us

    async def press(self, page: Shown, **button: str) -> Shown:
        """Send the page's form with this button."""
        form = _FormReader.read(page.text)
        kept = [(name, value) for name, value in form.fields if name not in button]
        data = urlencode([*kept, *button.items()]).encode()
        return await self._load(urllib.request.Request(urljoin(page.url, form.action), data))  # noqa: S310

    async def _load(self, request: urllib.request.Request) -> Shown:
        return await asyncio.to_thread(self._load_now, request)

    def _load_now(self, request: urllib.request.Request) -> Shown:
        try:
            with self._opener.open(request, timeout=_SECONDS) as answer:
                return Shown(answer.url, answer.status, answer.read().decode())
        except urllib.error.HTTPError as answer:
            return Shown(answer.url or request.full_url, answer.code, answer.read().decode(errors="replace"))


async def post_json(url: str, headers: Mapping[str, str], body: Json) -> Json:
    """POST JSON and read JSON, whatever the status."""
    request = urllib.request.Request(  # noqa: S310  # the gateway's own address
        url, json.dumps(body).encode(), {"content-type": "application/json", **headers}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def send() -> Json:
        try:
            with opener.open(request, timeout=_SECONDS) as answer:
                return cast(Json, json.load(answer))
        except urllib.error.HTTPError as refused:
            return cast(Json, json.load(refused))

    return await asyncio.to_thread(send)


class _FormReader(HTMLParser):
    """Reads the first form of a page: hidden fields, and the choices that are checked."""

    def __init__(self) -> None:
        super().__init__()
        self.form: Form | None = None
        self._is_inside = False

    @classmethod
    def read(cls, text: str) -> Form:
        """An empty form when the page has none."""
        reader = cls()
        reader.feed(text)
        return reader.form or Form()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect what a browser would send."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and self.form is None:
            self.form, self._is_inside = Form(given.get("action", "")), True
        elif tag == "input" and self._is_inside and self.form is not None and given.get("name"):
            is_choice = given.get("type") in ("radio", "checkbox")
            if not is_choice or "checked" in given:
                self.form.fields.append((given["name"], given.get("value", "on")))

    def handle_endtag(self, tag: str) -> None:
        """A form ends."""
        if tag == "form":
            self._is_inside = False

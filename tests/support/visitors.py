"""A person's browser at our pages, for tests: keeps cookies, sends a page's forms, stops at every redirect."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from html import unescape
from urllib.parse import urljoin

import httpx2

_FORM = re.compile(r"<form[^>]*>.*?</form>", re.DOTALL)
_ACTION = re.compile(r'<form[^>]* action="([^"]*)"')
_INPUT = re.compile(r"<(?:input|button)[^>]*>")
_ATTRIBUTE = re.compile(r'(\w[\w-]*)="([^"]*)"')


@dataclass(frozen=True)
class Form:
    """A form of a page, as it would be sent untouched."""

    action: str
    fields: Mapping[str, str | list[str]]


class Visitor:
    """`at` is the page last shown."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http
        self.at: httpx2.Response | None = None

    @property
    def text(self) -> str:
        """What the page says, markup and all."""
        assert self.at is not None
        return self.at.text

    async def open(self, url: str) -> httpx2.Response:
        """Follow a link, and redirects as long as they stay with us."""
        answer = await self.http.get(url)
        while answer.has_redirect_location and _origin(str(answer.url)) == _origin(
            urljoin(str(answer.url), answer.headers["location"])
        ):
            answer = await self.http.get(urljoin(str(answer.url), answer.headers["location"]))
        self.at = answer
        return answer

    def form(self, holding: str = "") -> Form:
        """The first form of the page that has this in it."""
        for text in _FORM.findall(self.text):
            if holding in text:
                action = _ACTION.search(text)
                return Form(unescape(action[1]) if action else "", _fields(text))
        raise AssertionError(f"no form with {holding!r} in {self.text}")

    async def send(self, form: Form, headers: Mapping[str, str] | None = None, **typed: str) -> httpx2.Response:
        """Send it; redirects within our own pages are followed."""
        assert self.at is not None
        data = {**form.fields, **{name.replace("__", "."): value for name, value in typed.items()}}
        answer = await self.http.post(urljoin(str(self.at.url), form.action), data=data, headers=dict(headers or {}))
        if answer.has_redirect_location:
            return await self.open(urljoin(str(answer.url), answer.headers["location"]))
        self.at = answer
        return answer

    async def consent(self, decision: str = "authorize") -> httpx2.Response:
        """From the page that leads to the simulated service, over its consent, and back with us."""
        assert self.at is not None
        _, _, address = self.at.headers["refresh"].partition("url=")
        await self.open(address)
        form = self.form("decision") if "decision" in self.text else self.form()
        return await self.send(Form(form.action, {**form.fields, "decision": decision}))


@asynccontextmanager
async def visitor() -> AsyncIterator[Visitor]:
    """A browser of its own."""
    async with httpx2.AsyncClient(trust_env=False, timeout=20) as http:
        yield Visitor(http)


def _fields(text: str) -> dict[str, str | list[str]]:
    """What a browser would send: of choices, those that are checked."""
    every: dict[str, list[str]] = {}
    for each in _INPUT.findall(text):
        given = dict(_ATTRIBUTE.findall(each))
        is_choice = given.get("type") in ("radio", "checkbox")
        if "name" in given and (not is_choice or " checked" in each):
            every.setdefault(given["name"], []).append(unescape(given.get("value", "on")))
    return {name: values[0] if len(values) == 1 else values for name, values in every.items()}


def _origin(url: str) -> str:
    return "/".join(url.split("/")[:3])

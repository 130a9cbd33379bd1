"""Presses the button on a consent page, as a person in a browser would."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx2


class ConsentRefused(Exception):
    """The service showed no consent page, or none with a button for that user."""


async def consent(authorize_url: str, user: str) -> str:
    """Open emulate's consent page, choose the user by login name, return the address it redirects to.

    The redirect is not followed: the address carries `code` and `state` for the client's callback.

    Raises:
        ConsentRefused: the page was an error page (unknown client, redirect address not registered), or the
            user is not on it.
    """
    async with httpx2.AsyncClient() as browser:
        page = await browser.get(authorize_url)
        form = _form_for(user, page)
        answer = await browser.post(urljoin(authorize_url, form.action), data=form.fields)
    if not answer.has_redirect_location:
        raise ConsentRefused(f"the consent form answered {answer.status_code} without a redirect")
    return answer.headers["location"]


async def consent_in_browser(url: str, user: str) -> httpx2.Response:
    """As `consent`, but as a browser that keeps cookies and follows every redirect; returns the page it ends on.

    Raises:
        ConsentRefused: no page with a button for that user came up.
    """
    async with httpx2.AsyncClient(follow_redirects=True, trust_env=False) as browser:
        page = await browser.get(url)
        form = _form_for(user, page)
        return await browser.post(page.url.join(form.action), data=form.fields)


@dataclass
class _Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    user: str = ""


class _ConsentPage(HTMLParser):
    """Collects the forms of a page: one for each user, named in an element of class `user-login`."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[_Form] = []
        self._in_user = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(_Form(given["action"]))
        elif tag == "input" and given.get("type") == "hidden":
            self.forms[-1].fields[given["name"]] = given["value"]
        self._in_user = given.get("class") == "user-login"

    def handle_endtag(self, tag: str) -> None:
        self._in_user = False

    def handle_data(self, data: str) -> None:
        if self._in_user:
            self.forms[-1].user += data


def _form_for(user: str, page: httpx2.Response) -> _Form:
    reader = _ConsentPage()
    reader.feed(page.text)
    for form in reader.forms:
        if form.user == user:
            return form
    offered = ", ".join(form.user for form in reader.forms) or "nobody"
    raise ConsentRefused(f"the consent page (status {page.status_code}) has no button for {user}; it offers {offered}")

"""The consent half: an authorization request is checked, a person decides, and goes back with a code.

Sources: RFC 6749 section 4.1, PKCE from RFC 7636 (S256 only), matching of return addresses as RFC 9700
section 2.1 wants it, or below the registered path as GitHub has it. What cannot be trusted is never sent back
to any address: the person sees a page that says why.
"""

import secrets
from collections.abc import Callable, Mapping
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from adapters._kit.sandbox import Consent, consent_page, problem_page, read_form
from adapters._kit.sandbox_oauth_state import Code, OAuthClient, OAuthFacts, OAuthState, TokenKind, Wish


class _Unusable(Exception):
    """A request that must not be sent back to any address."""

    def __init__(self, status: int, title: str, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.title = title
        self.words = words


class _SentBack(Exception):
    """A request that is refused at the application's own address (RFC 6749 section 4.1.2.1)."""

    def __init__(self, wish: Wish, error: str, description: str) -> None:
        super().__init__(error)
        self.answer = back(wish, error=error, error_description=description)


def back(wish: Wish, **answer: str) -> Response:
    """To the application, with the answer and its state."""
    parts = urlsplit(wish.redirect_uri)
    given = {name: value for name, value in {**answer, "state": wish.state}.items() if value}
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *given.items()])
    return RedirectResponse(parts._replace(query=query).geturl(), status_code=302)


def normal_scopes(facts: OAuthFacts, asked: str) -> list[str]:
    """Known scopes, sorted; those inside a wider one are left out where the service folds them."""
    known = {scope for scope in asked.replace(",", " ").split() if scope in facts.scopes}
    covered = set().union(*(facts.contains.get(scope, set()) for scope in known)) if facts.folds else set()
    return sorted((known - covered) | set(facts.ever))


class ConsentDesk:
    """Asks people. `performed` is told about each decision that left a code."""

    def __init__(
        self, facts: OAuthFacts, state: OAuthState, now: Callable[[], float], performed: Callable[[str], None]
    ) -> None:
        self._facts = facts
        self._state = state
        self._now = now
        self._performed = performed

    def route(self) -> Route:
        """The page and the form that it posts to itself."""
        return Route(self._facts.authorize, self._authorize, methods=["GET", "POST"])

    async def _authorize(self, request: Request) -> Response:
        try:
            if request.method == "GET":
                return self._ask({**request.query_params, **_path_of(request)})
            form = await _form_of(request)
            return self._hear({**form, **{name: [value] for name, value in _path_of(request).items()}})
        except _Unusable as unusable:
            return problem_page(self._facts.service, unusable.status, unusable.title, unusable.words)
        except _SentBack as refused:
            return refused.answer

    def _check(self, told: Mapping[str, str]) -> Wish:
        fields = self._facts.read(told)
        client = self._state.client(fields.get("client_id", ""))
        if client is None:
            raise _Unusable(404, "No such application", "The client_id is not known to this sandbox.")
        redirect_uri = fields.get("redirect_uri") or next(iter(client.redirect_uris), "")
        if not _may_return_to(client, redirect_uri, exactly=self._facts.redirects == "exact"):
            words = "The redirect_uri is not registered for this application, so nobody is sent there."
            raise _Unusable(400, "The return address does not match", words)
        challenge = fields.get("code_challenge") or None
        if challenge and self._facts.pkce != "off" and fields.get("code_challenge_method") != "S256":
            raise _Unusable(400, "PKCE method not supported", "The code_challenge_method must be S256.")
        scopes = {kind.name: normal_scopes(self._facts, fields.get(kind.parameter, "")) for kind in self._facts.kinds}
        wish = Wish(client, redirect_uri, scopes, fields.get("state", ""), challenge, dict(told))
        self._look_closer(wish, fields)
        return wish

    def _look_closer(self, wish: Wish, fields: Mapping[str, str]) -> None:
        if fields.get("response_type", "code") != "code":
            raise _SentBack(wish, "unsupported_response_type", "The response_type must be code.")
        if self._facts.pkce == "required" and wish.challenge is None:
            raise _SentBack(wish, "invalid_request", "A code_challenge is required.")
        unknown = [
            scope
            for kind in self._facts.kinds
            for scope in fields.get(kind.parameter, "").replace(",", " ").split()
            if scope not in self._facts.scopes or scope in kind.never
        ]
        if unknown and self._facts.unknown_scopes == "refused":
            raise _SentBack(wish, "invalid_scope", f"Unknown scope: {unknown[0][:100]}")

    def _ask(self, fields: Mapping[str, str]) -> Response:
        wish = self._check(fields)
        scopes = [
            (_tick(kind, scope, first=position == 0), self._facts.scopes[scope])
            for position, kind in enumerate(self._facts.kinds)
            for scope in wish.scopes[kind.name]
        ]
        people = [one for one in self._facts.accounts() if one != ("", "")]
        consent = Consent(
            self._facts.service, wish.client.name, wish.redirect_uri, scopes, people, hidden=_carried(fields)
        )
        return consent_page(consent)

    def _hear(self, form: Mapping[str, list[str]]) -> Response:
        fields = {name: values[0] for name, values in form.items() if name not in _DECIDED}
        wish = self._check(fields)
        if form.get("decision") != ["authorize"]:
            return back(wish, error="access_denied", error_description="The user has denied your application access.")
        account = self._chosen(form.get("account", [""])[0])
        code = self.code_for(wish, account, _ticked(self._facts, wish, form))
        self._performed(f"POST {self._facts.authorize}")
        return back(wish, **{"code": code, **self._facts.returns(wish, account)})

    def code_for(self, wish: Wish, account: str, scopes: Mapping[str, list[str]]) -> str:
        """A code for what was granted, good once and for `code_seconds`."""
        state, now = self._state, self._now()
        code = Code(
            client_id=wish.client.client_id,
            redirect_uri=wish.redirect_uri,
            authorization=state.authorization(wish.client.client_id, account).id,
            scopes=dict(scopes),
            challenge=wish.challenge if self._facts.pkce != "off" else None,
            expires_at=now + self._facts.code_seconds,
            refreshable=self._facts.offers_refresh(wish),
            asked=dict(wish.asked),
        )
        text = secrets.token_hex(10)
        state.codes = {old: kept for old, kept in state.codes.items() if kept.expires_at > now}
        state.codes[text] = code
        return text

    def _chosen(self, given: str) -> str:
        known = [account for account, _ in self._facts.accounts()]
        found = next((account for account in known if account.lower() == given.lower()), None)
        if found is None and not given and len(known) == 1:
            found = known[0]
        if found is None:
            raise _Unusable(422, "Nobody chosen", "Choose one of the accounts on the page before.")
        return found


#: What a person decides; everything else of the form is the application's request, carried along.
_DECIDED = ("decision", "account", "choosing", "grant")


def _carried(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if name not in _DECIDED}


def _tick(kind: TokenKind, scope: str, *, first: bool) -> str:
    """The value of a scope's box: two kinds of token may ask for the same scope."""
    return scope if first else f"{kind.parameter}={scope}"


def _ticked(facts: OAuthFacts, wish: Wish, form: Mapping[str, list[str]]) -> dict[str, list[str]]:
    granted = form.get("grant", [])
    return {
        kind.name: [
            scope
            for scope in wish.scopes[kind.name]
            if "choosing" not in form or scope in facts.ever or _tick(kind, scope, first=position == 0) in granted
        ]
        for position, kind in enumerate(facts.kinds)
    }


def _path_of(request: Request) -> dict[str, str]:
    return {name: str(value) for name, value in request.path_params.items()}


async def _form_of(request: Request) -> dict[str, list[str]]:
    try:
        return await read_form(request)
    except ValueError:
        raise _Unusable(413, "Too large", "The form is larger than it can be.") from None


def _may_return_to(client: OAuthClient, redirect_uri: str, *, exactly: bool) -> bool:
    """Registered: the same address, or below it. Loopback: any, when the client allows it."""
    try:
        parts = urlsplit(redirect_uri)
    except ValueError:
        return False
    is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    if not is_web or parts.fragment or parts.username is not None:
        return False
    if client.any_loopback and parts.hostname in ("127.0.0.1", "::1", "localhost"):
        return True
    if exactly:
        return redirect_uri in client.redirect_uris
    return any(_is_below(urlsplit(registered), parts) for registered in client.redirect_uris)


def _is_below(registered: SplitResult, given: SplitResult) -> bool:
    if (registered.scheme, registered.netloc) != (given.scheme, given.netloc) or ".." in given.path:
        return False
    return given.path == registered.path or given.path.startswith(registered.path.rstrip("/") + "/")

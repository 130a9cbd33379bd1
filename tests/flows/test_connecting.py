"""Connecting by OAuth, and all that can go wrong on the way: each has its sentence, and leaves nothing behind."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from domain.json import Json
from gateway.browsing import Browser
from tests.flows.ageing import Ageing
from tests.support.gateways import CONNECT, SESSION, Client, RunningGateway, connected, running_gateway
from tests.support.servers import new_database

LINK_EXPIRED = "This link is no longer valid"
OTHER_BROWSER = "opened in another browser"
DENIED = "You did not allow the connection, so nothing was connected."


@pytest.fixture
def owner(gateway: RunningGateway) -> Client:
    return gateway.client()


async def _begin(owner: Client, **more: Json) -> Any:
    """An open session."""
    wish: Json = {"integration": "github", "actions": ["github.create_issue"], **more}
    begun = (await owner.ask(CONNECT, {"input": wish}))["connect"]
    assert begun["errors"] == [], begun
    return begun["session"]


async def _ended(owner: Client, session: Any) -> Any:
    return (await owner.ask(SESSION, {"id": session["id"]}))["node"]


class Person:
    """A browser that stops at every redirect, so that a test can look at it, or hand it to somebody else."""

    def __init__(self) -> None:
        self.http = httpx2.AsyncClient(trust_env=False)

    async def depart(self, session: Any) -> str:
        """Follow the session's link; the address of the service's page."""
        answer = await self.http.get(session["authorizationUrl"])
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    async def decide(self, page: str, decision: str = "authorize", account: str = "lin-harbour") -> str:
        """Press a button there; the address that the service sends the browser to."""
        fields = {name: values[0] for name, values in parse_qs(urlsplit(page).query).items()}
        answer = await self.http.post(page, data={**fields, "decision": decision, "account": account})
        assert answer.status_code == 302, answer.text
        return str(answer.headers["location"])

    async def open(self, url: str) -> httpx2.Response:
        """Follow a link, but no redirect."""
        return await self.http.get(url)


@pytest.fixture
async def person() -> Any:
    someone = Person()
    yield someone
    await someone.http.aclose()


@pytest.fixture
async def stranger() -> Any:
    someone = Person()
    yield someone
    await someone.http.aclose()


async def _nothing_connected(owner: Client) -> None:
    assert (await owner.ask("{ connections { totalCount } }"))["connections"]["totalCount"] == 0


# ----------------------------------------------------------------------------------------------- the service


async def test_denied_consent_connects_nothing_and_says_so(owner: Client, person: Person) -> None:
    session = await _begin(owner)
    answer = await person.open(await person.decide(await person.depart(session), "deny"))
    assert (answer.status_code, DENIED in answer.text) == (400, True)
    ended = await _ended(owner, session)
    assert (ended["status"], ended["error"], ended["connection"]) == ("FAILED", DENIED, None)
    await _nothing_connected(owner)


@pytest.mark.parametrize(
    ("fault", "match"),
    [
        ("500", "POST /login/oauth/access_token"),
        ("garbage", "POST /login/oauth/access_token"),
        ("huge", "POST /login/oauth/access_token"),
        ("reset", "POST /login/oauth/access_token"),
        ("lost_answer", "POST /login/oauth/access_token"),
        ("401", "POST /login/oauth/access_token"),
        ("500", "GET /user"),
        ("401", "GET /user"),
        ("garbage", "GET /user"),
        ("reset", "GET /user"),
    ],
)
async def test_a_service_in_trouble_leaves_nothing_half_connected(
    gateway: RunningGateway, owner: Client, person: Person, fault: str, match: str
) -> None:
    session = await _begin(owner)
    back = await person.decide(await person.depart(session))
    await gateway.misbehave(fault, match, megabytes=12)
    answer = await person.open(back)
    assert answer.status_code == 400
    assert "Not connected" in answer.text
    ended = await _ended(owner, session)
    assert (ended["status"], ended["connection"]) == ("FAILED", None)
    assert "GitHub" in ended["error"]
    await _nothing_connected(owner)


async def test_a_code_that_the_service_does_not_know_is_refused(owner: Client, person: Person) -> None:
    session = await _begin(owner)
    state = parse_qs(urlsplit(await person.depart(session)).query)["state"][0]
    answer = await person.open(f"{owner.url}/oauth/callback?state={state}&code=forged")
    assert answer.status_code == 400
    assert (await _ended(owner, session))["status"] == "FAILED"
    await _nothing_connected(owner)


async def test_less_permission_than_asked_for_is_kept_as_granted(owner: Client, person: Person) -> None:
    session = await _begin(owner)
    page = await person.depart(session)
    fields = {name: values[0] for name, values in parse_qs(urlsplit(page).query).items()}
    choice = {**fields, "decision": "authorize", "account": "lin-harbour", "choosing": "1"}
    answer = await person.http.post(page, data=choice)
    await person.open(str(answer.headers["location"]))
    ended = await _ended(owner, session)
    assert (ended["status"], ended["connection"]["grantedScopes"]) == ("COMPLETED", [])
    refused = await owner.execute("github.create_issue", {"owner": "a", "repo": "b", "title": "c"})
    assert refused["errors"][0]["missingScopes"] == ["repo"]


# ------------------------------------------------------------------------------------------------- the state


async def test_a_state_works_once(owner: Client, person: Person) -> None:
    session = await _begin(owner)
    back = await person.decide(await person.depart(session))
    assert (await person.open(back)).status_code == 200
    replayed = await person.open(back)
    assert (replayed.status_code, LINK_EXPIRED in replayed.text) == (400, True)
    assert (await owner.ask("{ connections { totalCount } }"))["connections"]["totalCount"] == 1
    assert (await _ended(owner, session))["status"] == "COMPLETED"


async def test_a_state_used_by_many_at_once_connects_once(owner: Client, person: Person) -> None:
    session = await _begin(owner)
    back = await person.decide(await person.depart(session))
    answers = await asyncio.gather(*(person.open(back) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert (await _ended(owner, session))["status"] == "COMPLETED"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "state=forged&code=x",
        "code=x",
        "state=&code=x",
        "state=%00&code=x",
        "state=" + "x" * 5000,
        "state=a&state=b&code=x",
        "error=access_denied",
        "state=%ff%fe&code=x",
    ],
)
async def test_a_forged_state_connects_nothing(gateway: RunningGateway, person: Person, query: str) -> None:
    answer = await person.open(f"{gateway.url}/oauth/callback?{query}")
    assert answer.status_code == 400
    assert "xxxx" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_another_browser_cannot_finish_and_the_right_one_still_can(
    owner: Client, person: Person, stranger: Person
) -> None:
    session = await _begin(owner)
    back = await person.decide(await person.depart(session))
    answer = await stranger.open(back)
    assert (answer.status_code, OTHER_BROWSER in answer.text) == (400, True)
    assert (await _ended(owner, session))["status"] == "OPEN"
    assert (await person.open(back)).status_code == 200


async def test_a_browser_bound_to_another_session_cannot_finish_this_one(
    gateway: RunningGateway, owner: Client, person: Person, stranger: Person
) -> None:
    session = await _begin(owner)
    back = await person.decide(await person.depart(session))
    await stranger.depart(await _begin(gateway.client()))
    answer = await stranger.open(back)
    assert (answer.status_code, OTHER_BROWSER in answer.text) == (400, True)
    await _nothing_connected(owner)


async def test_two_sessions_in_one_browser_do_not_disturb_each_other(owner: Client, person: Person) -> None:
    first, second = await _begin(owner), await _begin(owner)
    first_page, second_page = await person.depart(first), await person.depart(second)
    assert (await person.open(await person.decide(first_page))).status_code == 200
    assert (await person.open(await person.decide(second_page, account="sam-quay"))).status_code == 200
    assert (await owner.ask("{ connections { totalCount } }"))["connections"]["totalCount"] == 2


# -------------------------------------------------------------------------------------------------- the link


async def test_a_link_is_spent_once_its_session_has_ended(owner: Client, person: Person, stranger: Person) -> None:
    session = await _begin(owner)
    await person.open(await person.decide(await person.depart(session)))
    for browser in (person, stranger):
        again = await browser.open(session["authorizationUrl"])
        assert (again.status_code, LINK_EXPIRED in again.text) == (400, True)
        assert "location" not in again.headers


async def test_an_expired_link_opens_nothing(owner: Client, person: Person, database: Ageing) -> None:
    session = await _begin(owner)
    await database.age_session(session["id"])
    answer = await person.open(session["authorizationUrl"])
    assert (answer.status_code, LINK_EXPIRED in answer.text) == (400, True)


async def test_a_session_that_expired_meanwhile_connects_nothing(
    owner: Client, person: Person, database: Ageing
) -> None:
    session = await _begin(owner)
    back = await person.decide(await person.depart(session))
    await database.age_session(session["id"])
    answer = await person.open(back)
    assert (answer.status_code, LINK_EXPIRED in answer.text) == (400, True)
    await _nothing_connected(owner)


@pytest.mark.parametrize("link", ["nonsense", "ses_0.00", "%00", "..%2f..", "x" * 5000, "%F0%9F%9A%80"])
async def test_a_link_that_never_was_opens_nothing(gateway: RunningGateway, person: Person, link: str) -> None:
    answer = await person.open(f"{gateway.url}/oauth/start/{link}")
    assert answer.status_code in (400, 404)
    assert "location" not in answer.headers


async def test_a_link_cannot_be_made_from_the_sessions_id(owner: Client, person: Person) -> None:
    session = await _begin(owner)
    answer = await person.open(f"{owner.url}/oauth/start/{session['id']}")
    assert (answer.status_code, LINK_EXPIRED in answer.text) == (400, True)


async def test_the_address_at_the_service_carries_state_and_challenge_and_no_secret(
    owner: Client, person: Person
) -> None:
    session = await _begin(owner)
    page = await person.depart(session)
    asked = parse_qs(urlsplit(page).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["state"][0]) >= 43
    assert asked["redirect_uri"] == [f"{owner.url}/oauth/callback"]
    assert "secret" not in page
    [cookie] = person.http.cookies.jar
    assert (cookie.path, cookie.has_nonstandard_attr("HttpOnly")) == ("/oauth", True)
    assert cookie.get_nonstandard_attr("SameSite") == "lax"


# ------------------------------------------------------------------------------------ as whom, and where to


async def test_reconnecting_as_somebody_else_is_refused(owner: Client, person: Person) -> None:
    account = await connected(owner)
    session = await _begin(owner, connection=account.id)
    answer = await person.open(await person.decide(await person.depart(session), account="sam-quay"))
    assert answer.status_code == 400
    ended = await _ended(owner, session)
    assert ended["status"] == "FAILED"
    assert "This connection belongs to lin-harbour" in ended["error"]
    query = "{ connections { nodes { id status account { label } } } }"
    assert (await owner.ask(query))["connections"]["nodes"] == [
        {"id": account.id, "status": "ACTIVE", "account": {"label": "lin-harbour"}}
    ]


async def test_connecting_the_same_account_twice_renews_the_one_connection(owner: Client) -> None:
    first, again = await connected(owner), await connected(owner)
    assert first.id == again.id


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/done",
        "https://app.example/done/",
        "https://app.example/done/deeper?with=query",
        "https://app.example/done?next=https://evil.example",
        "HTTPS://APP.EXAMPLE/done",
    ],
)
async def test_an_address_on_the_list_is_returned_to(owner: Client, person: Person, uri: str) -> None:
    session = await _begin(owner, redirectUri=uri)
    answer = await person.open(await person.decide(await person.depart(session)))
    assert answer.status_code == 303
    went = urlsplit(answer.headers["location"])
    assert (went.scheme, went.netloc.lower()) == ("https", "app.example")
    told = parse_qs(went.query)
    assert (told["status"], told["session"]) == (["completed"], [session["id"]])
    assert "code" not in told
    assert "state" not in told


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "https://evil.example/done",
        "http://app.example/done",
        "https://app.example",
        "https://app.example/",
        "https://app.example/other",
        "https://app.example/donee",
        "https://app.example/done/../admin",
        "https://app.example/done/%2e%2e/admin",
        "https://app.example/done/..%2fadmin",
        "https://app.example:444/done",
        "https://app.example:443@evil.example/done",
        "https://app.example@evil.example/done",
        "https://user:secret@app.example/done",
        "https://app.example.evil.example/done",
        "https://app.example\\@evil.example/done",
        "https://evil.example\\.app.example/done",
        "https:\\\\app.example\\done",
        "//app.example/done",
        "/done",
        "javascript:alert(1)//https://app.example/done",
        "data:text/html,https://app.example/done",
        "https://app.example/done#fragment",
        "https://app.example\t/done",
        "https://app.example/done\r\nset-cookie: a=b",
        "https://\u0430pp.example/done",  # the first letter is Cyrillic
        "https://[app.example/done",
        "https://app.example:port/done",
        "https://app.example/done" + "x" * 2000,
        "https:app.example/done",
        "https:///app.example/done",
        "\u0000https://app.example/done",
    ],
)
async def test_an_address_that_is_not_on_the_list_is_refused(owner: Client, uri: str) -> None:
    begun = (await owner.ask(CONNECT, {"input": {"integration": "github", "redirectUri": uri}}))["connect"]
    assert begun["session"] is None
    [error] = begun["errors"]
    assert (error["code"], error["path"]) == ("INVALID_INPUT", ["input", "redirectUri"])


async def test_without_a_list_every_address_is_refused(
    postgres_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("listless")
    wish: Json = {"integration": "github", "redirectUri": "https://app.example/done"}
    async with new_database(postgres_url, migrated_template) as address, running_gateway(address, folder) as alone:
        begun = (await alone.client().ask(CONNECT, {"input": wish}))["connect"]
        assert begun["errors"][0]["code"] == "INVALID_INPUT"


# -------------------------------------------------------------------------------------------- what is asked


async def test_an_integration_without_an_application_says_what_its_operator_must_set(
    postgres_url: str, migrated_template: str, tmp_path: Path
) -> None:
    file: Json = {"integrations": {"slack": {"sandbox": False}}}
    async with (
        new_database(postgres_url, migrated_template) as address,
        running_gateway(address, tmp_path, file=file) as real,
    ):
        given = {"input": {"integration": "slack", "authScheme": "OAUTH2"}}
        begun = (await real.client().ask(CONNECT, given))["connect"]
    assert begun["session"] is None
    [error] = begun["errors"]
    assert (error["code"], error["path"]) == ("CONFLICT", ["input", "integration"])
    assert "client_id" in error["message"]
    assert "[integrations.slack]" in error["message"]


@pytest.mark.parametrize(
    ("wish", "code", "path"),
    [
        ({"integration": "nothing"}, "NOT_FOUND", ["input", "integration"]),
        ({"integration": ""}, "NOT_FOUND", ["input", "integration"]),
        ({"integration": "namecom", "authScheme": "OAUTH2"}, "INVALID_INPUT", ["input", "authScheme"]),
        ({"integration": "github", "actions": ["github.nothing"]}, "INVALID_INPUT", ["input", "actions", "0"]),
        ({"integration": "github", "actions": ["slack.send_message"]}, "INVALID_INPUT", ["input", "actions", "0"]),
        ({"integration": "github", "scopes": ["x" * 201]}, "INVALID_INPUT", ["input", "scopes"]),
        ({"integration": "github", "scopes": ["line\nbreak"]}, "INVALID_INPUT", ["input", "scopes"]),
        ({"integration": "github", "scopes": ["repo"] * 101}, "INVALID_INPUT", ["input", "scopes"]),
        ({"integration": "github", "label": ""}, "INVALID_INPUT", ["input", "label"]),
        ({"integration": "github", "label": "x" * 101}, "INVALID_INPUT", ["input", "label"]),
        ({"integration": "github", "externalUserId": "a\nb"}, "INVALID_INPUT", ["input", "externalUserId"]),
    ],
)
async def test_a_wish_that_cannot_be_is_refused_with_the_place(
    owner: Client, wish: Json, code: str, path: list[str]
) -> None:
    begun = (await owner.ask(CONNECT, {"input": wish}))["connect"]
    assert (begun["session"], begun["connection"]) == (None, None)
    assert [(error["code"], error["path"]) for error in begun["errors"]] == [(code, path)]


async def test_pages_hold_no_script_and_escape_what_they_say(owner: Client, person: Person) -> None:
    session = await _begin(owner)
    answer = await person.open(await person.decide(await person.depart(session)))
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text


async def test_a_session_is_followed_to_its_end(owner: Client) -> None:
    session = await _begin(owner)
    follow = "subscription ($id: ID!) { connectSessionEvents(session: $id) { status } }"
    async with owner.socket() as socket:
        await socket.subscribe(follow, {"id": session["id"]})
        assert (await socket.next())["connectSessionEvents"]["status"] == "OPEN"
        browser = Browser()
        await browser.press(await browser.open(session["authorizationUrl"]), decision="deny")
        assert (await socket.next())["connectSessionEvents"]["status"] == "FAILED"
        assert (await socket.receive())["type"] == "complete"

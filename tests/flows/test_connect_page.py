"""The connect page: somebody who is no caller of ours connects an account, hosted without any script, or in a frame."""

import json
import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import httpx2
import pytest

from domain.callers import Role
from domain.json import Json
from tests.flows.ageing import Ageing
from tests.support.gateways import ERRORS, Client, RunningGateway, running_gateway
from tests.support.servers import new_database
from tests.support.visitors import Form, Visitor, visitor

APP = "https://app.example"
DONE = f"{APP}/done"
KEY = "ghp_sandbox_lin_repo"
TOKEN = f"""
mutation ($input: CreateConnectTokenInput!) {{
  createConnectToken(input: $input) {{ token connectUrl expiresAt {ERRORS} }}
}}
"""
CONNECTIONS = """{ connections { totalCount nodes {
  id status externalUserId grantedScopes integration { slug } account { label }
} } }"""
ENDED = "This link has ended"
NOT_FROM_HERE = "This form is not from here"


@pytest.fixture(scope="module")
async def gateway(
    postgres_url: str, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RunningGateway]:
    """One that other pages may embed."""
    async with (
        new_database(postgres_url, migrated_template) as address,
        running_gateway(
            address, tmp_path_factory.mktemp("gateway"), allowed_redirects=(DONE,), allowed_origins=(APP,)
        ) as running,
    ):
        yield running


@pytest.fixture
def owner(gateway: RunningGateway) -> Client:
    return gateway.client()


@pytest.fixture
async def person() -> AsyncIterator[Visitor]:
    async with visitor() as someone:
        yield someone


@pytest.fixture
async def stranger() -> AsyncIterator[Visitor]:
    async with visitor() as someone:
        yield someone


async def _token(owner: Client, **more: Json) -> Any:
    wish: Json = {"externalUserId": "kim", **more}
    made = (await owner.ask(TOKEN, {"input": wish}))["createConnectToken"]
    assert made["errors"] == [], made
    return made


async def _connections(owner: Client) -> Any:
    return (await owner.ask(CONNECTIONS))["connections"]


# ----------------------------------------------------------------------------------------------------- hosted


async def test_a_person_connects_by_oauth_without_a_script(owner: Client, person: Visitor) -> None:
    made = await _token(owner, actions=["github.create_issue"], redirectUri=DONE)
    await person.open(made["connectUrl"])
    assert "Read and change all your repositories" in person.text  # in plain words, before anything is agreed to
    assert "app.example" in person.text
    await person.send(person.form("oauth"))
    answer = await person.consent()
    assert (answer.status_code, "GitHub is connected" in answer.text) == (200, True)
    assert "lin-harbour" in answer.text
    [node] = (await _connections(owner))["nodes"]
    assert (node["status"], node["externalUserId"], node["grantedScopes"]) == ("ACTIVE", "kim", ["repo"])
    back = re.search(r'href="(https://app[^"]*)"', answer.text)
    assert back
    assert unescape(back[1]).startswith(f"{DONE}?status=completed&session=ses_")
    assert f"connection={node['id']}" in unescape(back[1])


async def test_a_person_connects_by_a_key(owner: Client, person: Visitor) -> None:
    await person.open((await _token(owner, integrations=["github"]))["connectUrl"])
    answer = await person.send(person.form("credential.token"), credential__token=KEY)
    assert (answer.status_code, "GitHub is connected" in answer.text) == (200, True)
    assert (await _connections(owner))["nodes"][0]["account"]["label"] == "lin-harbour"
    assert KEY not in answer.text


async def test_all_mistakes_come_together_and_no_secret_comes_back(owner: Client, person: Visitor) -> None:
    await person.open((await _token(owner, integrations=["namecom"]))["connectUrl"])
    form = person.form("credential.username")
    answer = await person.send(form, credential__username="two words", credential__token="canary secret")
    assert answer.status_code == 422
    assert "<title>Mistake: " in answer.text
    assert answer.text.count('aria-invalid="true"') == 2
    assert 'href="#field-username"' in answer.text
    assert 'href="#field-token"' in answer.text
    assert 'value="two words"' in answer.text
    assert "canary" not in answer.text


async def test_a_key_that_the_service_refuses_can_be_typed_again(owner: Client, person: Visitor) -> None:
    await person.open((await _token(owner, integrations=["github"]))["connectUrl"])
    wrong = "ghp_" + "0" * 36
    answer = await person.send(person.form("credential.token"), credential__token=wrong)
    assert (answer.status_code, "does not accept these credentials" in answer.text) == (422, True)
    assert wrong not in answer.text
    answer = await person.send(person.form("credential.token"), credential__token=KEY)
    assert "GitHub is connected" in answer.text


async def test_a_refused_consent_says_so_and_can_be_tried_again(owner: Client, person: Visitor) -> None:
    await person.open((await _token(owner, integrations=["github"], redirectUri=DONE))["connectUrl"])
    await person.send(person.form("oauth"))
    answer = await person.consent("deny")
    assert (answer.status_code, "You did not allow the connection" in answer.text) == (409, True)
    assert "status=failed" in unescape(answer.text)
    again = re.search(r'href="(/connect/at/[^"]*)"', answer.text)
    assert again
    await person.open(f"{owner.url}{again[1]}")
    await person.send(person.form("oauth"))
    assert "GitHub is connected" in (await person.consent()).text


async def test_the_choice_offers_what_the_token_allows_and_the_tenant_has(owner: Client, person: Visitor) -> None:
    await person.open((await _token(owner, integrations=["github", "namecom"]))["connectUrl"])
    assert "What would you like to connect?" in person.text
    assert re.findall(r'href="/connect/at/\w+/(\w+)"', person.text) == ["github", "namecom"]
    off = 'mutation { setIntegrationEnabled(input: {slug: "namecom", isEnabled: false}) { errors { code } } }'
    await owner.ask(off)
    answer = await person.open(str(person.at.url) if person.at else "")
    assert "Connect GitHub" in answer.text  # the only one left needs no choice
    assert (await person.open(f"{answer.url}/slack")).status_code == 404


async def test_the_token_leaves_the_address_and_the_cookie_is_closed(owner: Client, person: Visitor) -> None:
    made = await _token(owner)
    answer = await person.http.get(made["connectUrl"])
    assert answer.status_code == 303
    assert made["token"] not in answer.headers["location"]
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/connect" in cookie
    assert made["token"] not in cookie


async def test_pages_are_under_a_strict_policy(owner: Client, person: Visitor) -> None:
    answer = await person.open((await _token(owner))["connectUrl"])
    policy = answer.headers["content-security-policy"]
    assert policy == (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert "<script" not in answer.text
    assert " style=" not in answer.text
    assert (answer.headers["cache-control"], answer.headers["x-frame-options"]) == ("no-store", "DENY")


# ------------------------------------------------------------------------------- one person, one browser, once


async def test_looking_at_a_link_uses_nothing_up(owner: Client, person: Visitor, stranger: Visitor) -> None:
    made = await _token(owner, integrations=["github"])
    await stranger.open(made["connectUrl"])  # as programs do that look through mails
    await person.open(made["connectUrl"])
    answer = await person.send(person.form("credential.token"), credential__token=KEY)
    assert "GitHub is connected" in answer.text


async def test_whoever_begins_keeps_the_link(owner: Client, person: Visitor, stranger: Visitor) -> None:
    made = await _token(owner, integrations=["github"])
    await stranger.open(made["connectUrl"])
    theirs = stranger.form("credential.token")
    await person.open(made["connectUrl"])
    await person.send(person.form("oauth"))
    refused = await stranger.send(theirs, credential__token=KEY)
    assert (refused.status_code, "in another browser" in refused.text) == (404, True)
    assert "GitHub is connected" in (await person.consent()).text


async def test_a_link_connects_one_account(owner: Client, person: Visitor) -> None:
    made = await _token(owner, integrations=["github", "namecom"])
    await person.open(f"{made['connectUrl']}")
    await person.open(f"{person.at.url if person.at else ''}/github")
    form = person.form("credential.token")
    await person.send(form, credential__token=KEY)
    answer = await person.send(form, credential__token="ghp_sandbox_sam_repo")
    assert "GitHub is connected" in answer.text
    assert (await _connections(owner))["totalCount"] == 1
    assert ENDED in (await person.open(made["connectUrl"])).text


async def test_starting_again_ends_the_flow_before(owner: Client, person: Visitor) -> None:
    await person.open((await _token(owner, integrations=["github"]))["connectUrl"])
    offer = person.at
    await person.send(person.form("oauth"))
    first = person.at
    person.at = offer
    await person.send(person.form("oauth"))
    second, person.at = person.at, first
    assert "location" not in (await person.open(first.headers["refresh"].partition("url=")[2] if first else "")).headers
    assert person.at
    assert person.at.status_code == 400
    person.at = second
    assert "GitHub is connected" in (await person.consent()).text
    assert (await _connections(owner))["totalCount"] == 1


@pytest.mark.parametrize("token", ["mct_nothing", "nonsense", "mct_" + "x" * 5000, "%00", "%F0%9F%9A%80", "ses_0"])
async def test_a_link_that_never_was_opens_nothing(gateway: RunningGateway, person: Visitor, token: str) -> None:
    answer = await person.open(f"{gateway.url}/connect/{token}")
    assert (answer.status_code, ENDED in answer.text) == (404, True)
    assert "set-cookie" not in answer.headers


async def test_the_tokens_digest_is_all_that_is_kept(gateway: RunningGateway, owner: Client) -> None:
    made = await _token(owner)
    for text in (made["token"][:-1], made["token"] + "x", made["token"].upper()):
        async with visitor() as guesser:
            assert (await guesser.open(f"{gateway.url}/connect/{text}")).status_code == 404


async def test_a_token_opens_nothing_but_the_page(gateway: RunningGateway, owner: Client) -> None:
    made = await _token(owner)
    answer = await Client(gateway.url, made["token"]).post("{ viewer { subject } }")
    assert answer.status_code == 401


async def test_a_link_that_ended_meanwhile_connects_nothing_and_says_so(
    owner: Client, person: Visitor, database: Ageing
) -> None:
    made = await _token(owner, integrations=["github"], redirectUri=DONE)
    answer = await person.open(made["connectUrl"])
    form = person.form("credential.token")
    await database.age_connect_token(str(answer.url))
    late = await person.send(form, credential__token=KEY)
    assert (late.status_code, ENDED in late.text, "status=cancelled" in late.text) == (410, True, True)
    assert ENDED in (await person.open(made["connectUrl"])).text
    assert (await _connections(owner))["totalCount"] == 0


async def test_a_flow_that_was_begun_in_time_may_end_after_it(owner: Client, person: Visitor, database: Ageing) -> None:
    answer = await person.open((await _token(owner, integrations=["github"]))["connectUrl"])
    await person.send(person.form("oauth"))
    await database.age_connect_token(str(answer.url))
    assert "GitHub is connected" in (await person.consent()).text


async def test_the_opener_follows_the_flow_that_the_page_began(owner: Client, person: Visitor) -> None:
    await person.open((await _token(owner, integrations=["github"], redirectUri=DONE))["connectUrl"])
    await person.send(person.form("oauth"))
    begun = 'query { auditEvents(types: ["connect_session.opened"]) { nodes { actor } } }'
    assert (await owner.ask(begun))["auditEvents"]["nodes"] == [{"actor": "user:external:kim"}]
    answer = await person.consent()
    session = re.search(r"session=(ses_\w+)", answer.text)
    assert session
    follow = "subscription ($id: ID!) { connectSessionEvents(session: $id) { status session { connection { id } } } }"
    async with owner.socket() as socket:
        await socket.subscribe(follow, {"id": session[1]})
        told = (await socket.next())["connectSessionEvents"]
    assert told["status"] == "COMPLETED"
    assert told["session"]["connection"]["id"] in answer.text


# --------------------------------------------------------------------------------------------- forged forms


async def test_a_form_without_its_token_or_cookie_is_refused(owner: Client, person: Visitor, stranger: Visitor) -> None:
    await person.open((await _token(owner, integrations=["github"]))["connectUrl"])
    form = person.form("credential.token")
    for forged in ({}, {"form": ""}, {"form": "0" * 64}):
        fields = {name: value for name, value in form.fields.items() if name != "form"} | forged
        answer = await person.send(Form(form.action, fields), credential__token=KEY)
        assert (answer.status_code, NOT_FROM_HERE in answer.text) == (400, True)
    stranger.at = person.at
    answer = await stranger.send(form, credential__token=KEY)
    assert (answer.status_code, NOT_FROM_HERE in answer.text) == (400, True)
    assert (await _connections(owner))["totalCount"] == 0


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}],
)
async def test_a_form_from_another_page_is_refused(owner: Client, person: Visitor, headers: dict[str, str]) -> None:
    await person.open((await _token(owner, integrations=["github"]))["connectUrl"])
    answer = await person.send(person.form("credential.token"), headers, credential__token=KEY)
    assert (answer.status_code, "sent from another page" in answer.text) == (400, True)
    assert (await _connections(owner))["totalCount"] == 0


@pytest.mark.parametrize(
    "body", [b"form=a&form=b", b"\xff\xfe=1", b"x" * 1_100_000, b"&".join(b"a%d=1" % n for n in range(99)), b""]
)
async def test_a_body_that_is_no_form_of_ours_is_refused(owner: Client, person: Visitor, body: bytes) -> None:
    answer = await person.open((await _token(owner, integrations=["github"]))["connectUrl"])
    kind = {"content-type": "application/x-www-form-urlencoded"}
    sent = await person.http.post(f"{answer.url}/github", content=body, headers=kind)
    assert sent.status_code == 400


async def test_what_is_typed_is_escaped(owner: Client, person: Visitor) -> None:
    await person.open((await _token(owner, integrations=["namecom"]))["connectUrl"])
    answer = await person.send(
        person.form("credential.username"),
        credential__username='"><script>alert(1)</script>',
        credential__token="x",
    )
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text


# ---------------------------------------------------------------------------------------------- in a frame


async def _framed(owner: Client, person: Visitor, **more: Json) -> httpx2.Response:
    made = await _token(owner, **{"allowedOrigins": [APP], "integrations": ["github"], **more})
    await person.open(f"{owner.url}/connect?origin={APP}")
    return await person.send(person.form("token"), token=made["token"])


def _told(answer: httpx2.Response) -> Any:
    found = re.search(r'data-mandate-told="([^"]*)"', answer.text)
    return json.loads(unescape(found[1])) if found else None


async def test_a_frame_may_be_shown_by_the_one_origin_alone(owner: Client, person: Visitor) -> None:
    answer = await _framed(owner, person)
    assert "Connect GitHub" in answer.text
    policy = answer.headers["content-security-policy"]
    assert policy.endswith(f"frame-ancestors {APP}")
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "x-frame-options" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert re.findall(r"<script[^>]*>(.*?)</script>", answer.text) == [""]


@pytest.mark.parametrize("origin", ["", "https://evil.example", "https://app.example/", "*", "null", f"{APP} *"])
async def test_no_other_origin_gets_a_frame(gateway: RunningGateway, person: Visitor, origin: str) -> None:
    answer = await person.open(str(httpx2.URL(f"{gateway.url}/connect", params={"origin": origin})))
    assert answer.status_code == 404
    assert answer.headers["content-security-policy"].endswith("frame-ancestors 'none'")


async def test_a_token_that_allows_no_frame_is_shown_in_none(owner: Client, person: Visitor) -> None:
    answer = await _framed(owner, person, allowedOrigins=[])
    assert (answer.status_code, "may not be shown here" in answer.text) == (404, True)


async def test_in_a_frame_a_key_is_typed_and_the_page_around_is_told(owner: Client, person: Visitor) -> None:
    await _framed(owner, person)
    answer = await person.send(person.form("credential.token"), credential__token=KEY)
    told = _told(answer)
    assert (told["type"], told["detail"]["account"]) == ("connected", "lin-harbour")
    assert told["detail"]["connection"] == (await _connections(owner))["nodes"][0]["id"]
    assert KEY not in answer.text


async def test_in_a_frame_consent_happens_in_a_window_of_its_own(owner: Client, person: Visitor) -> None:
    await _framed(owner, person)
    framed = person.at
    look = person.form('data-form="look"')
    state = Form("/connect/frame/state", look.fields)
    assert 'target="_blank"' in person.text
    await person.send(person.form("oauth"))
    window = person.at
    assert window
    assert window.headers["content-security-policy"].endswith("frame-ancestors 'none'")
    assert (await person.send(state)).json() == {"state": "open"}
    person.at = window
    assert "You can close this page" in (await person.consent()).text
    person.at = framed
    assert (await person.send(state)).json() == {"state": "connected"}
    assert _told(await person.send(look))["type"] == "connected"


# -------------------------------------------------------------------------------------------- making a token


@pytest.mark.parametrize(
    ("wish", "path"),
    [
        ({"externalUserId": ""}, ["externalUserId"]),
        ({"externalUserId": "a\nb"}, ["externalUserId"]),
        ({"integrations": []}, ["integrations"]),
        ({"integrations": ["github", "nothing"]}, ["integrations", "1"]),
        ({"actions": []}, ["actions"]),
        ({"actions": ["github.nothing"]}, ["actions", "0"]),
        ({"integrations": ["namecom"], "actions": ["github.create_issue"]}, ["actions", "0"]),
        ({"allowedOrigins": ["https://evil.example"]}, ["allowedOrigins", "0"]),
        ({"allowedOrigins": [APP, f"{APP}/"]}, ["allowedOrigins", "1"]),
        ({"allowedOrigins": ["https://*.example"]}, ["allowedOrigins", "0"]),
        ({"redirectUri": "https://evil.example/done"}, ["redirectUri"]),
        ({"expiresInSeconds": 59}, ["expiresInSeconds"]),
        ({"expiresInSeconds": 14_401}, ["expiresInSeconds"]),
    ],
)
async def test_a_wish_that_cannot_be_is_refused_with_the_place(
    owner: Client, wish: dict[str, Json], path: list[str]
) -> None:
    made = (await owner.ask(TOKEN, {"input": {"externalUserId": "kim", **wish}}))["createConnectToken"]
    assert made["token"] is None
    assert [(error["code"], error["path"]) for error in made["errors"]] == [("INVALID_INPUT", ["input", *path])]


@pytest.mark.parametrize("role", [Role.AUDITOR])
async def test_whoever_may_not_connect_makes_no_token(gateway: RunningGateway, role: Role) -> None:
    made = (await gateway.client(role).ask(TOKEN, {"input": {"externalUserId": "kim"}}))["createConnectToken"]
    assert made["errors"][0]["code"] == "PERMISSION_DENIED"

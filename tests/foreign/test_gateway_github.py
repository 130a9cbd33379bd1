"""The whole journey to GitHub as somebody else wrote it: connect, grant, act, watch, resume."""

from base64 import b64encode
from hashlib import sha256
from uuid import uuid4

import httpx2

from tests.foreign.journeys import connect_as, seen, story, succeed, told, watching
from tests.support.consent import consent_in_browser
from tests.support.emulate import Emulate
from tests.support.gateways import CONNECT, Client, RunningGateway, agent_with_grant

ACTIONS = (
    "github.list_repos",
    "github.create_issue",
    "github.comment_issue",
    "github.create_branch",
    "github.push_files",
    "github.put_file",
    "github.create_pull_request",
)
REPOSITORY = {"owner": "octavia", "repo": "lighthouse"}


async def test_a_connection_has_the_scopes_that_the_token_answer_told(emulate_gateway: RunningGateway) -> None:
    connection = await connect_as(emulate_gateway.client(), "github", ["github.create_issue"], "bruno")
    assert connection["account"]["label"] == "bruno"
    assert connection["grantedScopes"] == ["repo"]
    assert connection["isSandbox"] is False


async def test_the_page_at_the_end_names_the_account_and_its_policy_allows_its_own_style_only(
    emulate_gateway: RunningGateway,
) -> None:
    wish = {"input": {"integration": "github", "actions": ["github.create_issue"]}}
    begun = (await emulate_gateway.client().ask(CONNECT, wish))["connect"]
    page = await consent_in_browser(begun["session"]["authorizationUrl"], "bruno")
    style = page.text.split("<style>")[1].split("</style>")[0]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    assert "GitHub is connected as bruno." in page.text
    assert f"default-src 'none'; style-src 'sha256-{digest}'; " in page.headers["content-security-policy"]


async def test_an_agent_does_a_days_work_while_its_owner_watches(
    emulate_gateway: RunningGateway, emulate: Emulate
) -> None:
    owner = emulate_gateway.client()
    connection = (await connect_as(owner, "github", ACTIONS, "octavia"))["id"]
    agent = (await agent_with_grant(owner, connection)).client
    after = (await owner.ask("{ historyCursor }"))["historyCursor"]

    async with watching(owner, connection, after) as socket:
        pull_request = await _work(agent, f"lamp-{uuid4().hex[:12]}")
        events = await seen(socket, 2 * len(ACTIONS))
    async with watching(owner, connection, events[4]["cursor"]) as socket:
        resumed = await seen(socket, 2 * len(ACTIONS) - 5)

    assert told(events) == story(ACTIONS)
    assert resumed == events[5:]
    async with httpx2.AsyncClient(headers={"authorization": "Bearer any"}) as http:
        there = await http.get(f"{emulate.github}/repos/octavia/lighthouse/pulls/{pull_request}")
    assert there.json()["user"]["login"] == "octavia"


async def _work(agent: Client, branch: str) -> int:
    """Seven actions, each building on the ones before; returns the pull request's number."""
    repositories = await succeed(agent, "github.list_repos")
    assert {"octavia/lighthouse", "octavia/cellar"} <= {each["full_name"] for each in repositories}
    issue = await succeed(agent, "github.create_issue", **REPOSITORY, title=f"The lamp is dim ({branch})")
    await succeed(agent, "github.comment_issue", **REPOSITORY, number=issue["number"], body="Looking into it.")
    await succeed(agent, "github.create_branch", **REPOSITORY, branch=branch)
    files = [
        {"path": f"{branch}/lamp.py", "content": "lit = True\n"},
        {"path": f"{branch}/log.md", "content": "Lit.\n"},
    ]
    await succeed(agent, "github.push_files", **REPOSITORY, branch=branch, message="Light it", files=files)
    note = {"path": f"{branch}/notes.md", "content": "Brighter.\n", "message": "Note it", "branch": branch}
    await succeed(agent, "github.put_file", **REPOSITORY, **note)
    opened = await succeed(
        agent, "github.create_pull_request", **REPOSITORY, title="Brighter lamp", head=branch, base="main"
    )
    number: int = opened["number"]
    return number

"""The Google Drive sandbox by itself: as strict as the real one where a client may be careless."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from adapters._kit.sandbox_google import CLIENT_ID, CLIENT_SECRET, TOKEN_MARA
from adapters.google_drive.sandbox import sandbox
from adapters.google_drive.sandbox_state import FILE, METADATA
from tests.support.serving import serving

FILES = "/drive/v3/files"
RETURN_TO = "http://127.0.0.1:9/oauth/callback"


def as_(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def reason(answer: httpx2.Response) -> tuple[int, str]:
    """The status, and Google's older word for it."""
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    return answer.status_code, error["errors"][0]["reason"]


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with (
        serving(sandbox()) as address,
        httpx2.AsyncClient(base_url=address, headers=as_(TOKEN_MARA), trust_env=False) as found,
    ):
        yield found


async def connect(client: httpx2.AsyncClient, *scopes: str) -> dict[str, str]:
    """The answer of the token endpoint after Mara has consented to these scopes."""
    asked = {"client_id": CLIENT_ID, "redirect_uri": RETURN_TO, "response_type": "code", "access_type": "offline"}
    form = {**asked, "scope": " ".join(scopes), "decision": "authorize", "account": "108000000000000000001"}
    back = await client.post("/o/oauth2/v2/auth", data=form)
    code = parse_qs(urlsplit(back.headers["location"]).query)["code"][0]
    ours = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uri": RETURN_TO}
    told = {**ours, "grant_type": "authorization_code", "code": code}
    answer: dict[str, str] = (await client.post("/oauth2/token", data=told)).json()
    return answer


async def test_every_answer_says_that_it_is_a_sandbox(client: httpx2.AsyncClient) -> None:
    for path in (FILES, "/nothing-here", "/"):
        assert (await client.get(path)).headers["x-mandate-sandbox"] == "google_drive"


async def test_without_a_good_token_nothing_opens(client: httpx2.AsyncClient) -> None:
    for token in ("x", "nobody-ever-made-this-token", "ya29.sandbox_e30.AAAA"):
        assert reason(await client.get(FILES, headers=as_(token))) == (401, "authError")


async def test_a_consent_gives_tokens_that_are_refreshed_expire_and_end(client: httpx2.AsyncClient) -> None:
    told = await connect(client, FILE)
    assert told["scope"].split() == [FILE]
    ours = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    form = {**ours, "grant_type": "refresh_token", "refresh_token": told["refresh_token"]}
    # One refresh token serves again and again.
    renewed = [(await client.post("/oauth2/token", data=form)).json() for _ in range(2)]
    for each in renewed:
        assert "refresh_token" not in each
        assert (await client.get(FILES, headers=as_(each["access_token"]))).status_code == 200
    assert (await client.post("/_sandbox/expire", json={"token": told["access_token"]})).json() == {"expired": True}
    assert reason(await client.get(FILES, headers=as_(told["access_token"]))) == (401, "authError")
    assert (await client.post("/oauth2/revoke", data={"token": told["refresh_token"]})).status_code == 200
    assert reason(await client.get(FILES, headers=as_(renewed[0]["access_token"]))) == (401, "authError")
    assert (await client.post("/oauth2/token", data=form)).json()["error"] == "invalid_grant"


async def test_a_token_opens_what_its_scopes_open(client: httpx2.AsyncClient) -> None:
    own, names = [as_((await connect(client, scope))["access_token"]) for scope in (FILE, METADATA)]
    assert (await client.get(FILES, headers=own)).json()["files"] == []
    assert len((await client.get(FILES, headers=names)).json()["files"]) > 5
    assert reason(await client.get(f"{FILES}/file-price", headers=own)) == (404, "notFound")
    content = await client.get(f"{FILES}/file-price?alt=media", headers=names)
    assert reason(content) == (403, "insufficientPermissions")
    assert reason(await client.post(FILES, json={"name": "x"}, headers=names)) == (403, "insufficientPermissions")


async def test_few_members_are_told_unless_they_are_asked_for(client: httpx2.AsyncClient) -> None:
    plain = (await client.get(f"{FILES}/file-price")).json()
    assert set(plain) == {"kind", "id", "name", "mimeType"}
    fields = {"fields": "name,owners/emailAddress,capabilities(canEdit)"}
    asked = (await client.get(f"{FILES}/file-price", params=fields)).json()
    assert asked == {
        "name": "price list.csv",
        "owners": [{"emailAddress": "mara@harbour.example"}],
        "capabilities": {"canEdit": True},
    }
    for broken in ("name,", "owners(", "a)", "%"):
        assert (await client.get(f"{FILES}/file-price", params={"fields": broken})).status_code == 400
    assert reason(await client.get("/drive/v3/about")) == (400, "required")


@pytest.mark.parametrize(
    "query",
    [
        "name",
        "name contains",
        "name like 'a'",
        "colour = 'red'",
        "name contains 'a' and",
        "name contains 'a",
        "'a' in pockets",
        "trashed = 'true'",
        "modifiedTime > 'yesterday'",
        "appProperties has { key='a' }",
        "(name = 'a'",
        "name = 'a' )",
        "name = a",
    ],
)
async def test_what_is_no_query_is_refused(client: httpx2.AsyncClient, query: str) -> None:
    assert reason(await client.get(FILES, params={"q": query})) == (400, "invalid")


async def test_queries_are_put_together_with_and_or_and_not(client: httpx2.AsyncClient) -> None:
    query = "(name = 'logo.png' or not mimeType contains 'application/') and not 'folder-old' in parents"
    found = (await client.get(FILES, params={"q": query})).json()["files"]
    assert {each["name"] for each in found} == {"logo.png", "price list.csv"}
    found = (await client.get(FILES, params={"q": "createdTime = '2026-01-12' or name != 'x'"})).json()["files"]
    assert len(found) == 10
    assert reason(await client.get(FILES, params={"orderBy": "beauty"})) == (400, "invalid")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/related", b""),
        ("multipart/related; boundary=x", b"--x\r\n\r\n{}\r\n--x--"),
        ("multipart/related; boundary=x", b"--x\r\n\r\n[]\r\n--x\r\n\r\na\r\n--x--"),
        ("text/plain", b"a"),
    ],
)
async def test_an_upload_that_cannot_be_read_is_refused(client: httpx2.AsyncClient, kind: str, body: bytes) -> None:
    path = "/upload/drive/v3/files?uploadType=multipart"
    assert (await client.post(path, content=body, headers={"content-type": kind})).status_code == 400
    assert (await client.post("/upload/drive/v3/files?uploadType=resumable")).status_code == 400


async def test_the_owner_and_the_root_stay(client: httpx2.AsyncClient) -> None:
    root = (await client.get(f"{FILES}/root")).json()["id"]
    assert reason(await client.delete(f"{FILES}/{root}")) == (403, "insufficientFilePermissions")
    shares = f"{FILES}/file-price/permissions"
    (owner,) = (await client.get(shares)).json()["permissions"]
    assert reason(await client.delete(f"{shares}/{owner['id']}")) == (403, "cannotModifyOwnerPermission")
    for role, kind in (("owner", "user"), ("reader", "user"), ("reader", "x")):
        wrong = {"role": role, "type": kind}
        assert reason(await client.post(shares, json=wrong)) == (400, "invalid")
    everyone = {"role": "reader", "type": "anyone"}
    assert (await client.post(f"{shares}?sendNotificationEmail=true", json=everyone)).status_code == 400


async def test_a_folder_takes_files_and_a_file_does_not(client: httpx2.AsyncClient) -> None:
    for parents, expected in ([["file-price"], 403], [["nowhere"], 404], [["folder-old", "folder-berths"], 403]):
        assert (await client.post(FILES, json={"name": "x", "parents": parents})).status_code == expected


async def test_what_was_made_survives_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "drive.json"
    for expected in (0, 1):
        async with (
            serving(sandbox(state)) as address,
            httpx2.AsyncClient(base_url=address, headers=as_(TOKEN_MARA), trust_env=False) as client,
        ):
            found = await client.get(FILES, params={"q": "name = 'kept'"})
            assert len(found.json()["files"]) == expected
            await client.post(FILES, json={"name": "kept"})


async def test_a_limit_is_kept_per_person() -> None:
    async with (
        serving(sandbox(rate_limit=2, now=lambda: 1_800_000_000.0)) as address,
        httpx2.AsyncClient(base_url=address, headers=as_(TOKEN_MARA), trust_env=False) as client,
    ):
        assert [(await client.get(FILES)).status_code for _ in range(2)] == [200, 200]
        assert reason(await client.get(FILES)) == (403, "userRateLimitExceeded")

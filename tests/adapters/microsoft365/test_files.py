"""Files in OneDrive, tried against the sandbox."""

import base64
from typing import Any

import pytest

from domain.errors import AlreadyThere, NotThere, Rejected, Unavailable
from domain.json import Json
from tests.adapters.microsoft365.office import HANDED_OUT, Office, mistakes


async def test_folders_are_listed_by_name(ada: Office) -> None:
    found = await ada.rows("list_files")
    assert [(each["name"], each["is_folder"]) for each in found] == [("Offers 2026", True), ("tides.txt", False)]
    [offer] = await ada.rows("list_files", folder="Offers 2026")
    assert (offer["name"], offer["folder"], offer["media_type"]) == ("ropes.pdf", "Offers 2026", "application/pdf")
    with pytest.raises(NotThere):
        await ada.run("list_files", folder="Nowhere")


async def test_files_are_found_by_name_and_by_what_they_say(ada: Office) -> None:
    assert [each["name"] for each in await ada.rows("search_files", query="ropes")] == ["ropes.pdf"]
    assert [each["name"] for each in await ada.rows("search_files", query="high water")] == ["tides.txt"]
    assert await ada.rows("search_files", query="o'brien') or (q='") == []
    assert ada.paths()[2] == "GET /me/drive/root/search(q='o''brien'') or (q=''')"


async def test_a_text_file_is_read_as_text_from_where_it_is_handed_out(ada: Office) -> None:
    found = await ada.row("read_file", path="tides.txt")
    assert found["content"] == {
        "media_type": "text/plain",
        "size": 19,
        "text": "High water at six.\n",
        "base64": None,
        "is_truncated": False,
    }
    assert [HANDED_OUT in each for each in ada.paths()] == [False, False, True]


async def test_what_is_not_text_comes_in_base64_and_a_folder_without_content(ada: Office) -> None:
    found = await ada.row("read_file", file_id="item-offer")
    assert base64.b64decode(found["content"]["base64"]).startswith(b"%PDF")
    assert (await ada.row("read_file", file_id="item-offers"))["content"] is None
    with pytest.raises(NotThere):
        await ada.run("read_file", path="Offers 2026/none.txt")


async def test_a_file_that_is_not_handed_out_says_nothing_about_the_credential(ada: Office) -> None:
    ada.misbehave("401", f"GET /v1.0{HANDED_OUT}*")
    with pytest.raises(Unavailable, match="did not hand out the file"):
        await ada.run("read_file", path="tides.txt")


@pytest.mark.parametrize("given_both", [{}, {"file_id": "item-offer", "path": "tides.txt"}])
async def test_a_file_is_named_in_one_way(ada: Office, given_both: dict[str, str]) -> None:
    with pytest.raises(Rejected, match="Nothing was sent"):
        await ada.run("read_file", **given_both)
    assert ada.paths() == []


async def test_a_file_is_uploaded_with_its_folders_and_read_again(ada: Office) -> None:
    made = await ada.row(
        "upload_file", path="Plans & drafts/50% [a] #1.txt", content={"text": "Ahoy, Ärmel\n"}, media_type="text/plain"
    )
    assert (made["name"], made["folder"]) == ("50% [a] #1.txt", "Plans & drafts")
    found = await ada.row("read_file", file_id=made["id"])
    assert found["content"]["text"] == "Ahoy, Ärmel\n"
    assert ada.queries(":/content")[0] == {"@microsoft.graph.conflictBehavior": ["fail"]}
    assert ada.headers(":/content", "content-type") == ["text/plain"]


async def test_nothing_is_replaced_unless_that_is_wished(ada: Office) -> None:
    with pytest.raises(AlreadyThere, match="Nothing was uploaded"):
        await ada.run("upload_file", path="tides.txt", content={"text": "Low"})
    bytes_ = base64.b64encode(b"\x00\x01").decode()
    replaced = await ada.row("upload_file", path="tides.txt", content={"base64": bytes_}, if_exists="replace")
    assert (replaced["size_bytes"], replaced["media_type"]) == (2, "text/plain")


@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        ("a.pdf", {"base64": "YQ=="}, "application/pdf"),
        ("a.csv", {"text": "a"}, "text/csv"),
        ("a", {"text": "a"}, "text/plain"),
        ("a", {"base64": "YQ=="}, "application/octet-stream"),
    ],
)
async def test_what_a_file_is_follows_from_its_name(ada: Office, path: str, content: Json, kind: str) -> None:
    made = await ada.row("upload_file", path=path, content=content)
    assert made["media_type"] == kind
    assert (await ada.row("read_file", file_id=made["id"]))["content"]["size"] == 1


async def test_a_file_is_shared_with_people(ada: Office) -> None:
    people = ["otto@ropes.example", "ben@harbour.example"]
    found = await ada.rows("share_file", file_id="item-offer", people=people, role="write", message="Please sign.")
    assert [each["roles"] for each in found] == [["write"], ["write"]]
    [asked] = ada.bodies("/invite")
    assert (asked["requireSignIn"], asked["sendInvitation"], asked["message"]) == (True, True, "Please sign.")
    await ada.rows("share_file", file_id="item-offer", people=people)
    assert ada.bodies("/invite")[1]["sendInvitation"] is False


async def test_a_link_is_made_once(ada: Office) -> None:
    wish = {"file_id": "item-offer", "audience": "anonymous", "expires_at": "2027-01-01T00:00:00Z"}
    link = await ada.row("create_sharing_link", **wish)
    assert (link["audience"], link["roles"]) == ("anonymous", ["read"])
    assert await ada.row("create_sharing_link", **wish) == link
    inside = await ada.row("create_sharing_link", file_id="item-offer", audience="organization", role="edit")
    assert inside["url"] != link["url"]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc",
        "a//b",
        "a/../b",
        "..",
        ".",
        "a/",
        "a:b",
        "a*b",
        'a"b',
        "a\\b",
        "a|b",
        "a\x00b",
        "a\n",
        " a",
        "a ",
        "a.",
    ],
)
def test_paths_that_onedrive_does_not_have_are_caught(path: str) -> None:
    assert mistakes("upload_file", path=path, content={"text": ""}) == ["/path"]
    assert mistakes("read_file", path=path) == ["/path"]


@pytest.mark.parametrize("path", ["a", ".profile", "Ö/ü.txt", "50% & #1/{name}.txt", "a.b/c d"])
def test_paths_that_people_use_pass(path: str) -> None:
    assert mistakes("upload_file", path=path, content={"text": ""}) == []


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({"content": {"text": "a", "base64": "YQ=="}}, "/content"),
        ({"content": {"base64": "not base64"}}, "/content/base64"),
        ({"content": {"text": "x" * 900_001}}, "/content/text"),
        ({"media_type": "text"}, "/media_type"),
        ({"if_exists": "rename"}, "/if_exists"),
    ],
)
def test_what_is_no_upload_is_caught_before_it_leaves(parameters: dict[str, Any], pointer: str) -> None:
    assert mistakes("upload_file", **{"path": "a", "content": {"text": "b"}, **parameters}) == [pointer]


def test_a_file_is_shared_with_somebody() -> None:
    assert mistakes("share_file", file_id="a", people=[]) == ["/people"]
    assert mistakes("share_file", file_id="a/b", people=["a@b.example"]) == ["/file_id"]
    assert mistakes("create_sharing_link", file_id="a", audience="everybody") == ["/audience"]

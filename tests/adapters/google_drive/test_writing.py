"""Making, changing, moving and removing files; uploads that may be repeated, and answers that were lost."""

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters._kit.http import Outgoing
from adapters.google_drive.sandbox_state import FILE, METADATA
from domain.errors import AlreadyThere, AnswerLost, Forbidden, NotThere, ProviderProblem, Rejected, ScopeMissing
from tests.adapters.google_drive.conftest import practice_with
from tests.support.trials import Trial

HELLO: dict[str, Any] = {"name": "hello.txt", "content": {"text": "Hällo\r\n--mandate\r\n"}}
UPLOAD = "POST /upload/drive/v3/files"


def named(drive: Trial, method: str) -> list[str]:
    """The last parts of the paths asked for with this method."""
    return [urlsplit(each.url).path.rpartition("/")[2] for each in drive.requests if each.method == method]


async def content_of(drive: Trial, file_id: str) -> Any:
    return (await drive.run("read_file", file_id=file_id))["content"]


# ------------------------------------------------------------------------------------------------ uploading


async def test_a_file_is_uploaded_in_one_request_and_read_again(drive: Trial) -> None:
    made = await drive.run("create_file", **HELLO, folder_id="folder-berths", description="For the visitors.")
    assert (made["kind"], made["media_type"], made["folder_id"]) == ("file", "text/plain", "folder-berths")
    assert made["description"] == "For the visitors."
    assert len(drive.requests) == 1
    assert (await content_of(drive, made["id"]))["text"] == HELLO["content"]["text"]


async def test_bytes_are_uploaded_as_they_are(drive: Trial) -> None:
    raw = bytes(range(256)) * 40
    told = {"base64": base64.b64encode(raw).decode()}
    made = await drive.run("create_file", name="noise.bin", content=told, media_type="application/octet-stream")
    found = await content_of(drive, made["id"])
    assert base64.b64decode(found["base64"]) == raw


async def test_the_description_of_a_file_cannot_become_a_part_of_the_upload(drive: Trial) -> None:
    name = 'quote".txt --mandate- Content-Type: x'
    made = await drive.run("create_file", name=name, content={"text": "\r\n--\r\n"})
    assert (made["name"], (await content_of(drive, made["id"]))["text"]) == (name, "\r\n--\r\n")


async def test_text_becomes_a_google_document(drive: Trial) -> None:
    text = {"text": "# Plan\n"}
    made = await drive.run("create_file", name="Plan", content=text, media_type="text/markdown", convert_to="document")
    assert (made["kind"], made["size_bytes"]) == ("document", None)
    assert (await content_of(drive, made["id"]))["text"] == "# Plan\n"


async def test_doing_it_twice_makes_two_files(drive: Trial) -> None:
    first, second = await drive.run("create_file", **HELLO), await drive.run("create_file", **HELLO)
    assert first["id"] != second["id"]


async def test_with_an_id_of_drive_s_own_the_same_upload_is_made_only_once(drive: Trial) -> None:
    (new_id,) = await drive.run("generate_ids")
    first = await drive.run("create_file", **HELLO, new_id=new_id)
    again = await drive.run("create_file", **HELLO, new_id=new_id)
    assert first["id"] == new_id
    assert again == first
    assert (await drive.effects())[UPLOAD] == 1


@pytest.mark.parametrize("other", [{"content": {"text": "Other"}}, {"name": "other.txt"}])
async def test_something_else_under_the_same_id_is_a_conflict(drive: Trial, other: dict[str, Any]) -> None:
    (new_id,) = await drive.run("generate_ids", count=1)
    await drive.run("create_file", **HELLO, new_id=new_id)
    with pytest.raises(AlreadyThere):
        await drive.run("create_file", **{**HELLO, **other}, new_id=new_id)


async def test_an_id_whose_file_is_out_of_reach_stays_a_conflict(drive: Trial) -> None:
    with pytest.raises(AlreadyThere):
        await drive.run("create_file", **HELLO, new_id="file-diary")


async def test_an_id_that_drive_did_not_give_out_is_rejected(drive: Trial) -> None:
    with pytest.raises(Rejected):
        await drive.run("create_file", **HELLO, new_id="made-up")


async def test_an_id_and_a_conversion_do_not_go_together(drive: Trial) -> None:
    with pytest.raises(Rejected, match="Nothing was sent"):
        await drive.run("create_file", **HELLO, new_id="a", convert_to="document")
    assert drive.requests == []


async def test_a_folder_is_created_once_under_one_id(drive: Trial) -> None:
    first_id, second_id = await drive.run("generate_ids", count=2)
    made = await drive.run("create_folder", name="Moorings", folder_id="folder-berths", new_id=first_id)
    assert (made["kind"], made["folder_id"]) == ("folder", "folder-berths")
    assert await drive.run("create_folder", name="Moorings", folder_id="folder-berths", new_id=first_id) == made
    assert (await drive.run("create_folder", name="Moorings", new_id=second_id))["id"] == second_id
    with pytest.raises(AlreadyThere):
        await drive.run("create_file", name="Moorings", content={"text": ""}, new_id=second_id)


@pytest.mark.parametrize("kind", ["lost_answer", "reset"])
async def test_after_a_lost_answer_the_upload_is_looked_for(drive: Trial, kind: str) -> None:
    await drive.misbehave(kind, "POST /upload/*")
    if kind == "lost_answer":  # it was made
        made = await drive.run("create_file", **HELLO)
        assert made["name"] == "hello.txt"
    else:
        with pytest.raises(AnswerLost) as lost:
            await drive.run("create_file", **HELLO)
        assert lost.value.may_have_happened
    assert named(drive, "GET") == ["files"]
    assert (await drive.effects()).get(UPLOAD, 0) == (1 if kind == "lost_answer" else 0)


async def test_what_an_execution_made_is_found_wherever_it_is(drive: Trial) -> None:
    made = await drive.run("create_file", **HELLO)
    execution = json.loads((drive.requests[0].body or b"").split(b"\r\n")[3])["appProperties"]["mandate_execution"]
    await drive.run("trash_file", file_id=made["id"])
    (found,) = await drive.run("find_created_file", execution=execution)
    assert (found["id"], found["is_trashed"]) == (made["id"], True)
    assert await drive.run("find_created_file", execution=f"exe_{'0' * 32}") == []


async def test_only_what_this_execution_made_is_taken_for_it(drive: Trial) -> None:
    await drive.run("create_file", **HELLO)
    await drive.misbehave("500", "POST /upload/*")
    with pytest.raises(ProviderProblem) as broken:
        await drive.run("create_file", **HELLO)
    assert broken.value.may_have_happened


async def test_when_looking_fails_too_the_first_problem_counts(drive: Trial) -> None:
    await drive.misbehave("lost_answer", "POST */files")
    await drive.misbehave("401", "GET */files")
    with pytest.raises(AnswerLost) as lost:
        await drive.run("create_folder", name="Lost")
    assert lost.value.may_have_happened


async def test_a_request_that_was_not_handled_is_not_looked_for(drive: Trial) -> None:
    await drive.misbehave("503", "POST *")
    with pytest.raises(ProviderProblem) as broken:
        await drive.run("copy_file", file_id="file-price")
    assert not broken.value.may_have_happened
    assert named(drive, "GET") == []


async def test_the_mark_of_an_execution_is_private_to_the_application(drive: Trial) -> None:
    await drive.run("create_file", **HELLO)
    (request,) = drive.requests
    assert b'"appProperties": {"mandate_execution": "' in (request.body or b"")
    assert b'"properties"' not in (request.body or b"")


# ------------------------------------------------------------------------------------------------- changing


async def test_a_file_is_copied(drive: Trial) -> None:
    copy = await drive.run("copy_file", file_id="file-price", name="prices 2027.csv", folder_id="root")
    assert (copy["name"], (await content_of(drive, copy["id"]))["text"]) == (
        "prices 2027.csv",
        "size,price\n6 m,35\n9 m,52\n",
    )
    assert (await drive.run("copy_file", file_id="file-price"))["name"] == "Copy of price list.csv"


async def test_a_file_is_renamed_described_starred_and_nothing_else_changes(drive: Trial) -> None:
    before = await drive.run("get_file", file_id="file-price")
    changed = await drive.run("update_file", file_id="file-price", name="fees.csv", description="New", is_starred=True)
    same = {"name", "description", "is_starred", "modified_at"}
    assert {key: value for key, value in changed.items() if key not in same} == {
        key: value for key, value in before.items() if key not in same
    }
    assert (changed["name"], changed["description"], changed["is_starred"]) == ("fees.csv", "New", True)


async def test_content_is_replaced_as_a_whole(drive: Trial) -> None:
    changed = await drive.run(
        "replace_file_content", file_id="file-price", content={"text": "size\n"}, media_type="text/csv"
    )
    assert changed["size_bytes"] == 5
    assert (await content_of(drive, "file-price"))["text"] == "size\n"
    assert named(drive, "PATCH") == ["file-price"]


async def test_a_file_is_moved_and_moving_it_again_changes_nothing(drive: Trial) -> None:
    moved = await drive.run("move_file", file_id="file-price", folder_id="folder-old")
    assert moved["folder_id"] == "folder-old"
    query = parse_qs(urlsplit(drive.requests[-1].url).query)
    assert (query["addParents"], query["removeParents"]) == (["folder-old"], ["folder-berths"])
    assert await drive.run("move_file", file_id="file-price", folder_id="folder-old") == moved
    assert named(drive, "PATCH") == ["file-price"]


async def test_update_file_moves_too(drive: Trial) -> None:
    told = {"add_to_folder": "folder-old", "remove_from_folder": "folder-berths"}
    assert (await drive.run("update_file", file_id="sheet-fees", **told))["folder_id"] == "folder-old"


async def test_a_file_goes_to_the_trash_and_comes_back(drive: Trial) -> None:
    assert (await drive.run("trash_file", file_id="file-price"))["is_trashed"]
    assert [each["id"] for each in await drive.run("search_files", in_trash=True)] == ["file-price"]
    assert not (await drive.run("update_file", file_id="file-price", is_trashed=False))["is_trashed"]


async def test_a_folder_is_deleted_with_all_that_is_in_it(drive: Trial) -> None:
    assert await drive.run("delete_file", file_id="folder-berths") is None
    for gone in ("folder-berths", "file-price"):
        with pytest.raises(NotThere):
            await drive.run("get_file", file_id=gone)
    with pytest.raises(NotThere):
        await drive.run("delete_file", file_id="folder-berths")


async def test_what_others_own_is_not_thrown_away(drive: Trial) -> None:
    for action in ("trash_file", "delete_file"):
        with pytest.raises(Forbidden):
            await drive.run(action, file_id="doc-tides")


async def test_with_the_narrowest_permission_only_own_files_are_changed(tmp_path: Path) -> None:
    async with practice_with(tmp_path, FILE, METADATA) as drive:
        with pytest.raises(ScopeMissing):
            await drive.run("update_file", file_id="file-price", name="mine.csv")
        with pytest.raises(NotThere):
            await drive.run("create_file", **HELLO, folder_id="folder-berths")
        folder = await drive.run("create_folder", name="Mine")
        made = await drive.run("create_file", **HELLO, folder_id=folder["id"])
        assert (await drive.run("update_file", file_id=made["id"], is_trashed=True))["is_trashed"]


async def test_a_lost_answer_to_a_change_may_have_happened(drive: Trial) -> None:
    await drive.misbehave("lost_answer", "PATCH *")
    with pytest.raises(AnswerLost) as lost:
        await drive.run("trash_file", file_id="file-price")
    assert lost.value.may_have_happened


# -------------------------------------------------------------------------------------------------- sharing


async def test_a_file_is_shared_with_a_person_and_taken_back(drive: Trial) -> None:
    shared = await drive.run(
        "share_file", file_id="file-price", email="jon@harbour.example", role="writer", message="Have a look."
    )
    assert (shared["kind"], shared["role"], shared["email"]) == ("user", "writer", "jon@harbour.example")
    found = await drive.run("list_permissions", file_id="file-price")
    assert [each["role"] for each in found] == ["owner", "writer"]
    assert await drive.run("unshare_file", file_id="file-price", permission_id=shared["id"]) is None
    assert len(await drive.run("list_permissions", file_id="file-price")) == 1
    with pytest.raises(NotThere):
        await drive.run("unshare_file", file_id="file-price", permission_id=shared["id"])


async def test_sharing_twice_keeps_one_permission_with_the_later_role(drive: Trial) -> None:
    person = {"file_id": "file-price", "email": "jon@harbour.example"}
    first = await drive.run("share_file", **person)
    second = await drive.run("share_file", **person, role="commenter", notify=False, message="Not sent.")
    assert (first["id"], second["role"]) == (second["id"], "commenter")
    query = parse_qs(urlsplit(drive.requests[-1].url).query)
    assert (query["sendNotificationEmail"], "emailMessage" in query) == (["false"], False)


async def test_a_group_is_told_as_a_group(drive: Trial) -> None:
    shared = await drive.run("share_file", file_id="file-price", email="crew@harbour.example", is_group=True)
    assert shared["kind"] == "group"


async def test_everybody_gets_a_file_only_by_an_action_of_its_own(drive: Trial) -> None:
    shared = await drive.run("share_file_with_everyone", file_id="file-price")
    assert (shared["kind"], shared["role"], shared["is_findable"]) == ("anyone", "reader", False)
    house = await drive.run("share_file_with_everyone", file_id="file-price", domain="harbour.example", role="writer")
    assert (house["kind"], house["domain"]) == ("domain", "harbour.example")
    assert not any(b"transferOwnership" in (each.body or b"") for each in drive.requests)


async def test_who_may_only_read_shares_nothing(drive: Trial) -> None:
    with pytest.raises(Forbidden):
        await drive.run("share_file", file_id="doc-tides", email="sam@quay.example")
    with pytest.raises(Forbidden):
        await drive.run("list_permissions", file_id="doc-tides")


@pytest.mark.parametrize(
    ("action", "parameters", "pointers"),
    [
        ("create_file", {"name": "a"}, ["/content"]),
        ("create_file", {"name": "", "content": {"text": "a"}}, ["/name"]),
        ("create_file", {"name": "a", "content": {}}, ["/content"]),
        ("create_file", {"name": "a", "content": {"base64": "%%%"}}, ["/content/base64"]),
        ("create_file", {"name": "a", "content": {"text": "x" * 900_001}}, ["/content/text"]),
        ("create_file", {"name": "a", "content": {"text": "a"}, "media_type": "a/b\r\nX: y"}, ["/media_type"]),
        ("create_file", {"name": "a", "content": {"text": "a"}, "convert_to": "pdf"}, ["/convert_to"]),
        ("find_created_file", {"execution": "exe_' or name"}, ["/execution"]),
        ("create_folder", {"name": "a\x00b"}, ["/name"]),
        ("copy_file", {"file_id": "a/../b"}, ["/file_id"]),
        ("update_file", {"file_id": "a", "is_trashed": "yes"}, ["/is_trashed"]),
        ("replace_file_content", {"file_id": "a", "content": {"text": "a"}}, ["/media_type"]),
        ("move_file", {"file_id": "a"}, ["/folder_id"]),
        ("trash_file", {"file_id": ""}, ["/file_id"]),
        ("delete_file", {}, ["/file_id"]),
        ("generate_ids", {"count": 101}, ["/count"]),
        ("list_permissions", {"file_id": "a", "limit": 101}, ["/limit"]),
        ("share_file", {"file_id": "a", "email": "everybody"}, ["/email"]),
        ("share_file", {"file_id": "a", "email": "a@b.example", "role": "owner"}, ["/role"]),
        ("share_file_with_everyone", {"file_id": "a", "domain": "a b"}, ["/domain"]),
        ("unshare_file", {"file_id": "a", "permission_id": "a b"}, ["/permission_id"]),
    ],
)
def test_bad_input_is_caught_before_a_call_leaves(
    drive: Trial, action: str, parameters: dict[str, Any], pointers: list[str]
) -> None:
    found = drive.integration.actions[f"google_drive.{action}"].check(parameters)
    assert [each.pointer for each in found] == pointers


async def test_the_token_goes_into_one_header_and_nowhere_else(drive: Trial) -> None:
    await drive.run("create_file", **HELLO)
    (request,) = drive.requests
    token = drive.credential.secrets["access_token"].reveal()
    assert request.headers["authorization"] == f"Bearer {token}"
    assert token not in request.url
    assert token.encode() not in (request.body or b"")
    assert isinstance(request, Outgoing)

"""Finding files and reading what is in them."""

import base64
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters._kit.sandbox_google import Ask
from adapters.google_drive.reading import LARGEST_BYTES
from adapters.google_drive.sandbox_state import FILE, METADATA
from adapters.google_drive.searching import quoted
from domain.errors import AnswerGarbled, NotThere, ReconnectNeeded, Rejected, ScopeMissing, SlowDown, Unavailable
from tests.adapters.google_drive.conftest import practice, practice_with
from tests.support.trials import Trial


def names(found: list[dict[str, Any]]) -> list[str]:
    return [each["name"] for each in found]


def last_query(drive: Trial) -> dict[str, list[str]]:
    return parse_qs(urlsplit(drive.requests[-1].url).query)


# ------------------------------------------------------------------------------------------------ searching


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"name_contains": "minutes"}, {"Minutes of March", "To the minutes"}),
        ({"name_contains": "min mar"}, {"Minutes of March"}),
        ({"text_contains": "longer metres"}, {"Plan for the pier"}),
        ({"kind": "folder"}, {"Berths", "Old things"}),
        ({"kind": "spreadsheet"}, {"Fees 2026"}),
        ({"kind": "csv", "folder_id": "folder-berths"}, {"price list.csv"}),
        ({"kind": "image"}, {"logo.png"}),
        ({"folder_id": "root", "kind": "document"}, {"Minutes of March"}),
        ({"owner": "jon@harbour.example"}, {"Tide tables"}),
        ({"shared_with_me": True}, {"Tide tables"}),
        ({"starred": True}, set()),
        ({"in_trash": True}, set()),
        ({"modified_since": "2026-02-01T00:00:00Z"}, set()),
        ({"modified_before": "2026-01-12T10:30:00+01:00", "kind": "video"}, set()),
    ],
)
async def test_files_are_found_by_what_is_known_of_them(
    drive: Trial, asked: dict[str, Any], expected: set[str]
) -> None:
    assert set(names(await drive.run("search_files", **asked))) == expected


async def test_a_moment_is_asked_for_in_universal_time(drive: Trial) -> None:
    found = await drive.run("search_files", modified_since="2026-01-12T10:00:00+01:00", kind="pdf")
    assert found == []
    assert "modifiedTime >= '2026-01-12T09:00:00'" in last_query(drive)["q"][0]


@pytest.mark.parametrize("value", ["it's", "\\", "\\'", "' or trashed = true or name contains '", "ä'\\''b"])
async def test_no_value_breaks_out_of_the_query(drive: Trial, value: str) -> None:
    await drive.run("search_files", name_contains=value, text_contains=value)
    (query,) = last_query(drive)["q"]
    assert query == f"name contains {quoted(value)} and fullText contains {quoted(value)} and trashed = false"
    assert quoted(value).replace("\\\\", "").replace("\\'", "").count("'") == 2


async def test_a_name_with_quotes_and_backslashes_is_found(drive: Trial) -> None:
    assert names(await drive.run("search_files", name_contains="Jon's \\ quote's")) == ["Jon's \\ quote's.txt"]


async def test_what_drive_cannot_sort_is_refused_before_anything_is_sent(drive: Trial) -> None:
    with pytest.raises(Rejected, match="Nothing was sent"):
        await drive.run("search_files", text_contains="pier", order_by="name")
    assert drive.requests == []


async def test_the_newest_change_comes_first_unless_told_otherwise(drive: Trial) -> None:
    made = await drive.run("create_file", name="Zebra.txt", content={"text": "z"})
    assert names(await drive.run("search_files", limit=1)) == ["Zebra.txt"]
    assert names(await drive.run("search_files", order_by="name", limit=1)) == ["Berths"]
    assert made["modified_at"].startswith("2026-11-30T12:00:00")


async def test_a_folder_is_listed_with_folders_first(drive: Trial) -> None:
    top = ["Berths", "Old things", "logo.png", "Minutes of March", "Plan for the pier"]
    assert names(await drive.run("list_files")) == top
    assert names(await drive.run("list_files", folder_id="folder-berths")) == ["Fees 2026", "price list.csv"]


async def test_a_long_list_is_walked_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def two(ask: Ask, name: str, default: int, largest: int) -> int:
        return 2 if name == "pageSize" else default

    monkeypatch.setattr(Ask, "number", two)  # Drive may give less than it was asked for
    async with practice() as drive:
        found = await drive.run("search_files", limit=5)
        assert len({each["id"] for each in found}) == 5
        assert [parse_qs(urlsplit(each.url).query).get("pageToken") for each in drive.requests] == [None, ["2"], ["4"]]


async def test_a_file_is_shown_without_its_content(drive: Trial) -> None:
    found = await drive.run("get_file", file_id="file-price")
    assert (found["kind"], found["media_type"], found["size_bytes"]) == ("file", "text/csv", 25)
    assert (found["folder_id"], found["owner"]) == ("folder-berths", "mara@harbour.example")
    assert (await drive.run("get_file", file_id="doc-minutes"))["kind"] == "document"


async def test_a_file_of_somebody_else_is_not_there(drive: Trial) -> None:
    with pytest.raises(NotThere):
        await drive.run("get_file", file_id="file-diary")


async def test_the_account_tells_how_full_it_is(drive: Trial) -> None:
    found = await drive.run("get_account")
    assert (found["email"], found["limit_bytes"]) == ("mara@harbour.example", 16_106_127_360)
    assert found["used_bytes"] > 0


# -------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("file_id", "media_type", "text"),
    [
        ("doc-minutes", "text/markdown", "# Minutes\n\nThe harbour master's report.\n"),
        ("sheet-fees", "text/csv", "berth,fee\n7,35\n8,40\n"),
        ("slides-plan", "text/plain", "The pier\nLonger by ten metres\n"),
        ("file-price", "text/csv", "size,price\n6 m,35\n9 m,52\n"),
        ("link-minutes", "text/markdown", "# Minutes\n\nThe harbour master's report.\n"),
        ("doc-tides", "text/markdown", "High water at noon.\n"),
    ],
)
async def test_a_file_is_read_in_the_format_that_suits_it(
    drive: Trial, file_id: str, media_type: str, text: str
) -> None:
    found = await drive.run("read_file", file_id=file_id)
    content = found["content"]
    assert (content["media_type"], content["text"], content["is_truncated"]) == (media_type, text, False)


async def test_what_is_not_text_comes_in_base64(drive: Trial) -> None:
    content = (await drive.run("read_file", file_id="file-logo"))["content"]
    assert (content["text"], base64.b64decode(content["base64"])) == (None, b"\x89PNG\x00\x01")


async def test_folders_have_no_content(drive: Trial) -> None:
    with pytest.raises(Rejected, match="folder"):
        await drive.run("read_file", file_id="folder-old")


async def test_more_than_half_a_mebibyte_is_cut_and_says_so(drive: Trial) -> None:
    made = await drive.run("create_file", name="long.txt", content={"text": "x" * 600_000})
    content = (await drive.run("read_file", file_id=made["id"]))["content"]
    assert (content["size"], len(content["text"]), content["is_truncated"]) == (600_000, 512 * 1024, True)


async def test_what_is_too_large_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.google_drive.reading.LARGEST_BYTES", 10)
    async with practice() as drive:
        with pytest.raises(Rejected, match="25 bytes"):
            await drive.run("read_file", file_id="file-price")
        assert len(drive.requests) == 1
    assert LARGEST_BYTES == 10 * 1024 * 1024


async def test_an_uploaded_file_is_downloaded_as_it_is(drive: Trial) -> None:
    content = await drive.run("get_file_content", file_id="file-quote")
    assert (content["media_type"], content["text"]) == ("text/plain", "It's the harbour's.\n")
    with pytest.raises(Rejected) as refused:
        await drive.run("get_file_content", file_id="doc-minutes")
    assert "fileNotDownloadable" in refused.value.message


async def test_google_s_own_files_are_exported(drive: Trial) -> None:
    content = await drive.run("export_file", file_id="doc-minutes", format="pdf")
    assert base64.b64decode(content["base64"]).startswith(b"%PDF")
    with pytest.raises(Rejected) as refused:
        await drive.run("export_file", file_id="file-price", format="pdf")
    assert "fileNotExportable" in refused.value.message
    with pytest.raises(Rejected):
        await drive.run("export_file", file_id="sheet-fees", format="markdown")


# --------------------------------------------------------------------------------- permissions and problems


async def test_with_the_narrowest_permission_only_own_files_are_there(tmp_path: Path) -> None:
    async with practice_with(tmp_path, FILE) as drive:
        with pytest.raises(NotThere):
            await drive.run("get_file", file_id="file-price")
        made = await drive.run("create_file", name="mine.txt", content={"text": "mine"})
        assert names(await drive.run("search_files")) == ["mine.txt"]
        assert (await drive.run("get_file_content", file_id=made["id"]))["text"] == "mine"


async def test_who_may_see_names_may_not_read(tmp_path: Path) -> None:
    async with practice_with(tmp_path, METADATA, FILE) as drive:
        assert "Minutes of March" in names(await drive.run("search_files"))
        with pytest.raises(ScopeMissing):
            await drive.run("get_file_content", file_id="file-price")


@pytest.mark.parametrize(
    ("kind", "problem"),
    [("401", ReconnectNeeded), ("429", SlowDown), ("403_secondary", SlowDown), ("503", Unavailable), ("404", NotThere)],
)
async def test_refusals_are_told_in_our_words(drive: Trial, kind: str, problem: type[Exception]) -> None:
    await drive.misbehave(kind)
    with pytest.raises(problem):
        await drive.run("list_files")


async def test_a_list_that_cannot_be_read_is_garbled(drive: Trial) -> None:
    await drive.misbehave("garbage", "GET */files")
    with pytest.raises(AnswerGarbled):
        await drive.run("list_files")


@pytest.mark.parametrize(
    ("action", "parameters", "pointers"),
    [
        ("search_files", {"name_contains": ""}, ["/name_contains"]),
        ("search_files", {"name_contains": "a\nb"}, ["/name_contains"]),
        ("search_files", {"kind": "spaceship"}, ["/kind"]),
        ("search_files", {"owner": "mara' or '"}, ["/owner"]),
        ("search_files", {"folder_id": "x' in parents"}, ["/folder_id"]),
        ("search_files", {"modified_since": "2026-01-12T10:00:00"}, ["/modified_since"]),
        ("search_files", {"limit": 1001}, ["/limit"]),
        ("search_files", {"shared_with_me": "yes"}, ["/shared_with_me"]),
        ("list_files", {"folder_id": "../root"}, ["/folder_id"]),
        ("get_file", {}, ["/file_id"]),
        ("read_file", {"file_id": "a/b"}, ["/file_id"]),
        ("get_file_content", {"file_id": 7}, ["/file_id"]),
        ("export_file", {"file_id": "a", "format": "exe"}, ["/format"]),
        ("get_account", {"fields": "*"}, ["/fields"]),
    ],
)
def test_bad_input_is_caught_before_a_call_leaves(
    drive: Trial, action: str, parameters: dict[str, Any], pointers: list[str]
) -> None:
    found = drive.integration.actions[f"google_drive.{action}"].check(parameters)
    assert [each.pointer for each in found] == pointers

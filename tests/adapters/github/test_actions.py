"""What GitHub's actions do, tried against the sandbox through real sockets.

The fixture also holds every request against GitHub's own description of its API.
"""

import asyncio
import json
from base64 import b64encode

import pytest

from adapters._kit.http import Outgoing
from adapters.github.sandbox import sandbox
from adapters.github.sandbox_state import TOKEN_EVERYTHING, TOKEN_REPO
from domain.errors import AlreadyThere, AnswerLost, Forbidden, NotThere, ReconnectNeeded, Rejected, SlowDown
from tests.support.trials import Trial, trial

LIGHTHOUSE = {"owner": "lin-harbour", "repo": "lighthouse"}
LEDGER = {"owner": "lin-harbour", "repo": "ledger"}
TIDES = {"owner": "sam-quay", "repo": "tide-tables"}
NOWHERE_SHA = "0" * 40


async def head_of(github: Trial, branch: str) -> str:
    branches = await github.run("list_branches", **LIGHTHOUSE)
    return str(next(each["head_sha"] for each in branches if each["name"] == branch))


def sent_to(github: Trial, method: str, ending: str) -> int:
    return sum(each.method == method and each.url.endswith(ending) for each in github.requests)


# ----------------------------------------------------------------------------------- account and repositories


async def test_the_account_is_shown_with_only_what_agents_need(github: Trial) -> None:
    account = await github.run("get_account")
    assert account["login"] == "lin-harbour"
    assert set(account) == {"id", "login", "name", "email", "url"}


async def test_repositories_are_listed_with_private_ones(github: Trial) -> None:
    found = {each["full_name"]: each["is_private"] for each in await github.run("list_repos")}
    assert found == {"lin-harbour/lighthouse": False, "lin-harbour/ledger": True}


async def test_a_repository_can_be_created_and_read_again(github: Trial) -> None:
    made = await github.run("create_repo", name="pier", description="Where boats land.")
    assert (made["is_private"], made["default_branch"]) == (True, "main")
    assert await github.run("get_repo", owner="lin-harbour", repo="pier") == made


async def test_a_taken_name_is_rejected_in_machine_words_only(github: Trial) -> None:
    with pytest.raises(Rejected) as refused:
        await github.run("create_repo", name="ledger")
    assert refused.value.message == "GitHub answered 422 (name, custom): the request must change."


async def test_what_the_account_cannot_see_is_not_there(github: Trial) -> None:
    with pytest.raises(NotThere):
        await github.run("get_repo", owner="lin-harbour", repo="no-such-thing")


# ------------------------------------------------------------------------------------------------- branches


async def test_a_branch_begins_at_the_default_branch_unless_told_otherwise(github: Trial) -> None:
    made = await github.run("create_branch", **LIGHTHOUSE, branch="fix/fog-horn")
    assert made == {"name": "fix/fog-horn", "head_sha": await head_of(github, "main")}
    made = await github.run("create_branch", **LIGHTHOUSE, branch="dim", from_branch="brighter-lamp")
    assert made["head_sha"] == await head_of(github, "brighter-lamp")
    made = await github.run("create_branch", **LIGHTHOUSE, branch="exact", from_sha=made["head_sha"])
    assert made["head_sha"] == await head_of(github, "exact")


async def test_a_branch_that_exists_is_a_conflict(github: Trial) -> None:
    with pytest.raises(AlreadyThere, match="already a branch"):
        await github.run("create_branch", **LIGHTHOUSE, branch="main")


async def test_a_branch_cannot_begin_at_a_commit_nobody_knows(github: Trial) -> None:
    with pytest.raises(Rejected):
        await github.run("create_branch", **LIGHTHOUSE, branch="lost", from_sha=NOWHERE_SHA)


async def test_an_empty_repository_says_that_it_needs_a_first_file(github: Trial) -> None:
    await github.run("create_repo", name="empty", with_readme=False)
    with pytest.raises(Rejected, match="put_file"):
        await github.run("create_branch", owner="lin-harbour", repo="empty", branch="first")


# ---------------------------------------------------------------------------------------------------- files


async def test_a_file_is_read_as_text(github: Trial) -> None:
    found = await github.run("get_file", **LIGHTHOUSE, path="src/lamp.py", ref="brighter-lamp")
    assert found["kind"] == "text"
    assert found["text"] == 'def light() -> str:\n    return "bright"\n'


async def test_a_directory_is_answered_with_its_entries(github: Trial) -> None:
    found = await github.run("get_file", **LIGHTHOUSE, path="docs")
    assert (found["kind"], found["text"]) == ("directory", None)
    assert [each["path"] for each in found["entries"]] == ["docs/keeper.md"]


async def test_what_is_not_text_says_so(github: Trial) -> None:
    nul = await github.run("put_file", **LIGHTHOUSE, path="lamp.bin", content="a\0b", message="Add")
    found = await github.run("get_file", **LIGHTHOUSE, path="lamp.bin")
    assert (found["kind"], found["text"], found["sha"]) == ("binary", None, nul["sha"])


async def test_a_file_that_is_too_large_says_so(github: Trial) -> None:
    large = {"message": "Log", "content": b64encode(b"x" * 1_100_000).decode()}
    url = f"{github.base_url}/repos/lin-harbour/lighthouse/contents/large.log"
    headers = {"authorization": f"Bearer {TOKEN_REPO}"}
    put = Outgoing("PUT", url, headers, json.dumps(large).encode())
    assert (await github.recording.way_out.send(put)).status == 201
    found = await github.run("get_file", **LIGHTHOUSE, path="large.log")
    assert (found["kind"], found["text"], found["size_bytes"]) == ("too_large", None, 1_100_000)


async def test_all_files_are_listed_and_more_are_admitted(github: Trial) -> None:
    found = await github.run("list_files", **LIGHTHOUSE)
    assert [each["path"] for each in found["files"]] == ["README.md", "docs/keeper.md", "src/lamp.py"]
    assert found["is_complete"]
    found = await github.run("list_files", **LIGHTHOUSE, limit=2)
    assert (len(found["files"]), found["is_complete"]) == (2, False)


async def test_a_file_is_created_and_replaced_only_by_its_sha(github: Trial) -> None:
    told = {**LIGHTHOUSE, "path": "docs/fög horn.md", "message": "Write it down"}
    first = await github.run("put_file", **told, content="Loud.\n")
    with pytest.raises(AlreadyThere, match="already a file"):
        await github.run("put_file", **told, content="Louder.\n")
    await github.run("put_file", **told, content="Louder.\n", expected_sha=first["sha"])
    with pytest.raises(AlreadyThere):
        await github.run("put_file", **told, content="Loudest.\n", expected_sha=first["sha"])
    found = await github.run("get_file", **LIGHTHOUSE, path=told["path"])
    assert found["text"] == "Louder.\n"


async def test_several_files_are_one_commit_and_the_others_stay(github: Trial) -> None:
    files = [
        {"path": "src/lamp.py", "content": "lamp = None\n"},
        {"path": "bin/light", "content": "#!/bin/sh\n", "is_executable": True},
    ]
    head = await head_of(github, "main")
    push = await github.run("push_files", **LIGHTHOUSE, branch="main", message="Light", files=files)
    assert push["parent_sha"] == head
    assert push["commit_sha"] == await head_of(github, "main")
    listed = await github.run("list_files", **LIGHTHOUSE)
    paths = [each["path"] for each in listed["files"]]
    assert paths == ["README.md", "bin/light", "docs/keeper.md", "src/lamp.py"]


async def test_a_push_goes_on_top_of_what_somebody_else_pushed_meanwhile(github: Trial) -> None:
    interrupted = asyncio.Event()

    async def interrupt(request: Outgoing) -> None:
        if request.method == "PATCH" and not interrupted.is_set():
            interrupted.set()
            await github.run("put_file", **LIGHTHOUSE, path="theirs.md", content="First!", message="Theirs")

    github.recording.before = interrupt
    files = [{"path": "ours.md", "content": "Second."}]
    await github.run("push_files", **LIGHTHOUSE, branch="main", message="Ours", files=files)
    paths = {each["path"] for each in (await github.run("list_files", **LIGHTHOUSE))["files"]}
    assert {"ours.md", "theirs.md"} <= paths
    assert sent_to(github, "PATCH", "heads%2Fmain") == 2


async def test_a_push_onto_an_expected_head_is_a_conflict_when_it_moved(github: Trial) -> None:
    told = {**LIGHTHOUSE, "branch": "main", "message": "Mine", "files": [{"path": "mine.md", "content": ""}]}
    with pytest.raises(AlreadyThere, match="expected_head"):
        await github.run("push_files", **told, expected_head=await head_of(github, "brighter-lamp"))
    assert await github.effects() == {}


async def test_a_push_that_is_refused_for_another_reason_is_not_tried_again(github: Trial) -> None:
    await github.misbehave("422", "PATCH *")
    files = [{"path": "mine.md", "content": ""}]
    with pytest.raises(Rejected) as refused:
        await github.run("push_files", **LIGHTHOUSE, branch="main", message="Mine", files=files)
    assert not refused.value.may_have_happened
    assert sent_to(github, "PATCH", "heads%2Fmain") == 1


async def test_workflow_files_are_not_found_without_their_scope(github: Trial) -> None:
    told = {**LIGHTHOUSE, "path": ".github/workflows/test.yml", "content": "on: push\n", "message": "Test"}
    with pytest.raises(NotThere):
        await github.run("put_file", **told)
    async with trial("github", sandbox(), {"token": TOKEN_EVERYTHING}) as everything:
        assert (await everything.run("put_file", **told))["path"] == told["path"]


# --------------------------------------------------------------------------------------------------- issues


async def test_issues_are_listed_without_pull_requests(github: Trial) -> None:
    await github.run("create_pull_request", **LIGHTHOUSE, title="Bright", head="brighter-lamp", base="main")
    found = await github.run("list_issues", **LIGHTHOUSE)
    assert [each["title"] for each in found] == ["Say when the light goes out", "Lamp flickers in fog"]
    assert found[1]["labels"] == ["bug"]


async def test_a_limit_counts_issues_not_pull_requests(github: Trial) -> None:
    await github.run("create_pull_request", **LIGHTHOUSE, title="Bright", head="brighter-lamp", base="main")
    found = await github.run("list_issues", **LIGHTHOUSE, state="all", limit=3)
    assert [each["number"] for each in found] == [3, 2, 1]


async def test_issues_can_be_narrowed_by_labels(github: Trial) -> None:
    found = await github.run("list_issues", **LIGHTHOUSE, labels=["bug"])
    assert [each["title"] for each in found] == ["Lamp flickers in fog"]


async def test_a_long_list_is_walked_page_by_page(github: Trial) -> None:
    await asyncio.gather(*(github.run("create_issue", **LEDGER, title=f"Entry {n}") for n in range(120)))
    del github.requests[:]
    found = await github.run("list_issues", **LEDGER, limit=110)
    assert len({each["number"] for each in found}) == 110
    assert len(github.requests) == 2


async def test_an_issue_is_opened_changed_commented_closed_and_found(github: Trial) -> None:
    made = await github.run("create_issue", **LIGHTHOUSE, title="Fog horn is hoarse", labels=["sound"])
    number = {"number": made["number"]}
    assert (made["author"], made["labels"]) == ("lin-harbour", ["sound"])
    changed = await github.run(
        "update_issue", **LIGHTHOUSE, **number, labels=[], state="closed", state_reason="not_planned"
    )
    assert (changed["title"], changed["labels"]) == ("Fog horn is hoarse", [])
    assert (changed["state"], changed["state_reason"]) == ("closed", "not_planned")
    comment = await github.run("comment_issue", **LIGHTHOUSE, **number, body="It is only tired.")
    assert await github.run("list_comments", **LIGHTHOUSE, **number) == [comment]
    assert (await github.run("get_issue", **LIGHTHOUSE, **number))["comments"] == 1
    found = await github.run("search_issues", query="hoarse is:closed repo:lin-harbour/lighthouse")
    assert [(each["number"], each["repository"]) for each in found] == [(made["number"], "lin-harbour/lighthouse")]


async def test_a_pull_request_is_no_issue(github: Trial) -> None:
    pull = await github.run("create_pull_request", **LIGHTHOUSE, title="Bright", head="brighter-lamp", base="main")
    with pytest.raises(NotThere, match="get_pull_request"):
        await github.run("get_issue", **LIGHTHOUSE, number=pull["number"])
    found = await github.run("search_issues", query="Bright", kind="pull-request")
    assert [each["number"] for each in found] == [pull["number"]]


# -------------------------------------------------------------------------------------------- pull requests


async def test_a_pull_request_is_opened_read_and_merged(github: Trial) -> None:
    told = {**LIGHTHOUSE, "title": "Brighter lamp", "head": "brighter-lamp", "base": "main"}
    made = await github.run("create_pull_request", **told, body="Seen from the pier.")
    number = {"number": made["number"]}
    assert (made["state"], made["is_draft"], made["head_branch"]) == ("open", False, "brighter-lamp")
    with pytest.raises(Rejected):
        await github.run("create_pull_request", **told)
    assert [each["number"] for each in await github.run("list_pull_requests", **LIGHTHOUSE)] == [made["number"]]
    seen = await github.run("get_pull_request", **LIGHTHOUSE, **number)
    merge = await github.run(
        "merge_pull_request", **LIGHTHOUSE, **number, expected_head=seen["head_sha"], method="squash"
    )
    assert merge == {"sha": await head_of(github, "main"), "is_merged": True}
    assert (await github.run("get_pull_request", **LIGHTHOUSE, **number))["merged_at"] is not None
    with pytest.raises(AlreadyThere, match="cannot be merged now"):
        await github.run("merge_pull_request", **LIGHTHOUSE, **number, expected_head=seen["head_sha"])


async def test_a_pull_request_is_merged_as_it_was_seen_or_not_at_all(github: Trial) -> None:
    made = await github.run("create_pull_request", **LIGHTHOUSE, title="Bright", head="brighter-lamp", base="main")
    told = {**LIGHTHOUSE, "branch": "brighter-lamp", "path": "late.md", "content": "", "message": "Late"}
    await github.run("put_file", **told)
    with pytest.raises(AlreadyThere):
        await github.run("merge_pull_request", **LIGHTHOUSE, number=made["number"], expected_head=made["head_sha"])


# --------------------------------------------------------------------------------------- when things go wrong


async def test_a_revoked_token_needs_a_person(github: Trial) -> None:
    await github.misbehave("401")
    with pytest.raises(ReconnectNeeded):
        await github.run("get_account")


@pytest.mark.parametrize("kind", ["429", "403_secondary"])
async def test_a_rate_limit_says_when_to_come_back(github: Trial, kind: str) -> None:
    await github.misbehave(kind, retry_after=7)
    with pytest.raises(SlowDown) as limited:
        await github.run("create_issue", **LIGHTHOUSE, title="Once")
    assert limited.value.retry_at is not None
    assert not limited.value.may_have_happened
    assert await github.effects() == {}


async def test_a_plain_403_is_no_rate_limit(github: Trial) -> None:
    with pytest.raises(Forbidden):
        await github.run("put_file", **TIDES, path="mine.md", content="", message="Mine")


async def test_a_lost_answer_to_a_write_may_have_happened(github: Trial) -> None:
    await github.misbehave("lost_answer", "POST */issues")
    with pytest.raises(AnswerLost) as lost:
        await github.run("create_issue", **LIGHTHOUSE, title="Was I opened?")
    assert lost.value.may_have_happened
    assert (await github.effects())["POST /repos/{owner}/{repo}/issues"] == 1


@pytest.mark.parametrize("step", ["GET */git/ref/*", "GET */git/commits/*", "POST */git/trees", "POST */git/commits"])
async def test_a_push_that_lost_an_answer_before_moving_the_branch_has_not_happened(github: Trial, step: str) -> None:
    await github.misbehave("reset", step)
    files = [{"path": "mine.md", "content": ""}]
    with pytest.raises(AnswerLost) as lost:
        await github.run("push_files", **LIGHTHOUSE, branch="main", message="Mine", files=files)
    assert not lost.value.may_have_happened
    assert "PATCH /repos/{owner}/{repo}/git/refs/{ref}" not in await github.effects()


async def test_a_push_that_lost_the_last_answer_may_have_happened(github: Trial) -> None:
    await github.misbehave("lost_answer", "PATCH *")
    files = [{"path": "mine.md", "content": ""}]
    with pytest.raises(AnswerLost) as lost:
        await github.run("push_files", **LIGHTHOUSE, branch="main", message="Mine", files=files)
    assert lost.value.may_have_happened


async def test_the_token_goes_into_one_header_and_nowhere_else(github: Trial) -> None:
    await github.run("create_issue", **LIGHTHOUSE, title="Quiet")
    (request,) = github.requests
    token = github.credential.secrets["token"].reveal()
    assert request.headers["authorization"] == f"Bearer {token}"
    rest = json.dumps([request.url, (request.body or b"").decode(), repr(request)])
    assert token not in rest

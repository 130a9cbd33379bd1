"""Git objects, settings of repositories, deletions and releases, against the sandbox and GitHub's description."""

import pytest

from domain.errors import AlreadyThere, Forbidden, NotThere, Rejected
from tests.support.trials import Trial

LIGHTHOUSE = {"owner": "lin-harbour", "repo": "lighthouse"}


async def test_a_push_by_hand_adds_a_picture_and_removes_a_file(github: Trial) -> None:
    head = (await github.run("get_ref", **LIGHTHOUSE, branch="main"))["sha"]
    base = (await github.run("get_commit", **LIGHTHOUSE, sha=head))["tree_sha"]
    blob = await github.run("create_blob", **LIGHTHOUSE, content="AAEC", encoding="base64")
    entries = [{"path": "lamp.bin", "sha": blob["sha"]}, {"path": "docs/keeper.md", "remove": True}]
    tree = await github.run("create_tree", **LIGHTHOUSE, entries=entries, base_tree=base)
    told = {**LIGHTHOUSE, "message": "Picture", "tree": tree["sha"]}
    commit = await github.run("create_commit", **told, parents=[head])
    assert commit["parents"] == [head]
    moved = await github.run("update_ref", **LIGHTHOUSE, branch="main", sha=commit["sha"])
    assert moved == {"ref": "refs/heads/main", "sha": commit["sha"]}
    listed = await github.run("list_files", **LIGHTHOUSE)
    assert [each["path"] for each in listed["files"]] == ["README.md", "lamp.bin", "src/lamp.py"]
    with pytest.raises(AlreadyThere, match="does not stand on"):
        await github.run("update_ref", **LIGHTHOUSE, branch="main", sha=head)


async def test_an_entry_that_says_two_things_is_refused_before_anything_is_sent(github: Trial) -> None:
    with pytest.raises(Rejected, match="exactly one"):
        await github.run("create_tree", **LIGHTHOUSE, entries=[{"path": "a", "content": "", "remove": True}])
    assert github.requests == []


async def test_settings_change_and_the_rest_stays(github: Trial) -> None:
    changed = await github.run("update_repo", **LIGHTHOUSE, description="Brighter", default_branch="brighter-lamp")
    assert (changed["description"], changed["default_branch"]) == ("Brighter", "brighter-lamp")
    assert (await github.run("update_repo", **LIGHTHOUSE, is_archived=True))["description"] == "Brighter"
    with pytest.raises(Forbidden):
        await github.run("create_issue", **LIGHTHOUSE, title="Too late")


async def test_a_repository_is_hidden_and_shown(github: Trial) -> None:
    assert (await github.run("set_repo_visibility", **LIGHTHOUSE, is_private=True))["is_private"]
    assert not (await github.run("set_repo_visibility", **LIGHTHOUSE, is_private=False))["is_private"]


async def test_a_repository_is_made_in_an_organisation_and_deleted(owner: Trial) -> None:
    made = await owner.run("create_org_repo", organisation="harbour-works", name="crane")
    assert made["full_name"] == "harbour-works/crane"
    where = {"owner": "harbour-works", "repo": "crane"}
    await owner.run("put_file", **where, path="arm.md", content="Long.\n", message="Measure")
    await owner.run("delete_repo", **where)
    with pytest.raises(NotThere):
        await owner.run("delete_repo", **where)
    with pytest.raises(NotThere):
        await owner.run("create_org_repo", organisation="nobody-works", name="crane")


async def test_deleting_a_repository_needs_its_own_scope(github: Trial) -> None:
    with pytest.raises(Forbidden):
        await github.run("delete_repo", **LIGHTHOUSE)


async def test_a_file_is_deleted_as_it_was_seen_or_not_at_all(github: Trial) -> None:
    told = {**LIGHTHOUSE, "path": "docs/keeper.md"}
    seen = await github.run("get_file", **told)
    with pytest.raises(AlreadyThere):
        await github.run("delete_file", **told, message="Away", expected_sha="0" * 40)
    gone = await github.run("delete_file", **told, message="Away", expected_sha=seen["sha"])
    assert gone["commit_sha"] == (await github.run("get_ref", **LIGHTHOUSE, branch="main"))["sha"]
    with pytest.raises(NotThere):
        await github.run("get_file", **told)


async def test_a_branch_is_deleted_once_and_never_the_default_one(github: Trial) -> None:
    await github.run("delete_branch", **LIGHTHOUSE, branch="brighter-lamp")
    for branch in ("brighter-lamp", "main"):
        with pytest.raises(Rejected):
            await github.run("delete_branch", **LIGHTHOUSE, branch=branch)


async def test_a_release_is_published_once_per_tag(github: Trial) -> None:
    told = {**LIGHTHOUSE, "tag": "v1.1.0"}
    made = await github.run("create_release", **told, name="Brighter", body="Seen further.", target="brighter-lamp")
    assert (made["tag"], made["is_draft"], made["author"]) == ("v1.1.0", False, "lin-harbour")
    assert made["published_at"] is not None
    with pytest.raises(Rejected, match="already_exists"):
        await github.run("create_release", **told)
    assert [each["tag"] for each in await github.run("list_releases", **LIGHTHOUSE)] == ["v1.1.0", "v1.0.0"]


async def test_a_draft_is_not_published(github: Trial) -> None:
    made = await github.run("create_release", **LIGHTHOUSE, tag="v2.0.0", is_draft=True, is_prerelease=True)
    assert (made["is_draft"], made["published_at"]) == (True, None)

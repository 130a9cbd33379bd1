"""The parameters that GitHub's actions share."""

from typing import TypeAlias

from adapters._kit import Annotated, Field

# No name is dots alone, and no path climbs: one of the first three characters of each part is not a dot.
_PATH_PART = r"\.{0,2}[^/.\x00-\x1f][^/\x00-\x1f]*"
_BRANCH_PART = r"[^/.~^:?*\[\\\x00-\x20\x7f][^/~^:?*\[\\\x00-\x20\x7f]*"

Owner: TypeAlias = Annotated[
    str,
    Field(
        description="Login of the person or organisation that owns the repository.",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$",
        max_length=64,
    ),
]
RepoName: TypeAlias = Annotated[
    str,
    Field(
        description="Name of the repository, without its owner.",
        pattern=r"^\.{0,2}[A-Za-z0-9_-][A-Za-z0-9._-]*$",
        max_length=100,
    ),
]
BranchName: TypeAlias = Annotated[
    str,
    Field(
        description="Name of a branch, without `refs/heads/`.",
        pattern=rf"^{_BRANCH_PART}(?:/{_BRANCH_PART})*$",
        max_length=244,
    ),
]
FilePath: TypeAlias = Annotated[
    str,
    Field(
        description="Path from the root of the repository, such as `docs/guide.md`, no slash before it.",
        pattern=rf"^{_PATH_PART}(?:/{_PATH_PART})*$",
        max_length=1000,
    ),
]
Sha: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
IssueNumber: TypeAlias = Annotated[
    int, Field(description="Number of the issue or pull request within the repository.", ge=1, le=2**31 - 1)
]
PullNumber: TypeAlias = Annotated[
    int, Field(description="Number of the pull request within the repository.", ge=1, le=2**31 - 1)
]
Title: TypeAlias = Annotated[str, Field(description="One line.", min_length=1, max_length=256)]
Body: TypeAlias = Annotated[str, Field(description="Markdown. `@name` notifies that person.", max_length=65_536)]
CommitMessage: TypeAlias = Annotated[
    str,
    Field(description="Commit message; its first line is the summary.", min_length=1, max_length=10_000),
]
Labels: TypeAlias = Annotated[list[Annotated[str, Field(min_length=1, max_length=50)]], Field(max_length=100)]
Logins: TypeAlias = Annotated[list[Annotated[str, Field(min_length=1, max_length=64)]], Field(max_length=10)]
Limit: TypeAlias = Annotated[
    int,
    Field(description="How many to return at most. When that many come back, there may be more.", ge=1, le=500),
]

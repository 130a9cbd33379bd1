"""Everything an agent may do at GitHub, in one list. Each subject has its module."""

from adapters.github.files import get_file, list_files, push_files, put_file
from adapters.github.issues import (
    comment_issue,
    create_issue,
    get_issue,
    list_comments,
    list_issues,
    search_issues,
    update_issue,
)
from adapters.github.pull_requests import (
    create_pull_request,
    get_pull_request,
    list_pull_requests,
    merge_pull_request,
)
from adapters.github.repositories import (
    create_branch,
    create_repo,
    get_account,
    get_repo,
    list_branches,
    list_repos,
)

__all__ = [
    "comment_issue",
    "create_branch",
    "create_issue",
    "create_pull_request",
    "create_repo",
    "get_account",
    "get_file",
    "get_issue",
    "get_pull_request",
    "get_repo",
    "list_branches",
    "list_comments",
    "list_files",
    "list_issues",
    "list_pull_requests",
    "list_repos",
    "merge_pull_request",
    "push_files",
    "put_file",
    "search_issues",
    "update_issue",
]

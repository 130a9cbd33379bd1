"""Git objects as Git itself names them: blobs, trees and commits by SHA-1 of their canonical bytes.

Only what pushing, merging and reading files need. No network protocol, no packs, no tags.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime

from pydantic import BaseModel, Field

FILE_MODE = "100644"
TREE_MODE = "040000"


class TreeEntry(BaseModel):
    """One line of one directory."""

    name: str
    mode: str
    sha: str

    @property
    def kind(self) -> str:
        """What the entry points at, in the words of the API."""
        return {TREE_MODE: "tree", "160000": "commit"}.get(self.mode, "blob")


class File(BaseModel):
    """A file of a flattened tree."""

    mode: str = FILE_MODE
    sha: str


class Signature(BaseModel):
    """Who and when. `date` is ISO 8601 in UTC."""

    name: str
    email: str
    date: str


class Commit(BaseModel):
    """One commit."""

    tree: str
    parents: list[str]
    message: str
    author: Signature
    committer: Signature


class ObjectStore(BaseModel):
    """The objects and branches of one repository. `branches` maps a short name to a commit."""

    blobs: dict[str, bytes] = Field(default_factory=dict)
    trees: dict[str, list[TreeEntry]] = Field(default_factory=dict)
    commits: dict[str, Commit] = Field(default_factory=dict)
    branches: dict[str, str] = Field(default_factory=dict)

    model_config = {"ser_json_bytes": "base64", "val_json_bytes": "base64"}

    def add_blob(self, content: bytes) -> str:
        """Store a file's content; the same content gives the same name."""
        sha = _name("blob", content)
        self.blobs[sha] = content
        return sha

    def add_tree(self, files: Mapping[str, File]) -> str:
        """Store the directories that hold these files (path -> file); the root's name."""
        here: list[TreeEntry] = []
        below: dict[str, dict[str, File]] = {}
        for path, file in files.items():
            first, slash, rest = path.partition("/")
            if slash:
                below.setdefault(first, {})[rest] = file
            else:
                here.append(TreeEntry(name=first, mode=file.mode, sha=file.sha))
        for name, inner in below.items():
            here.append(TreeEntry(name=name, mode=TREE_MODE, sha=self.add_tree(inner)))
        # Git sorts a directory as if its name ended in a slash
        here.sort(key=lambda entry: entry.name + ("/" if entry.kind == "tree" else ""))
        sha = _name("tree", b"".join(_tree_line(entry) for entry in here))
        self.trees[sha] = here
        return sha

    def add_commit(self, commit: Commit) -> str:
        """Store a commit; its name depends on everything in it."""
        lines = [f"tree {commit.tree}", *(f"parent {parent}" for parent in commit.parents)]
        lines += [
            f"author {_stamp(commit.author)}",
            f"committer {_stamp(commit.committer)}",
            "",
            commit.message,
        ]
        sha = _name("commit", "\n".join(lines).encode())
        self.commits[sha] = commit
        return sha

    def files(self, tree: str, prefix: str = "") -> dict[str, File]:
        """Every file below a tree, by path."""
        found: dict[str, File] = {}
        for entry in self.trees[tree]:
            path = prefix + entry.name
            if entry.kind == "tree":
                found |= self.files(entry.sha, path + "/")
            else:
                found[path] = File(mode=entry.mode, sha=entry.sha)
        return found

    def files_at(self, commit: str) -> dict[str, File]:
        """Every file of a commit, by path."""
        return self.files(self.commits[commit].tree)

    def ancestry(self, commit: str) -> list[str]:
        """The commit and all before it, nearest first."""
        order, seen, waiting = [], {commit}, [commit]
        while waiting:
            current = waiting.pop(0)
            order.append(current)
            fresh = [parent for parent in self.commits[current].parents if parent not in seen]
            seen.update(fresh)
            waiting += fresh
        return order

    def is_fast_forward(self, old: str, new: str) -> bool:
        """Can a branch move from old to new without losing a commit?"""
        return old in self.ancestry(new)

    def merged_files(self, base: str, head: str) -> dict[str, File] | None:
        """Base with head's changes since they parted, or None when both changed one path differently.

        Whole files only: two changes to different lines of one file are a conflict here, not at GitHub.
        """
        ours, theirs = self.files_at(base), self.files_at(head)
        before = self.ancestry(base)
        shared = next((sha for sha in self.ancestry(head) if sha in before), None)
        origin = self.files_at(shared) if shared else {}
        merged = dict(ours)
        for path in changed_paths(origin, theirs):
            if ours.get(path) != origin.get(path) and ours.get(path) != theirs.get(path):
                return None
            if path in theirs:
                merged[path] = theirs[path]
            else:
                merged.pop(path, None)
        return merged


def changed_paths(before: Mapping[str, File], after: Mapping[str, File]) -> list[str]:
    """The paths added, removed or altered between two flattened trees."""
    return sorted(path for path in {*before, *after} if before.get(path) != after.get(path))


def entry_clash(paths: Iterable[str]) -> bool:
    """Is some path both a file and a directory of another?"""
    known = set(paths)
    return any(parent in known for path in known for parent in _parents(path))


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _name(kind: str, content: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()


def _tree_line(entry: TreeEntry) -> bytes:
    return f"{entry.mode.lstrip('0')} {entry.name}\0".encode() + bytes.fromhex(entry.sha)


def _stamp(signature: Signature) -> str:
    seconds = int(datetime.fromisoformat(signature.date).timestamp())
    return f"{signature.name} <{signature.email}> {seconds} +0000"

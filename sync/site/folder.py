"""The folder of a site: every file is replaced atomically, and only if its content changes.

New files are written to a staging folder and then renamed, dependencies before pages, `index.html` last. A build that fails or is
killed leaves complete files of the old or the new site. The manifest is written last, so the next build finishes the rest.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from sync.errors import SiteBusy, SiteError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


MANIFEST = ".manifest.json"
_LOCK, _STAGING = ".lock", ".staging"
_FORMAT = 1
_LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Flags for the lock file: another user of the folder could replace it by a link or a pipe."""
_FOLDERS = {"templates", "assets", "media"}
_LAST = ("changes.html", "index.html")


class Manifest(msgspec.Struct):
    """The state of the last build.

    Attributes:
        format: the version of this struct.
        stamp: hash of all inputs.
        files: path → hash of its inputs.
        spare: files of the previous build, kept for one build because open pages refer to them.
        copies: URL of a cover without its query → path of the copy.
        missing: number of covers that could not be fetched.
    """

    format: int = _FORMAT
    stamp: str = ""
    files: dict[str, str] = {}
    spare: list[str] = []
    copies: dict[str, str] = {}
    missing: int = 0


class Folder:
    """A site's folder, locked while it is open."""

    def __init__(self, path: Path, old: Manifest) -> None:
        self.path = path
        self.old = old
        self._new: dict[str, str] = {}
        self._staged: list[str] = []

    def is_current(self, stamp: str) -> bool:
        """Return whether the last build had this stamp and fetched all covers, and all its files exist."""
        unchanged = self.old.stamp == stamp and not self.old.missing
        return unchanged and all((self.path / name).is_file() for name in self.old.files)

    def keep_all(self) -> None:
        """Keep every file of the last build that is not written again."""
        self._new.update(self.old.files)

    def fresh(self, path: str, inputs: str) -> bool:
        """Return whether a file exists and has the same inputs; it is then kept."""
        if self.old.files.get(path) == inputs and (self.path / path).is_file():
            self._new[path] = inputs
            return True
        return False

    def put(self, path: str, content: str | bytes, inputs: str) -> None:
        """Write a file to the staging folder; `inputs` is the hash of its inputs."""
        target = self.path / _STAGING / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_encoded(content))
        self._new[path] = inputs
        self._staged.append(path)

    def put_if_new(self, path: str, content: str | bytes) -> None:
        """Write a file unless it exists with this content."""
        raw = _encoded(content)
        inputs = hashlib.sha256(raw).hexdigest()
        if not self.fresh(path, inputs):
            self.put(path, raw, inputs)

    def publish(self, stamp: str, copies: Mapping[str, str], missing: int) -> tuple[int, int]:
        """Rename the staged files, delete obsolete ones; return the numbers of written and deleted files."""
        for name in {Path(path).parent for path in self._staged}:
            (self.path / name).mkdir(parents=True, exist_ok=True)
        for path in sorted(self._staged, key=_publish_order):
            (self.path / _STAGING / path).replace(self.path / path)
        obsolete = [path for path in self.old.files if path not in self._new]
        spare = [path for path in obsolete if not path.endswith((".html", ".json", ".xml"))]
        deleted = [path for path in {*obsolete, *self.old.spare} if path not in spare and path not in self._new]
        for path in deleted:
            (self.path / path).unlink(missing_ok=True)
        new = Manifest(_FORMAT, stamp, dict(sorted(self._new.items())), sorted(spare), dict(sorted(copies.items())), missing)
        if new != self.old:
            (self.path / _STAGING).mkdir(exist_ok=True)
            staged = self.path / _STAGING / "manifest"
            staged.write_bytes(msgspec.json.format(msgspec.json.encode(new), indent=1))
            staged.replace(self.path / MANIFEST)
        return len(self._staged), len(deleted)


def _encoded(content: str | bytes) -> bytes:
    return content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content


def _publish_order(path: str) -> tuple[int, bool]:
    """Return the sort key of publishing: files that pages refer to, template pages, changes.html, index.html."""
    return (_LAST.index(path) + 1 if path in _LAST else 0), path.endswith(".html")


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Convert errors of the file system to a SiteError."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise SiteError(
            f"The site in {path} could not be written: {reason}.", hint="The previous site, if any, is unchanged."
        ) from error


@contextmanager
def open_folder(path: Path) -> Iterator[Folder]:
    """Open and lock a folder for one build.

    Raises:
        UsageError: it contains files of another origin, or is not a folder.
        SiteError: it cannot be written.
        SiteBusy: another process is building there.
    """
    with errors_of(path):
        refuse_foreign_files(path)
        path.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path / _LOCK, _LOCK_FLAGS, 0o666), "w") as lock:
            if not stat.S_ISREG(os.fstat(lock.fileno()).st_mode):
                raise SiteError(f"{path / _LOCK} is not a regular file.", hint="Delete it; the next build creates it.")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SiteBusy(f"Another process is writing the site in {path}.") from None
            if (path / _STAGING).is_symlink():
                (path / _STAGING).unlink()
            shutil.rmtree(path / _STAGING, ignore_errors=True)
            try:
                yield Folder(path, _read(path / MANIFEST))
            finally:
                shutil.rmtree(path / _STAGING, ignore_errors=True)


def refuse_foreign_files(path: Path) -> None:
    """Refuse a folder with files of another origin, because a build overwrites and deletes files.

    Raises:
        UsageError: it has such files, or is not a folder.
    """
    if links := sorted(name for name in _FOLDERS if (path / name).is_symlink()):
        raise UsageError(
            f"{path / links[0]} is a link, so files would be written and deleted elsewhere.",
            hint="Delete the link; the directory itself may be one.",
        )
    if path.is_dir() and not (path / MANIFEST).exists():
        others = [name for each in path.iterdir() if (name := each.name)[0] != "." and name not in {*_FOLDERS, "lost+found"}]
        if others:
            raise UsageError(
                f"{path} contains files that do not belong to a site of this program, such as {min(others)!r}.",
                hint="Use a separate directory: its files would be overwritten.",
            )
    elif path.exists() and not path.is_dir():
        raise UsageError(f"{path} is not a directory.", hint="Use a directory; it is created if it does not exist.")


def _read(path: Path) -> Manifest:
    """Read the manifest of the last build; if it is missing or invalid, return an empty one: everything is built again.

    Files that it names are deleted later, so it is invalid if it names a file that no site has.
    """
    try:
        if not path.is_file():  # opening a pipe would block
            return Manifest()
        found = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Manifest()
    good = found.format == _FORMAT and all(map(_is_ours, (*found.files, *found.spare, *found.copies.values())))
    return found if good else Manifest()


def _is_ours(path: str) -> bool:
    """Return whether a site can have a file of this path: inside the folder, and not one of the hidden files."""
    if "\0" in path or not path.isascii():
        return False
    *folders, name = path.split("/")
    return name not in {"", ".", ".."} and (folders[0] in _FOLDERS if len(folders) == 1 else not folders and name[0] != ".")


def cursor_of(folder: Path) -> str | None:
    """Return the cursor of the last build, from freshness.js; None if there is no readable site."""
    try:
        text = (folder / "freshness.js").read_text(encoding="utf-8")
        known: dict[str, Any] = json.loads(text.partition("=")[2].strip().removesuffix(";"))
        cursor = known["cursor"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return cursor if isinstance(cursor, str) else None

"""Writing a file so that it is there whole or not at all, whatever ends us in between."""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

from snapshotter.errors import StorageError, UsageError
from snapshotter.store.names import is_unfinished, unfinished_name
from snapshotter.store.privacy import check_parent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["atomic_file", "make_directory", "remove_unfinished", "storage_error"]

_FILE_MODE = 0o600
_DIRECTORY_MODE = 0o700

# A file takes well under a second to write: what is older was left by a writer that was killed.
_UNFINISHED_AGE_S = 3600

_SENTENCES = {
    errno.ENOSPC: ("disk-full", "the disk is full", "Free some space, or write elsewhere."),
    errno.EDQUOT: ("disk-full", "the disk quota is used up", "Free some space."),
    errno.EROFS: ("read-only", "the file system is read-only", "Write elsewhere."),
    errno.EACCES: ("not-writable", "we may not write there", "Write elsewhere."),
    errno.EPERM: ("not-writable", "we may not write there", "Write elsewhere."),
    errno.ENOTDIR: ("not-a-directory", "a part of its path is not a directory", ""),
    errno.EEXIST: ("not-a-directory", "a part of its path is not a directory", ""),
    errno.ENOENT: ("no-such-directory", "its directory does not exist", "Create it first."),
    errno.EFBIG: ("file-too-large", "it is larger than a file may be", "Raise ulimit -f."),
    errno.EMFILE: ("too-many-files", "too many files are open", "Raise ulimit -n."),
    errno.ENFILE: ("too-many-files", "too many files are open", ""),
    errno.ENAMETOOLONG: ("name-too-long", "its name is too long", "Choose a shorter name."),
    errno.EIO: ("io-error", "the disk reported an error", "See the kernel log."),
}

# What file systems without hard links say to link().
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS}


@contextmanager
def atomic_file(path: Path, *, overwrite: bool = False, tidy: bool = True) -> Iterator[BinaryIO]:
    """Open a new file, readable by us only, that appears as ``path`` when the block ends well.

    ``tidy`` also removes what killed writers of the same file left an hour ago or more.

    An exception in the block leaves nothing behind, and an old file as it was. When the block has
    ended, the file has reached the disk. Raises UsageError when ``path`` exists and ``overwrite``
    is not set, or is not a plain file; StorageError when it cannot be written.
    """
    _check_destination(path, overwrite=overwrite)
    if tidy:
        remove_unfinished(path.parent, of=path.name, older_than_s=_UNFINISHED_AGE_S)
    temporary = path.with_name(unfinished_name(path.name, os.urandom(8).hex()))
    try:
        with _created(temporary) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        _publish(temporary, path, overwrite=overwrite)
        _sync_directory(path.parent)
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        try:
            _remove(temporary)
        except KeyboardInterrupt:  # it came just now, and may have kept us from it
            _remove(temporary)
            raise


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def make_directory(path: Path) -> None:
    """Create ``path`` and its parents where they are missing, for us only.

    Raises StorageError, and UsageError where others could put something else in its place.
    """
    try:
        missing = [each for each in (path, *path.parents) if not each.is_dir()]
        if missing:
            check_parent(missing[-1].parent)
        for directory in reversed(missing):
            directory.mkdir(mode=_DIRECTORY_MODE, exist_ok=True)
    except OSError as error:
        raise storage_error(path, error) from error


def remove_unfinished(directory: Path, *, of: str | None = None, older_than_s: float = 0) -> None:
    """Remove what killed writers left in ``directory``, only under temporary names of ours.

    ``of`` restricts it to one final name. What cannot be removed stays.
    """
    before_s = time.time() - older_than_s
    with suppress(OSError):
        for path in directory.iterdir():
            if is_unfinished(path.name, of=of):
                with suppress(OSError):
                    if path.lstat().st_mtime <= before_s:
                        path.unlink()


def storage_error(path: Path, error: OSError) -> StorageError:
    """Return the error that says why ``path`` could not be written."""
    slug, reason, hint = _SENTENCES.get(
        error.errno or 0, ("storage", error.strerror or str(error), "")
    )
    if error.errno == errno.ENOENT and path.parent.is_dir():  # such as /proc
        slug, reason, hint = "not-writable", "no file can be made there", "Write elsewhere."
    return StorageError(f"{path} was not written: {reason}.", hint=hint, slug=slug)


def _check_destination(path: Path, *, overwrite: bool) -> None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise storage_error(path, error) from error
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(
            f"{path} is not a plain file and cannot be replaced.",
            hint="Name a file that does not exist yet.",
            slug="not-a-file",
        )
    if not overwrite:
        raise _exists(path)


def _exists(path: Path) -> UsageError:
    return UsageError(
        f"{path} exists already.",
        hint="Overwrite it with --force, or name another file.",
        slug="file-exists",
    )


@contextmanager
def _created(path: Path) -> Iterator[BinaryIO]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, _FILE_MODE), "wb") as stream:
        yield stream


def _publish(temporary: Path, path: Path, *, overwrite: bool) -> None:
    if not overwrite:
        # Unlike a rename, a link never replaces what somebody else put there meanwhile.
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            raise _exists(path) from None
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
        else:
            return
    temporary.rename(path)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot; the file itself was synced.
        if error.errno not in {errno.EINVAL, errno.EOPNOTSUPP}:
            raise
    finally:
        os.close(descriptor)

"""A folder behind a URL, through fsspec: files in and out, passing failures tried again, errors in clear words.

Credentials and endpoints are the environment's affair, as fsspec and its packages read it
(``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``, a role, …). No error quotes what a service or library said beyond
its code: that may hold signed addresses.
"""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from chat_migration.clock import Clock
from chat_migration.errors import (
    MigrationError,
    StageUnreachableError,
    StoppedError,
    UsageError,
)

ATTEMPTS = 4
"""How often a transfer is tried; the packages below repeat single requests by themselves, too."""
PARALLEL = 4
_CHUNK = 8 << 20
_SPARE_BYTES = 256 << 20
"""What a download leaves free on this machine's disk."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*(://|::)")
_OPTIONS: dict[str, dict[str, int]] = {"s3": {"chunksize": _CHUNK, "max_concurrency": 2}}
"""Protocol → what bounds the memory of one transfer; its own defaults hold a hundred megabytes per file."""
_LOCAL_TROUBLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}
_LASTING = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError,
            NotImplementedError, ValueError, TypeError, ImportError)  # fmt: skip
_REFUSALS = {
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound",
    "NoAuthTokenError", "TokenRetrievalError",
}  # fmt: skip
_MISUSES = {"ParamValidationError", "InvalidRegionError", "UnknownEndpointError"}

Result = TypeVar("Result")


def is_url(text: str) -> bool:
    """Tell a URL from a path.

    >>> is_url("s3://bucket/x"), is_url("zip::s3://bucket/x.zip"), is_url("/x/y"), is_url("C:/x")
    (True, True, False, False)
    """
    return _URL.match(text) is not None


def shown(url: str) -> str:
    """Return a URL without user, password, parameters and fragment.

    >>> shown("sftp://ann:se/cret@host:22/drops/?token=1")
    'sftp://host:22/drops/'
    >>> shown("https://host:80/a@b"), shown("s3://bucket/a@b#c")
    ('https://host:80/a@b', 's3://bucket/a@b')
    """
    scheme, _, rest = re.split(r"[?#]", url, maxsplit=1)[0].partition("://")
    return f"{scheme}://{rest[len(_user(rest)) :]}"


def _user(rest: str) -> str:
    """Return what stands before the address proper, ``user@`` or ``user:password@``; a password may hold slashes."""
    first = rest.split("/", 1)[0]
    if "@" in first or (":" in first and not re.fullmatch(r"[^:]*:\d*", first)):
        return rest[: rest.rfind("@") + 1]
    return ""


class RemoteFile(msgspec.Struct, frozen=True):
    """One file behind a URL. ``mark`` changes when its content does; ``modified_s`` is 0 where nobody says."""

    path: str
    size: int
    mark: str
    modified_s: int


class Remote:
    """A folder, or a lone file, behind one URL. Connects at the first use.

    Every method raises:
        UsageError: the URL is wrong, or names what is not there and must be.
        StoppedError: access is refused, or this machine's disk is full.
        StageUnreachableError: no usable answer after several attempts.

    A missing file is a plain :class:`FileNotFoundError`, which callers give its meaning.
    """

    def __init__(self, url: str, *, what: str, setting: str, clock: Clock) -> None:
        self.shown, self._url = shown(url), url
        self._what, self._setting, self._clock = what, setting, clock
        self._opened: tuple[Any, str] | None = None
        if "::" in url or "://" not in url:
            raise UsageError(
                f"{setting} is no plain URL: it chains several with `::`.",
                expected="One, such as `s3://bucket/x`.",
            )
        if ":" in _user(url.partition("://")[2]):
            raise UsageError(
                f"{setting} has a password in its URL.",
                expected="Credentials are taken from the environment, such as AWS_SECRET_ACCESS_KEY.",
                advice="Take them out of the URL, and change a password that others may have seen.",
            )

    # --- one file at a time ---------------------------------------------------------------------

    def read(self, path: str) -> bytes:
        """Return a small file's content."""
        data: bytes = self._try(lambda fs, root: fs.cat_file(f"{root}/{path}"))
        return data

    def write(self, path: str, data: bytes) -> None:
        """Write a small file at once: readers see all of it or what was there before."""
        try:
            self._try(lambda fs, root: _write(fs, f"{root}/{path}", data))
        except FileNotFoundError:
            raise self._nowhere() from None

    def upload(self, file: Path, path: str) -> None:
        """Write a file from this machine's disk; memory is bounded."""
        try:
            self._try(lambda fs, root: _upload(fs, file, f"{root}/{path}"))
        except FileNotFoundError:
            raise self._nowhere() from None

    def download(self, path: str, file: Path) -> None:
        """Write a file to this machine's disk; ``path`` "" is the lone file itself. Memory is bounded."""
        self._try(
            lambda fs, root: fs.get_file(
                f"{root}/{path}" if path else root, str(file), **_options(fs)
            )
        )

    def delete(self, paths: Iterable[str]) -> None:
        """Delete files; those that are not there are deleted already."""
        for path in paths:
            try:
                self._try(lambda fs, root, path=path: fs.rm_file(f"{root}/{path}"))  # type: ignore[misc]
            except FileNotFoundError:
                continue

    # --- many ---------------------------------------------------------------------------------

    def listing(self, folder: str = "") -> list[RemoteFile]:
        """Return all files below a folder of it, by path relative to that; none if there is no such folder."""

        def found(fs: Any, root: str) -> list[RemoteFile]:
            base = f"{root}/{folder}".rstrip("/")
            entries = fs.find(base, detail=True).items()
            return [
                _file(name.removeprefix(base).lstrip("/"), entry)
                for name, entry in sorted(entries)
                if entry.get("type") == "file" and name != base and not name.endswith("/")
            ]

        try:
            return self._try(found)
        except FileNotFoundError:
            return []

    def lone_file(self) -> RemoteFile | None:
        """Return the file that the URL itself names, or None where it names a folder or nothing."""
        try:
            entry = self._try(lambda fs, root: fs.info(root))
        except FileNotFoundError:
            return None
        if entry.get("type") != "file" or self._url.endswith("/"):
            return None
        return _file(str(entry["name"]).rsplit("/", 1)[-1], entry)

    def side_by_side(self, works: Iterable[Callable[[], object]]) -> None:
        """Do several transfers at a time; the first failure ends them."""
        with ThreadPoolExecutor(PARALLEL) as pool:
            running = [pool.submit(work) for work in works]
            try:
                for each in running:
                    each.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def require_room(self, size: int, folder: Path) -> None:
        """Refuse a download that this machine's disk cannot hold.

        Raises:
            StoppedError: fewer bytes are free.
        """
        free = shutil.disk_usage(folder).free
        if size + _SPARE_BYTES > free:
            raise StoppedError(
                f"`{self.shown}` needs {size:,} bytes under `{folder}`, and {free:,} are free there.",
                expected=f"{_SPARE_BYTES:,} bytes stay free.",
                advice="Make room, or set CHAT_MIGRATION_HOME to a larger disk.",
            )

    # --- failures ---------------------------------------------------------------------------------

    def _try(self, work: Callable[[Any, str], Result]) -> Result:
        attempts = Retrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential(max=20),
            sleep=self._clock.sleep,
            reraise=True,
        )
        fs, root = self._open()
        try:
            return attempts(work, fs, root)
        except (FileNotFoundError, MigrationError):
            raise
        except Exception as error:  # whatever a file system's package raises
            raise self._named(error) from None

    def _open(self) -> tuple[Any, str]:
        if self._opened is None:
            # Imported late: a stage on this machine's disk needs none of it.
            from fsspec.core import url_to_fs  # noqa: PLC0415

            try:
                fs, root = url_to_fs(self._url, use_listings_cache=False)
            except (ValueError, ImportError):
                raise UsageError(
                    f"{self._setting} is `{self.shown}`, which no installed package can open.",
                    expected="A folder, or a URL such as `s3://bucket/prefix`.",
                ) from None
            except Exception as error:
                raise self._named(error) from None
            if not root.strip("/"):
                raise UsageError(
                    f"{self._setting} is `{self.shown}`, which names no bucket.",
                    expected="A URL such as `s3://bucket/prefix`.",
                )
            self._opened = fs, root.rstrip("/")
        return self._opened

    def _nowhere(self) -> UsageError:
        return UsageError(
            f"{self._what} `{self.shown}` does not exist.",
            advice=f"Create the bucket or folder, or correct {self._setting}.",
        )

    def _named(self, error: Exception) -> MigrationError:
        """Return an error of ours for one of a file system's package."""
        code = _code(error)
        if isinstance(error, OSError) and error.errno in _LOCAL_TROUBLE:
            return StoppedError(
                f"This machine's disk took no more of `{self.shown}`: {code}.",
                advice="Make room where CHAT_MIGRATION_HOME is, and run again.",
            )
        if isinstance(error, PermissionError) or type(error).__name__ in _REFUSALS:
            return StoppedError(
                f"{self._what} `{self.shown}` refuses access: {code}.",
                expected=self._access(),
                advice="Correct the credentials in the environment of every worker, and run again.",
            )
        if isinstance(error, _LASTING) or type(error).__name__ in _MISUSES:
            return UsageError(
                f"{self._what} `{self.shown}` cannot be used: {code}.",
                advice=f"Correct {self._setting}.",
            )
        return StageUnreachableError(
            f"{self._what} `{self.shown}` gives no usable answer: {code}.",
            advice="Run again when it can be reached; its address is the environment's affair, as its credentials are.",
            done="What was sent is in the ledger.",
        )

    def _access(self) -> str:
        if not self.shown.startswith("s3://"):
            return "Address and credentials in the environment, as the package of this kind of URL reads them."
        return (
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role, that may list, read, write and delete there; "
            "AWS_ENDPOINT_URL or AWS_ENDPOINT_URL_S3 for a service that is not Amazon's."
        )


def _write(fs: Any, path: str, data: bytes) -> None:
    fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True) if _has_folders(fs) else None
    fs.pipe_file(path, data)


def _upload(fs: Any, file: Path, path: str) -> None:
    if _has_folders(fs):
        fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
    fs.put_file(str(file), path, **_options(fs))


def _protocol(fs: Any) -> str:
    return fs.protocol if isinstance(fs.protocol, str) else str(fs.protocol[0])


def _has_folders(fs: Any) -> bool:
    """Tell whether files need a folder made for them; an object store would make a bucket of it."""
    return _protocol(fs) not in {"s3", "gs", "gcs", "abfs", "az", "oss", "oci"}


def _options(fs: Any) -> dict[str, int]:
    return _OPTIONS.get(_protocol(fs), {})


def _file(path: str, entry: dict[str, Any]) -> RemoteFile:
    modified = next(
        (
            entry[name]
            for name in ("LastModified", "mtime", "created", "updated")
            if entry.get(name)
        ),
        None,
    )
    seconds = modified.timestamp() if isinstance(modified, datetime) else modified
    seconds = int(seconds) if isinstance(seconds, int | float) else 0
    size = int(entry.get("size") or 0)
    tag = str(entry.get("ETag") or entry.get("etag") or entry.get("md5Hash") or "")
    mark = blake2b(f"{size}/{seconds}/{tag}".encode(), digest_size=8).hexdigest()
    return RemoteFile(path, size, mark, seconds)


def _may_pass(error: BaseException) -> bool:
    """Tell whether waiting can help."""
    if isinstance(error, OSError) and error.errno in _LOCAL_TROUBLE:
        return False
    return (
        isinstance(error, Exception)
        and not isinstance(error, (MigrationError, *_LASTING))
        and type(error).__name__ not in _REFUSALS | _MISUSES
    )


def _code(error: BaseException) -> str:
    """Return what kind of failure it was: the service's code, else the system's, else the exception's name."""
    for each in (error, error.__cause__, error.__context__):
        response = getattr(each, "response", None)
        code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
        if isinstance(code, str) and re.fullmatch(r"[A-Za-z0-9_.]{1,60}", code):
            return code
    if isinstance(error, OSError) and error.errno:
        return errno.errorcode.get(error.errno, type(error).__name__)
    return type(error).__name__

"""What an account may read and write: the caller's, or with root's help the service's."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.agent.examination.finding import Finding, fine, mend
from edge_agent.core.errors import ConfigurationError
from edge_agent.inference import find_model
from edge_agent.watch import list_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from edge_agent.config import Settings, StreamSettings

MOST_FOLDERS = 2_000
"""Folders below a stream's that are entered to see whether they may be."""


def access(settings: Settings, configuration: Path) -> Iterator[Finding]:
    """Every file and folder of the configuration, tried by the account that this process runs as."""
    yield _readable("configuration", configuration)
    for setting, path in secret_files(settings):
        yield _readable(setting, path)
    for stream in settings.stream:
        yield _folder(stream)
        yield from _model(settings, stream)
    yield _state_dir(settings.agent.place)


def secret_files(settings: Settings) -> Iterator[tuple[str, Path]]:
    """Settings that name a file which the agent reads, and the file."""
    for title, section in (("http", settings.http), ("kafka", settings.kafka), ("alert", settings.alert)):
        for name in () if section is None else type(section).model_fields:
            path = getattr(section, name)
            if isinstance(path, Path):
                yield f"[{title}] {name}", path


def barrier(path: Path) -> str:
    """The first folder on the way to `path` that may not be entered, in words; "" when there is none."""
    for parent in reversed(path.parents):
        if not is_folder(parent):
            return f"{parent} is not there"
        if not os.access(parent, os.X_OK):
            return f"{parent} may not be entered"
    return ""


def is_folder(path: Path) -> bool:
    """Whether a folder is to be seen there."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _readable(part: str, path: Path) -> Finding:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        way_out = "correct its path" if isinstance(error, FileNotFoundError) else f"let {account()} read it"
        return mend(part, f"{path}: {barrier(path) or error.strerror}; {way_out}")
    return fine(part, f"{path} can be read")


def _folder(stream: StreamSettings) -> Finding:
    """Whether the stream's folder, those below it and its newest file can be read."""
    part, root = f"stream {stream.name}: folder", stream.path
    if not barrier(root) and root.exists() and not root.is_dir():
        return mend(part, f"{root} is a file; name the folder that it lies in, and files by include")
    waiting, entered = [str(root)], 0
    while waiting and entered < MOST_FOLDERS:
        path = waiting.pop()
        entered += 1
        try:
            with os.scandir(path) as entries:
                waiting += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError as error:
            if path == str(root):
                why = barrier(root) or error.strerror
                return mend(part, f"there is no folder {root} for {account()} ({why}); create it, connect its drive, or correct the path")
        except OSError as error:
            why = barrier(Path(path)) or error.strerror
            return mend(part, f"{path}: {why}; let {account()} list and enter it (r and x, also of every folder above it)")
    found = next(iter(list_files(root, stream.include, stream.exclude)), None)
    if found is not None:
        try:
            (root / found.path).open("rb").close()
        except OSError as error:
            return mend(part, f"{found.path} cannot be opened ({error.strerror}); let {account()} read the instrument's files")
    return fine(part, f"{root} can be listed and entered, and its files read, by {account()}")


def _model(settings: Settings, stream: StreamSettings) -> Iterator[Finding]:
    part = f"stream {stream.name}: model's files"
    try:
        folder = find_model(stream.model.name, settings.agent.model_dirs)
    except ConfigurationError as error:
        yield mend(part, str(error))
        return
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if stream.model.calibration is not None:
        files.append(stream.model.calibration)
    yield next((found for found in (_readable(part, path) for path in files) if not found.good), fine(part, f"{folder} can be read"))


def _state_dir(place: Path) -> Finding:
    """Whether the state directory can be written, without making it: whoever makes it owns it."""
    part = "state directory"
    try:
        if is_folder(place):
            handle, name = tempfile.mkstemp(prefix="doctor-", dir=place)
            os.close(handle)
            Path(name).unlink()
            return fine(part, f"{place} can be written by {account()}")
        if place.exists():
            return mend(part, f"{place} is a file; name a folder in [agent] state_dir")
        parent = next(folder for folder in place.parents if is_folder(folder))
        if os.access(parent, os.W_OK | os.X_OK):
            return fine(part, f"{place} is made at the first run")
        return mend(part, f"{place} is not there, and {account()} may not make it in {parent}; make it for that account, mode 0700")
    except OSError as error:
        why = barrier(place) or error.strerror or str(error)
        return mend(
            part, f"{place} cannot be written ({why}); give it to {account()}, or set [agent] state_dir to a folder that it may write"
        )


def account() -> str:
    """The account that this process acts as."""
    if sys.platform == "win32":
        return os.environ.get("USERNAME", "this account")
    import pwd  # noqa: PLC0415 - POSIX only

    with suppress(KeyError):
        return pwd.getpwuid(os.geteuid()).pw_name
    return f"user {os.geteuid()}"


def findings_as(user: str, check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """What `check` finds in a process of the account `user`; raises ConfigurationError where none can be had."""
    if sys.platform == "win32":
        raise ConfigurationError("--as", "Windows lends nobody's account", f"run this as {user}, such as with runas /user:{user}")
    import pwd  # noqa: PLC0415 - POSIX only

    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise ConfigurationError(f"--as {user}", "there is no such account", "name the account that the service runs as") from None
    if os.geteuid() not in {0, entry.pw_uid}:
        raise ConfigurationError(f"--as {user}", "only root may act as another account", f"use sudo, or sudo -u {user}") from None
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        with suppress(BaseException):
            os.close(reading)
            os.initgroups(user, entry.pw_gid)
            os.setgid(entry.pw_gid)
            os.setuid(entry.pw_uid)
            tempfile.tempdir = None  # the caller's may be closed to this account
            with os.fdopen(writing, "w", encoding="utf-8") as told:
                json.dump([astuple(finding) for finding in check()], told)
            code = 0
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as told:
        said = told.read()
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise ConfigurationError(f"--as {user}", "the account could not be taken on", f"run this as {user}, such as with sudo -u {user}")
    return [Finding(*row) for row in json.loads(said)]

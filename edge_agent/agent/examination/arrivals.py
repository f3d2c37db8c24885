"""The file system that a stream's folder lies on: whether the operating system tells of new files there, and what time it keeps."""

from __future__ import annotations

import time
import uuid
from threading import Event
from typing import TYPE_CHECKING

from edge_agent.agent.examination.finding import fine, mend, note
from edge_agent.agent.examination.folders import SKEW_S, span
from edge_agent.journal import network_file_system
from edge_agent.watch import tells_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.agent.examination.finding import Finding
    from edge_agent.config import StreamSettings

EVENT_PATIENCE_S = 3.0
LOCAL = "a local file system"


def file_system(stream: StreamSettings, *, probe: bool) -> Iterator[Finding]:
    """On what file system the folder lies, and whether its events arrive; `probe` allows one hidden file to be written for that."""
    part, kind = f"stream {stream.name}: events", network_file_system(stream.path)
    where = f"a network file system ({kind})" if kind else LOCAL
    if stream.observer == "polling":
        yield fine(part, f"{where}; observer = polling asks for none, the folder is looked at every second")
        return
    if not probe:
        lost = ", where events of other machines' writing may not arrive: scans find those files" if kind else ""
        yield note(part, f"{where}{lost}; events not tried: --probe writes one hidden file for a second")
        return
    yield from _probed(stream, where)


def _probed(stream: StreamSettings, where: str) -> Iterator[Finding]:
    part, name = f"stream {stream.name}: events", f".edge-agent-doctor-{uuid.uuid4().hex[:12]}.tmp"
    path, heard = stream.path / name, Event()
    try:
        with tells_of(stream.path, name, heard):
            before_ns = time.time_ns()
            try:
                path.write_bytes(b"edge-agent doctor\n")
            except OSError as error:
                yield note(part, f"{where}; not tried: no file may be written there ({error.strerror}), as it should be for a service")
                return
            try:
                skew_s = _skew_s(path.stat().st_mtime_ns, before_ns, time.time_ns())
                came = heard.wait(EVENT_PATIENCE_S)
            finally:
                path.unlink(missing_ok=True)
    except OSError as error:
        yield mend(
            part, f"{where}, but no events can be had ({error.strerror or error}); raise fs.inotify.max_user_watches and max_user_instances"
        )
        return
    if came:
        others = "" if where == LOCAL else ", those of other machines' writing may not: scans find these files"
        yield fine(part, f"{where}; the event of a file written here arrived{others}")
    else:
        yield mend(part, f'{where}; no event arrived within {EVENT_PATIENCE_S:.0f} s; set observer = "polling" for this stream')
    if abs(skew_s) > SKEW_S:
        said = f"the share's clock is {span(abs(skew_s))} {'ahead of' if skew_s > 0 else 'behind'} this machine's"
        yield mend(f"stream {stream.name}: clock", f"{said}; let both follow one time server (NTP)")


def _skew_s(written_ns: int, before_ns: int, after_ns: int) -> float:
    """How far the time that a share gave a file lies outside of when it was written here, seconds."""
    if written_ns < before_ns:
        return (written_ns - before_ns) / 1e9
    return max(0, written_ns - after_ns) / 1e9

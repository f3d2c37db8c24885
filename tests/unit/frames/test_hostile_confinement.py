"""What a decoder may not do, whatever the file that it reads makes of it."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from edge_agent.frames import DecodeLimits, DecoderLostError, DecoderProcess
from edge_agent.frames.confinement import OPEN_FILES
from edge_agent.frames.pipe import Request
from tests.watched import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows knows none of these limits")

CONFINED = """
import os, resource, sys, tempfile, threading
import numpy
from edge_agent.frames import DecodeLimits
from edge_agent.frames.confinement import allow_time, be_first_to_go, confine
be_first_to_go()
if os.geteuid() == 0:
    os.setgid(65534), os.setuid(65534)  # root may start as many processes as it likes
confine(DecodeLimits(memory_bytes=1 << 30), alone=True)
def spin():
    allow_time(-4.9)  # which leaves a second at most, because the grace is added
    while True:
        pass
def thread():
    threading.Thread(target=print).start()
try:
    print(eval(sys.argv[1]))
except Exception as error:
    print(type(error).__name__)
"""


def confined(deed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", CONFINED, deed], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("deed", "outcome"),
    [
        ("len(bytearray(2 << 30))", "MemoryError"),
        ("tempfile.TemporaryFile()", "FileNotFoundError"),
        (f"len([open('/dev/null') for _ in range({OPEN_FILES})])", "OSError"),
        ("os.fork()", "BlockingIOError"),
        ("thread()", "RuntimeError"),
        ("resource.getrlimit(resource.RLIMIT_CORE)", "(0, 0)"),
        ("numpy.ones((500, 500)).dot(numpy.ones((500, 500))).sum()", "125000000.0"),
        ("len(open('/dev/null').read())", "0"),
    ],
    ids=["memory", "writing", "open files", "processes", "threads", "memory dumps", "arithmetic", "reading"],
)
def test_each_is_denied_and_what_decoding_needs_is_not(deed: str, outcome: str) -> None:
    assert confined(deed).stdout.strip() == outcome


def test_limits_cannot_be_raised_again() -> None:
    assert confined("resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))").stdout.strip() == "ValueError"


def test_the_kernel_ends_a_decoder_that_computes_for_ever() -> None:
    assert confined("spin()").returncode == -signal.SIGXCPU


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says whom it takes first")
def test_when_the_machine_has_no_memory_left_the_decoder_goes_and_not_the_agent() -> None:
    assert confined("open('/proc/self/oom_score_adj').read().strip()").stdout.strip() == "1000"


FORKS = """
import os, time
from edge_agent.frames.pipe import Request, send_frames
from edge_agent.frames.worker import serve

def answer(request):
    if os.fork() == 0:
        time.sleep(600)  # with the pipe open: whoever waits for its end would wait as long
    os._exit(3)

serve(Request, answer, send_frames, alone=False)
"""


def group_of(leader: int) -> list[int]:
    found = []
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(pid) == leader and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
    return found


async def test_what_a_decoder_started_goes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_decoder_that_forks.py").write_text(FORKS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    process = DecoderProcess("a_decoder_that_forks")
    assert group_of(process.pid) == [process.pid]
    with pytest.raises(DecoderLostError, match=r"more than 0\.5 s"):
        process.decode(Request("/a.tif", "a.tif", DecodeLimits(time_s=0.5), None))
    await until(lambda: not group_of(process.pid))


def test_a_decoder_is_not_told_the_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_AGENT__KAFKA__PASSWORD", "hunter2")
    process = DecoderProcess()
    try:
        assert "hunter2" not in str(psutil.Process(process.pid).environ())
    finally:
        process.stop()

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from edge_agent.core.errors import EdgeAgentError, FrameRejectedError
from edge_agent.frames import DecodeLimits, DecoderPool, decode, drive, process
from edge_agent.frames import pool as pool_module
from edge_agent.frames.pipe import Request
from edge_agent.frames.refusal import refuse
from tests.hostile_files import micrograph, tiff
from tests.watched import until


@pytest.fixture
def good(tmp_path: Path) -> str:
    (tmp_path / "good.tif").write_bytes(tiff(np.stack([micrograph(), micrograph(seed=1)])))
    return str(tmp_path / "good.tif")


async def gone(pid: int) -> None:
    def ended() -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    await until(ended)


async def test_a_process_decodes_as_the_function_does(good: str) -> None:
    pool = DecoderPool()
    there, here = (await pool.read(good, "good.tif")).frames, decode(good, "good.tif")
    await pool.close()
    for one, other in zip(there, here, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert (one.content_hash, one.statistics, one.acquisition) == (other.content_hash, other.statistics, other.acquisition)


async def test_processes_start_with_the_first_file_and_end_when_idle(good: str) -> None:
    pool = DecoderPool(idle_s=0.05)
    assert pool.process_ids == ()
    await pool.read(good, "good.tif")
    (pid,) = pool.process_ids
    await gone(pid)
    assert pool.process_ids == ()
    await pool.read(good, "good.tif")
    await pool.close()


async def test_a_decoder_that_is_called_for_early_is_the_one_that_reads_and_ends_when_no_file_comes(good: str) -> None:
    pool = DecoderPool(workers=2, idle_s=1.0)
    for _ in range(3):
        pool.warm()
    assert pool._warming is not None
    await pool._warming
    (early,) = pool.process_ids
    await pool.read(good, "good.tif")
    assert pool.process_ids == (early,)
    pool.warm()
    assert pool.process_ids == (early,)
    await gone(early)
    pool.warm()
    await pool._warming
    (unused,) = pool.process_ids
    await gone(unused)
    await pool.close()
    pool.warm()
    assert pool.process_ids == ()


async def test_a_decoder_that_cannot_be_started_early_is_told_of_by_who_needs_it(good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = DecoderPool()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    pool.warm()
    assert pool._warming is not None
    await pool._warming
    with pytest.raises(EdgeAgentError, match="did not start"):
        await pool.read(good, "good.tif")
    await pool.close()


async def test_closing_gives_up_a_decoder_that_is_just_starting(good: str) -> None:
    pool = DecoderPool()
    pool.warm()
    await asyncio.sleep(0.01)
    await pool.close()
    assert pool._warming is not None
    await until(lambda: not decoders())


def decoders() -> list[int]:
    """Decoder processes of this one; a test session may have other children, such as a broker."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if "edge_agent.frames.worker" in child.cmdline():
                found.append(child.pid)
    return found


async def test_a_decoder_killed_from_outside_costs_no_file(good: str) -> None:
    pool = DecoderPool()
    await pool.read(good, "good.tif")
    (pid,) = pool.process_ids
    os.kill(pid, signal.SIGKILL)
    await gone(pid)
    assert len((await pool.read(good, "good.tif")).frames) == 2
    await pool.close()


@pytest.mark.parametrize("kills", [3, 100], ids=["shortage", "costly file"])
async def test_decoders_killed_one_after_the_other_cost_no_file_unless_it_is_the_file(
    good: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    """What the fault bench met: two decoders killed from outside over one file, which was blamed for it."""
    started: list[int] = []

    class Killed(process.DecoderProcess):
        def decode(self, request: Any) -> Any:
            started.append(self.pid)
            if len(started) <= kills:
                os.kill(self.pid, signal.SIGKILL)
            return super().decode(request)

    monkeypatch.setattr(pool_module, "DecoderProcess", Killed)
    monkeypatch.setattr(pool_module, "PAUSE_S", 0.01)
    pool = DecoderPool()
    if kills > 3:
        with pytest.raises(FrameRejectedError, match="exit code -9") as refused:
            await pool.read(good, "costly.tif")
        assert refused.value.cause == "decoder_failed"
    else:
        assert len((await pool.read(good, "good.tif")).frames) == 2
    assert len(set(started)) == 4
    await pool.close()


@pytest.mark.parametrize(("body", "attempts"), [("time.sleep(60)", 2), ("while True: pass", 1)], ids=["deadlock", "endless loop"])
async def test_a_file_that_takes_too_long_is_refused_and_the_next_is_read(
    good: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, attempts: int
) -> None:
    """One that computes, after one attempt; one over which decoders wait although its drive answers, after two."""
    started: list[int] = []

    class Caught(process.DecoderProcess):
        def __init__(self) -> None:
            super().__init__("caught_decoder")
            started.append(self.pid)

    program = (
        f"import time\nfrom edge_agent.frames.pipe import Request, send_frames\nfrom edge_agent.frames.worker import serve\n"
        f"def answer(request):\n    {body}\nserve(Request, answer, send_frames)\n"
    )
    (tmp_path / "caught_decoder.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    pool = DecoderPool(limits=DecodeLimits(time_s=1.0))
    with monkeypatch.context() as patched:
        patched.setattr(pool_module, "DecoderProcess", Caught)
        patched.setattr(process, "WORKING_SHARE", 0.1)  # on a busy machine
        with pytest.raises(FrameRejectedError, match="took more than 1 s") as refused:
            await pool.read(good, "slow.tif")
    assert refused.value.cause == "decoder_failed"
    assert len(started) == attempts
    assert not any(map(psutil.pid_exists, started))
    assert len((await pool.read(good, "good.tif")).frames) == 2
    await pool.close()


async def test_a_decoder_that_is_stopped_from_outside_costs_no_file(good: str) -> None:
    pool = DecoderPool(limits=DecodeLimits(time_s=2.0))
    await pool.read(good, "good.tif")
    (pid,) = pool.process_ids
    os.kill(pid, signal.SIGSTOP)
    assert len((await pool.read(good, "good.tif")).frames) == 2
    assert not psutil.pid_exists(pid)
    await pool.close()


async def test_a_drive_that_hangs_keeps_its_files_waiting_without_one_decoder_after_the_other(
    good: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = threading.Event()

    def hanging(_: str) -> None:
        back.wait(60)

    pool = DecoderPool(limits=DecodeLimits(time_s=2.0))
    await pool.read(good, "good.tif")
    monkeypatch.setattr(drive, "_read", hanging)
    monkeypatch.setattr(drive, "ANSWERS_WITHIN_S", 0.1)
    os.kill(pool.process_ids[0], signal.SIGSTOP)  # as one that waits for the drive
    for _ in range(3):
        with pytest.raises(EdgeAgentError, match="does not answer") as waits:
            await pool.read(good, "good.tif")
        assert not isinstance(waits.value, FrameRejectedError)
        assert pool.process_ids == ()
    back.set()
    async with asyncio.timeout(20):
        while True:
            try:
                assert len((await pool.read(good, "good.tif")).frames) == 2
                break
            except EdgeAgentError:  # the question is just being answered
                await asyncio.sleep(0.01)
    await pool.close()


async def test_a_decoder_may_not_take_more_memory_than_it_is_given(tmp_path: Path, good: str) -> None:
    (tmp_path / "bomb.tif").write_bytes(tiff(np.zeros((9_000, 9_000, 4), np.uint8), compression="zlib", photometric="rgb"))
    pool = DecoderPool(limits=DecodeLimits(memory_bytes=500 << 20))
    with pytest.raises(FrameRejectedError) as refused:
        await pool.read(str(tmp_path / "bomb.tif"), "bomb.tif")
    assert refused.value.cause == "too_large"
    assert len((await pool.read(good, "good.tif")).frames) == 2
    await pool.close()


async def test_closing_ends_every_process_even_in_the_middle_of_a_file(good: str) -> None:
    pool = DecoderPool(workers=2)
    await asyncio.gather(*(pool.read(good, "good.tif") for _ in range(8)))
    pids = pool.process_ids
    assert 1 <= len(pids) <= 2
    os.kill(pids[0], signal.SIGSTOP)
    reading = [asyncio.ensure_future(pool.read(good, "good.tif")) for _ in range(2)]
    await asyncio.sleep(0.05)
    async with asyncio.timeout(5):
        await pool.close()
    await asyncio.gather(*reading, return_exceptions=True)
    assert not any(psutil.pid_exists(pid) for pid in pids)


async def test_decoders_die_with_their_parent(good: str) -> None:
    program = (
        "import asyncio, sys\nfrom edge_agent.frames import DecoderPool\n"
        "async def main():\n    pool = DecoderPool()\n    await pool.read(sys.argv[1], 'a')\n"
        "    print(*pool.process_ids, flush=True)\n    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program, good, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    await gone(pid)


async def test_a_decoder_inherits_no_descriptor_but_its_pipes(good: str, tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        os.set_inheritable(lock.fileno(), True)
        pool = DecoderPool()
        await pool.read(good, "good.tif")
        (pid,) = pool.process_ids
        opened = {file.path for file in psutil.Process(pid).open_files()}
        await pool.close()
    assert str(tmp_path / "lock") not in opened


async def test_an_installation_that_cannot_decode_says_so_instead_of_blaming_files(good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process.sys, "executable", "/bin/false")
    pool = DecoderPool()
    with pytest.raises(EdgeAgentError, match="did not start") as failed:
        await pool.read(good, "good.tif")
    assert not isinstance(failed.value, FrameRejectedError)
    await pool.close()


async def test_a_decoder_that_answered_as_its_time_ran_out_does_not_cost_the_next_file(good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = process.DecoderProcess.decode

    def just_in_time(of: process.DecoderProcess, request: Any) -> Any:
        reply = answer(of, request)
        of.late = True
        of.kill()
        return reply

    pool = DecoderPool()
    with monkeypatch.context() as patched:
        patched.setattr(process.DecoderProcess, "decode", just_in_time)
        assert len((await pool.read(good, "good.tif")).frames) == 2
    assert pool.process_ids == ()
    assert len((await pool.read(good, "good.tif")).frames) == 2
    await pool.close()


async def test_a_decoder_whose_answer_could_not_be_taken_is_not_asked_again(good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = DecoderPool()
    await pool.read(good, "good.tif")
    (pid,) = pool.process_ids

    def no_room(*_: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(process.DecoderProcess, "decode", no_room)
        with pytest.raises(MemoryError):
            await pool.read(good, "good.tif")
    assert pool.process_ids == ()
    await gone(pid)
    assert len((await pool.read(good, "good.tif")).frames) == 2
    await pool.close()


async def test_being_late_once_is_not_being_late_for_ever(good: str) -> None:
    decoder = process.DecoderProcess()
    decoder.late = True
    try:
        await asyncio.to_thread(decoder.decode, Request(good, "good.tif", DecodeLimits(), None))
        assert not decoder.late
    finally:
        decoder.stop()


async def test_a_file_that_waits_for_a_decoder_when_the_pool_closes_is_not_blamed(good: str) -> None:
    pool = DecoderPool()
    await pool.read(good, "good.tif")
    os.kill(pool.process_ids[0], signal.SIGSTOP)
    reading = [asyncio.ensure_future(pool.read(good, "good.tif")) for _ in range(2)]
    await asyncio.sleep(0.05)
    async with asyncio.timeout(10):
        await pool.close()
        for failed in await asyncio.gather(*reading, return_exceptions=True):
            assert isinstance(failed, EdgeAgentError)
            assert not isinstance(failed, FrameRejectedError)


async def test_a_decoder_thread_that_hangs_keeps_no_process_alive() -> None:
    program = (
        "import asyncio, time\nfrom edge_agent.frames import DecoderPool\n"
        "DecoderPool._decode = lambda *_: time.sleep(60)\n"
        "async def main():\n    pool = DecoderPool()\n    task = asyncio.create_task(pool.read('a', 'a'))\n"
        "    await asyncio.wait([task], timeout=0.2)\n    task.cancel()\n    await asyncio.wait([task])\n    await pool.close()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    try:
        async with asyncio.timeout(20):
            assert await parent.wait() == 0
    finally:
        if parent.returncode is None:
            parent.kill()
            await parent.wait()


@pytest.mark.parametrize("cause", ["unreadable", "decoder_failed"])
def test_what_is_not_noticed_by_itself_is_asked_to_be_touched(cause: str) -> None:
    with pytest.raises(FrameRejectedError) as refused:
        refuse("a.tif", cause, "cannot be read")
    assert "touch or save it" in refused.value.remedy


def test_a_drive_answers_also_by_an_error_and_by_what_is_no_file(tmp_path: Path, good: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").touch()
    for name in (good, str(tmp_path / "fifo"), str(tmp_path / "empty"), str(tmp_path / "gone"), "no\0name"):
        drive.Drive().ask(name)

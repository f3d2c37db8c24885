"""Frames that grow, move, vanish, hide or lie: each is named with its reason, nothing else is lost, and the next good frame is scored."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
import zlib
from typing import TYPE_CHECKING

import pytest

from edge_agent.frames import content_hash
from tests.an_agent import AgentProcess, frame, until, write_frame
from tests.faults.seen import decoder_held, next_good_frame_is_scored, paths, pending, quarantined

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PR_CAPBSET_DROP = 24
NO_UNICODE = os.fsdecode(b"latin1 gr\xf6\xdfe.tif") if os.name == "posix" else "gr\udcf6\udcdfe.tif"
"""A name from another character set: no UTF-8."""
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2


@pytest.fixture
def agent(tmp_path: Path, models: Path) -> Iterator[AgentProcess]:
    with AgentProcess(tmp_path / "home", tmp_path / "images", model_dirs=models, stream="settle_timeout_s = 1.5") as agent:
        yield agent


def test_a_frame_that_grows_is_scored_once_and_whole(tmp_path: Path, agent: AgentProcess) -> None:
    agent.start().ready()
    content = write_frame(tmp_path / "whole.tif", frame(1, (256, 256))).read_bytes()
    pieces = [content[start : start + 4096] for start in range(0, len(content), 4096)]
    with (agent.watched / "growing.tif").open("wb", buffering=0) as file:
        for number, piece in enumerate(pieces):
            file.write(piece)
            # each piece is written when a good frame written after the last one is through: the agent has had time to err
            if number % 3 == 0:
                next_good_frame_is_scored(agent, f"meanwhile{number}.tif")
                assert "growing.tif" not in paths(agent)
    until(lambda: "growing.tif" in paths(agent), "the grown frame")
    next_good_frame_is_scored(agent)
    assert paths(agent).count("growing.tif") == 1
    content_hashes = {event["data"]["path"]: event["data"]["content_hash"] for event in agent.events("scored")}
    assert content_hashes["growing.tif"] == content_hash(frame(1, (256, 256)))
    assert quarantined(agent) == {}


def test_a_frame_written_elsewhere_and_renamed_into_place_is_scored_under_its_last_name(tmp_path: Path, agent: AgentProcess) -> None:
    agent.start().ready()
    outside = write_frame(tmp_path / "elsewhere" / "x.tif", frame(1))
    outside.rename(agent.watched / "moved_in.tif")
    inside = agent.watched / "unfinished.tmp"
    inside.write_bytes(write_frame(tmp_path / "elsewhere" / "y.tif", frame(2)).read_bytes())
    inside.rename(agent.watched / "finished.tif")
    next_good_frame_is_scored(agent)
    until(lambda: {"moved_in.tif", "finished.tif"} <= set(paths(agent)), "both frames")
    assert len(paths(agent)) == 3
    assert quarantined(agent) == {}


def test_a_frame_deleted_before_it_is_read_is_named_and_comes_back_as_new(agent: AgentProcess) -> None:
    agent.start().ready()
    with decoder_held(agent):
        first, second = (write_frame(agent.watched / name, frame(seed)) for seed, name in enumerate(("kept.tif", "deleted.tif"), 1))
        until(lambda: pending(agent) == 2, "both frames to be admitted")
        content, state = second.read_bytes(), second.stat()
        second.unlink()
    until(lambda: quarantined(agent), f"the quarantine; the agent said:\n{agent.log}")
    assert quarantined(agent) == {"deleted.tif": "vanished"}
    assert agent.metric('edge_agent_quarantined_total{reason="vanished",stream="sem"}') == 1
    assert "kept.tif" in paths(agent)
    assert first.exists()
    next_good_frame_is_scored(agent)
    second.with_suffix(".part").write_bytes(content)
    os.utime(second.with_suffix(".part"), ns=(state.st_atime_ns, state.st_mtime_ns))
    second.with_suffix(".part").rename(second)
    until(lambda: "deleted.tif" in paths(agent), "the frame that was put back as it was")
    assert len(paths(agent)) == len(set(paths(agent)))


def without_roots_rights() -> None:
    """Root reads every file: take that right away, and let the rest be."""
    library = ctypes.CDLL(None)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        library.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="permissions of another kind")
def test_a_frame_that_may_not_be_read_is_named(tmp_path: Path, agent: AgentProcess) -> None:
    agent.start(preexec=without_roots_rights if os.geteuid() == 0 else None).ready()
    outside = write_frame(tmp_path / "locked.tif", frame(1))
    outside.chmod(0)
    outside.rename(agent.watched / "locked.tif")
    next_good_frame_is_scored(agent)
    until(lambda: quarantined(agent), f"the quarantine; the agent said:\n{agent.log}")
    assert quarantined(agent) == {"locked.tif": "unreadable"}
    assert agent.readiness()["status"] == "ok"
    # mended and saved again, as the event's remedy says
    outside = write_frame(tmp_path / "locked.tif", frame(1))
    outside.rename(agent.watched / "locked.tif")
    until(lambda: "locked.tif" in paths(agent), "the frame that may be read now")


def png_of_zeros(side: int) -> bytes:
    """A PNG of side x side zeros in some hundred kilobytes: far more decoded than it seems."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packed = zlib.compressobj(9)
    rows = b"".join(packed.compress(bytes(side + 1)) for _ in range(side)) + packed.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_header_of_twenty_thousand_pixels_square_costs_nothing(agent: AgentProcess) -> None:
    bomb = png_of_zeros(20_000)
    assert len(bomb) < 1_000_000
    (agent.watched / "bomb.png").write_bytes(bomb)
    tiff = bytearray(write_frame(agent.watched / "good.tif", frame(1)).read_bytes())
    at = tiff.index(struct.pack("<HHII", 256, 4, 1, 96)) if struct.pack("<HHII", 256, 4, 1, 96) in tiff else None
    if at is None:
        at = tiff.index(struct.pack("<HHIH", 256, 3, 1, 96))
    for offset, tag in ((at, 256), (at + 12, 257)):
        tiff[offset : offset + 12] = struct.pack("<HHII", tag, 4, 1, 20_000)
    (agent.watched / "lie.tif").write_bytes(tiff)
    (agent.watched / "text.png").write_bytes(b"a protocol that somebody saved under the wrong name\n" * 40)
    agent.start().ready()
    until(lambda: len(quarantined(agent)) == 3, f"three quarantines; the agent said:\n{agent.log}")
    assert quarantined(agent)["bomb.png"] == "too_large"
    assert quarantined(agent)["text.png"] == "wrong_type"
    assert quarantined(agent)["lie.tif"] in {"too_large", "truncated", "incomplete"}
    next_good_frame_is_scored(agent)
    assert agent.metric("process_resident_memory_bytes") < 400e6


def test_links_that_loop_and_names_of_every_kind(agent: AgentProcess) -> None:
    inner = agent.watched / "試料 7" / "größe"
    inner.mkdir(parents=True)
    (inner / "loop").symlink_to(agent.watched, target_is_directory=True)
    (agent.watched / "me.tif").symlink_to(agent.watched / "me.tif")
    (agent.watched / "nowhere.tif").symlink_to(agent.watched / "no such file.tif")
    agent.start().ready()
    names = ["試料 7/größe/картинка №1.tif", f"{'n' * 200}.tif", "new\nline.tif", "emoji 🔬.tif", "-rf.tif", "' OR 1=1.tif", NO_UNICODE]
    for seed, name in enumerate(names):
        write_frame(agent.watched / name, frame(seed))
    (agent.watched / f"bad {NO_UNICODE}").write_bytes(b"no image, however long one looks at it\n" * 40)
    shown = [name.encode("utf-8", "backslashreplace").decode() for name in names]
    until(lambda: len(paths(agent)) >= len(names) and quarantined(agent), f"every name; the agent said:\n{agent.log}")
    next_good_frame_is_scored(agent)
    assert sorted(paths(agent)) == sorted([*shown, "next_good.tif"])
    assert quarantined(agent) == {f"bad {shown[-1]}": "wrong_type"}
    agent.stop()
    assert agent.run_once() == 0
    assert len(paths(agent)) == len(names) + 1, "nothing is told twice after a restart"

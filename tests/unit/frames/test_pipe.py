"""What passes between the agent and its decoders: whatever a decoder answers is a valid answer or a lost decoder, within the limits."""

import copy
import io
import json
import math
import sys
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.errors import QUARANTINE_REASONS, FrameRejectedError
from edge_agent.core.frame import Acquisition, AcquisitionStatistics, Frame
from edge_agent.core.portion import Portion, RefusedFrame
from edge_agent.evidence.task import Drawn, Standing, Task, Wanted, receive_drawn
from edge_agent.frames import DecodeLimits, DecoderLostError, DecoderProcess
from edge_agent.frames.pipe import HEAD_BYTES, LENGTH, BadMessageError, Request, receive, receive_frames, send, send_frames

LIMITS = DecodeLimits(decoded_bytes=1 << 20, frames=8, frame_pixels=1 << 18)
REQUEST = Request("/data/a.tif", "a.tif", LIMITS, None)
ACQUISITION = Acquisition(
    acquired_at=datetime(2026, 3, 1, 12, tzinfo=UTC), detector="SE2", magnification=2e4, extra={"µ": "\U0001f52c", "AP_WD": "5"}
)


def frame(index: int = 0, count: int = 1, dtype: Any = np.uint16, shape: tuple[int, int] = (40, 50)) -> Frame:
    pixels = np.random.default_rng(index).integers(0, 200, shape).astype(dtype)
    return Frame(pixels, 255.0, index, count, "ab" * 32, ACQUISITION, AcquisitionStatistics(0.5, -1.0, -2.5, -3.0, 0.0, 1e-6))


REFUSED = RefusedFrame(3, "", "not_finite", "frame 3 holds values that are not numbers", "look into the program that wrote it")
PORTION = Portion((frame(2, 9), frame(4, 9)), (REFUSED,), next_first=5)


def written(outcome: Any) -> bytes:
    pipe = io.BytesIO()
    send_frames(pipe, Portion(tuple(outcome)) if isinstance(outcome, list) else outcome)
    return pipe.getvalue()


def read(content: bytes) -> Portion | FrameRejectedError:
    return receive_frames(io.BytesIO(content), REQUEST)


def heads(content: bytes) -> list[tuple[Any, bytes]]:
    """Each message's head, parsed, and the bytes beside it."""
    found, pipe = [], io.BytesIO(content)
    while length := pipe.read(LENGTH.size):
        head = json.loads(pipe.read(LENGTH.unpack(length)[0]))
        sides = head.get("pixels", {"shape": [0]})["shape"]
        found.append((head, pipe.read(math.prod(sides) * {"u1": 1, "u2": 2, "f4": 4}.get(head.get("pixels", {}).get("dtype"), 0))))
    return found


def joined(messages: list[tuple[Any, bytes]]) -> bytes:
    parts = []
    for head, beside in messages:
        plain = json.dumps(head).encode()
        parts += [LENGTH.pack(len(plain)), plain, beside]
    return b"".join(parts)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.dtype(">u2"), np.dtype(">f4")])
def test_frames_arrive_as_they_were(dtype: Any) -> None:
    sent = [frame(place, 3, dtype) for place in range(3)]
    arrived = read(written(sent))
    assert isinstance(arrived, Portion)
    for one, other in zip(sent, arrived.frames, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert other.pixels.dtype == np.dtype(dtype).newbyteorder("=")
        assert replace(one, pixels=other.pixels) == other


@pytest.mark.parametrize("portion", [Portion((), growing=True), Portion((), (RefusedFrame(0, "cd" * 32, "constant", "every", "look"),))])
def test_a_portion_without_frames_arrives_as_it_was(portion: Portion) -> None:
    assert read(written(portion)) == portion


def test_nothing_comes_of_a_stack_that_became_shorter_but_something_of_a_whole_file() -> None:
    content = written(Portion(()))
    assert receive_frames(io.BytesIO(content), replace(REQUEST, first=7)) == Portion(())
    with pytest.raises(BadMessageError):
        read(content)


def test_a_frame_that_was_refused_stands_among_the_others() -> None:
    arrived = read(written(PORTION))
    assert isinstance(arrived, Portion)
    assert [one.frame_index for one in arrived.frames] == [2, 4]
    assert arrived.refused == (REFUSED,)
    assert arrived.next_first == 5


@pytest.mark.parametrize(
    "portion",
    [
        Portion((frame(2, 9), frame(3, 9)), (REFUSED,)),
        Portion((frame(0, 9),), (REFUSED,)),
        Portion((frame(2, 9),), (replace(REFUSED, cause="dull"),)),
        Portion((frame(2, 9),), (replace(REFUSED, content_hash="../x"),)),
        Portion((frame(2, 9),), next_first=4),
        Portion((frame(2, 9),), next_first=0),
        Portion((), next_first=0, growing=True),
        Portion((), (replace(REFUSED, frame_index=-1),)),
        Portion((), (replace(REFUSED, frame_index=LIMITS.stack_frames),)),
        Portion((), (REFUSED, REFUSED)),
    ],
)
def test_portions_that_have_gaps_or_go_on_elsewhere_are_no_answer(portion: Portion) -> None:
    with pytest.raises(BadMessageError):
        read(written(portion))


def test_a_refusal_arrives_under_the_name_that_was_asked_for() -> None:
    arrived = read(written(FrameRejectedError("another.tif", "truncated", "ends early", "copy it again")))
    assert isinstance(arrived, FrameRejectedError)
    assert (arrived.thing, arrived.cause, arrived.reason, arrived.remedy) == ("a.tif", "truncated", "ends early", "copy it again")


@pytest.mark.parametrize("zone", [None, ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")])
def test_a_question_arrives_as_it_was(zone: ZoneInfo | None) -> None:
    pipe = io.BytesIO()
    request = Request("/data/\udcff/a.tif", "\udcff/ü\n.tif", LIMITS, zone)
    send(pipe, request)
    pipe.seek(0)
    assert receive(pipe, Request) == request


def test_a_time_arrives_in_utc_and_half_a_character_as_text() -> None:
    cet = timezone(timedelta(hours=1))
    odd = Acquisition(acquired_at=datetime(2026, 3, 1, 13, tzinfo=cet), sample_id="a\udcff", extra={"\ud800": "\udc00"})
    arrived = read(written([replace(frame(), acquisition=odd)]))
    assert isinstance(arrived, Portion)
    assert arrived.frames[0].acquisition == Acquisition(
        datetime(2026, 3, 1, 12, tzinfo=UTC), sample_id="a\\udcff", extra={"\\ud800": "\\udc00"}
    )


@pytest.mark.parametrize(
    "odd",
    [
        Acquisition(magnification=math.inf),
        Acquisition(dwell_s=math.nan),
        Acquisition(extra={"tag": "x" * HEAD_BYTES}),
        Acquisition(extra={"tag": 5}),  # type: ignore[dict-item] # what a third party's reader may do
        Acquisition(beam_current_a=np.float32(1.0)),  # type: ignore[arg-type] # as above
    ],
)
def test_metadata_that_cannot_travel_refuse_the_file_and_not_the_decoder(odd: Acquisition) -> None:
    arrived = read(written([replace(frame(), acquisition=odd)]))
    assert isinstance(arrived, FrameRejectedError)
    assert arrived.cause == "decoder_failed"


def test_metadata_longer_than_all_frames_may_have_refuse_the_file() -> None:
    wordy = Acquisition(extra={"tag": "x" * (HEAD_BYTES - 4096)})
    arrived = read(written([replace(frame(place, 40), acquisition=wordy) for place in range(40)]))
    assert isinstance(arrived, FrameRejectedError)
    assert arrived.cause == "too_large"


def changed(path: tuple[Any, ...], value: Any) -> bytes:
    messages = copy.deepcopy(heads(written([frame(0, 2), frame(1, 2)])))
    place: Any = messages[path[0]][0]
    for step in path[1:-1]:
        place = place[step]
    place[path[-1]] = value
    return joined(messages)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((0, "frames"), 0),
        ((0, "frames"), 9),
        ((0, "frames"), True),
        ((0, "refusal"), {"cause": "truncated", "reason": "", "remedy": ""}),
        ((0, "more"), 1),
        ((0, "growing"), None),
        ((0, "next_first"), 7),
        ((1, "pixels", "dtype"), "O"),
        ((1, "pixels", "dtype"), []),
        ((1, "pixels", "shape"), [40, 50, 1]),
        ((1, "pixels", "shape"), [40, -50]),
        ((1, "pixels", "shape"), [1 << 40, 1 << 40]),
        ((1, "pixels", "shape"), [31, 50]),
        ((1, "pixels"), None),
        ((1, "full_scale"), 0),
        ((1, "full_scale"), 10**400),
        ((1, "full_scale"), "1"),
        ((1, "content_hash"), "../../etc/passwd"),
        ((1, "frame_index"), -1),
        ((2, "frame_index"), 2),
        ((2, "frame_count"), 3),
        ((2, "frame_count"), 10**30),
        ((1, "acquisition", "acquired_at"), "2026-03-01T12:00:00"),
        ((1, "acquisition", "acquired_at"), "0001-01-01T00:00:00+14:00"),
        ((1, "acquisition", "extra", "tag"), {"a": "b"}),
        ((1, "acquisition", "magnification"), math.nan),
        ((1, "statistics", "mean"), None),
        ((1, "__class__"), "os.system"),
    ],
)
def test_what_is_no_answer_is_told_as_such(path: tuple[Any, ...], value: Any) -> None:
    with pytest.raises(BadMessageError):
        read(changed(path, value))


@pytest.mark.parametrize(("count", "shape"), [(1, (600, 600)), (7, (400, 400))])
def test_no_more_pixels_come_than_the_limits_allow(count: int, shape: tuple[int, int]) -> None:
    with pytest.raises(BadMessageError):
        read(written([frame(place, count, shape=shape) for place in range(count)]))


def test_pixels_that_are_not_finite_are_no_answer_but_the_largest_are() -> None:
    largest = frame(dtype=np.float32)
    largest.pixels[:] = np.finfo(np.float32).max
    assert isinstance(read(written([largest])), Portion)
    for value in (np.nan, np.inf):
        largest.pixels[5, 5] = value
        with pytest.raises(BadMessageError):
            read(written([largest]))


# Any bytes at all

VALID = [
    written([frame(0, 2), frame(1, 2, np.float32)]),
    written(PORTION),
    written(Portion((), growing=True)),
    written(FrameRejectedError("a", "empty", "holds no bytes", "look")),
]
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["u1", "f4", "truncated", "9" * 5000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def tampered(draw: st.DrawFn) -> bytes:
    """A valid answer with one value of a head replaced, or removed."""
    messages = copy.deepcopy(heads(draw(st.sampled_from(VALID))))
    place: Any = draw(st.sampled_from(messages))[0]
    while True:
        key = draw(st.sampled_from(list(place) if isinstance(place, dict) else list(range(len(place)))))
        if isinstance(place[key], (dict, list)) and place[key] and draw(st.booleans()):
            place = place[key]
            continue
        if draw(st.booleans()):
            place[key] = draw(PLAIN)
        else:
            del place[key]
        return joined(messages)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid answer with some bytes changed, and perhaps cut."""
    content = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 4))):
        content[draw(st.integers(0, min(1200, len(content) - 1)))] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.integers(0, len(content)) | st.just(len(content)))])


NESTED = b"[" * 100_000 + b"]" * 100_000
HEAVY = b"[" + b"[]," * 300_000 + b"[]]"


def check(content: bytes) -> None:
    tracemalloc.start()
    try:
        arrived = read(content)
    except (EOFError, BadMessageError):
        arrived = None
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < LIMITS.answer_bytes + 40 * HEAD_BYTES
    if isinstance(arrived, FrameRejectedError):
        assert arrived.thing == REQUEST.name
        assert arrived.cause in QUARANTINE_REASONS
        str(arrived).encode()
    elif arrived is not None:
        assert (0 if arrived.growing else 1) <= len(arrived.contents) <= LIMITS.frames
        assert sorted(arrived.contents) == list(range(min(arrived.contents, default=0), max(arrived.contents, default=-1) + 1))
        assert sum(one.pixels.nbytes for one in arrived.frames) <= LIMITS.answer_bytes
        for one in arrived.refused:
            assert one.cause in QUARANTINE_REASONS
            json.dumps([one.reason, one.remedy], ensure_ascii=False).encode()
        for one in arrived.frames:
            assert one.pixels.dtype in (np.uint8, np.uint16, np.float32)
            assert np.isfinite(one.pixels).all()
            assert min(one.pixels.shape) >= LIMITS.smallest_px
            assert 0 <= one.frame_index < one.frame_count
            assert all(math.isfinite(value) for value in (one.full_scale, one.statistics.mean, one.acquisition.magnification or 0.0))
            json.dumps(one.acquisition.extra, ensure_ascii=False).encode()


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200) | damaged() | tampered())
def test_any_bytes_are_a_valid_answer_or_none(content: bytes) -> None:
    check(content)


@pytest.mark.parametrize("head", [NESTED, HEAVY, b"1" * 10_000, b'"\xff"', b"\xff" * 100, b"{" * 900_000])
def test_heads_made_to_hurt_cost_little(head: bytes) -> None:
    check(LENGTH.pack(len(head)) + head)
    check(LENGTH.pack(0xFFFFFFFF) + head)


# The same, from a process

LYING = """
import os, sys
from edge_agent.frames.pipe import READY, Request, receive, send
out = os.fdopen(os.dup(1), "wb")
send(out, READY)
receive(sys.stdin.buffer, Request)
out.write(bytes.fromhex({content!r}))
out.flush()
{then}
"""


@pytest.mark.parametrize(
    ("content", "then", "said"),
    [
        (changed((1, "pixels", "dtype"), "O"), "sys.stdin.read()", "answered what is no answer"),
        (b"\xff" * 64, "sys.stdin.read()", "answered what is no answer"),
        (VALID[0][:-1], "sys.exit(7)", "exit code 7"),
        (b"", "sys.exit(7)", "exit code 7"),
    ],
)
def test_a_decoder_that_lies_is_a_lost_decoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, then: str, said: str
) -> None:
    (tmp_path / "lying_decoder.py").write_text(LYING.format(content=content.hex(), then=then))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = DecoderProcess("lying_decoder")
    with pytest.raises(DecoderLostError, match=said):
        process.decode(REQUEST)


def test_a_decoder_that_greets_otherwise_has_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_agent.core.errors import EdgeAgentError

    (tmp_path / "rude_decoder.py").write_text("import os, time\nos.write(1, b'x' * 100)\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(EdgeAgentError, match="did not start"):
        DecoderProcess("rude_decoder")


# Pictures of the evidence

TASK = Task(
    ("title",), (Wanted(Path("/data"), "b.tif", 0, None),), (Wanted(Path("/data"), "a\udcff.tif", 3, "ab", distance=1.5),), None, LIMITS
)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def drawn(message: Drawn) -> Drawn:
    pipe = io.BytesIO()
    send(pipe, message)
    pipe.seek(0)
    return receive_drawn(pipe, TASK)


def test_tasks_and_pictures_arrive_as_they_were() -> None:
    pipe = io.BytesIO()
    send(pipe, TASK)
    pipe.seek(0)
    assert receive(pipe, Task) == TASK
    message = Drawn(PNG, None, (Standing.SHOWN,), (0,), None, ("a note",))
    assert drawn(message) == message


@pytest.mark.parametrize(
    "message",
    [
        Drawn(b"GIF89a", None, (Standing.SHOWN,), (0,), None, ()),
        Drawn(PNG, None, (), (0,), None, ()),
        Drawn(PNG, None, (Standing.SHOWN,), (1,), None, ()),
        Drawn(PNG, PNG, (Standing.SHOWN,), (0,), -1, ()),
        Drawn(PNG + bytes(65 << 20), None, (Standing.SHOWN,), (0,), None, ()),
    ],
)
def test_pictures_of_another_task_are_no_answer(message: Drawn) -> None:
    with pytest.raises(BadMessageError):
        drawn(message)


def test_nothing_in_the_agent_unpickles() -> None:
    sources = Path(sys.modules["edge_agent"].__file__ or "").parent.rglob("*.py")
    for source in sources:
        text = source.read_text(encoding="utf-8")
        for word in ("import pickle", "import marshal", "import shelve", "allow_pickle=True", "eval(", "exec("):
            assert word not in text.replace("subprocess_exec(", "").replace("_eval(", ""), f"{word} in {source}"

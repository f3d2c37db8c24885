"""What passes between the agent and its decoders: any bytes at all, and a process that lies."""

import copy
import json
import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.errors import QUARANTINE_REASONS, FrameRejectedError
from edge_agent.frames import DecoderLostError, DecoderProcess
from edge_agent.frames.pipe import HEAD_BYTES, LENGTH, BadMessageError
from tests.decoder_answers import LIMITS, REQUEST, VALID, changed, heads, joined, read

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

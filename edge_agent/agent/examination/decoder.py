"""Whether the account can run what decodes: the interpreter, a decoder process, and one frame through it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tifffile

from edge_agent.agent.examination.access import account, barrier
from edge_agent.agent.examination.finding import fine, mend, note
from edge_agent.core.errors import EdgeAgentError, FrameRejectedError
from edge_agent.frames import DecodeLimits, DecoderLostError, DecoderProcess
from edge_agent.frames.pipe import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.agent.examination.finding import Finding

PART = "decoder"
IMPORT = "import edge_agent.frames.worker"
IMPORT_S = 30.0
SIDE_PX = 64


def decoder() -> Iterator[Finding]:
    """Start a decoder as the agent does, and let it decode a frame that is laid down for it in a temporary folder."""
    try:
        process = DecoderProcess()
    except EdgeAgentError as error:
        yield mend(PART, _why_not() or str(error))
        return
    try:
        yield _decoded(process)
    finally:
        process.stop()


def _decoded(process: DecoderProcess) -> Finding:
    try:
        with tempfile.TemporaryDirectory(prefix="edge-agent-doctor-") as folder:
            path = Path(folder) / "doctor.tif"
            tifffile.imwrite(path, np.arange(SIDE_PX * SIDE_PX, dtype=np.uint16).reshape(SIDE_PX, SIDE_PX))
            reply = process.decode(Request(str(path), path.name, DecodeLimits(), None))
    except OSError as error:
        return note(
            PART, f"{sys.executable} starts as {account()}, but no frame could be laid down to try it on ({error.strerror or error})"
        )
    except DecoderLostError as lost:
        return mend(PART, f"a decoder is lost over a small frame ({lost}); look at the memory left and at the limits of {account()}")
    if isinstance(reply, FrameRejectedError):
        return mend(PART, f"a decoder does not read a sound TIFF ({reply.reason}); install edge-agent anew")
    return fine(PART, f"{sys.executable} starts as {account()}, and decodes a frame")


def _why_not() -> str:
    """Why the interpreter does not start, or cannot import what decodes; "" when it does by itself."""
    try:
        told = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-P", "-c", IMPORT], stdin=subprocess.DEVNULL, capture_output=True, timeout=IMPORT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return ""
    except OSError as error:
        why = _barred(sys.executable) or error.strerror or str(error)
        return f"{sys.executable} cannot be started by {account()} ({why}); {_way_out()}"
    if told.returncode == 0:
        return ""
    lines = [line.strip() for line in told.stderr.decode(errors="replace").splitlines() if line.strip()]
    last = next((line for line in reversed(lines) if "Error" in line), lines[-1] if lines else f"exit code {told.returncode}")
    return f"{sys.executable}, started by {account()}, cannot import what decodes ({last}); {_way_out()}"


def _barred(program: str) -> str:
    """What is in the way of `program`, or of the one that it links to."""
    return barrier(Path(program)) or barrier(Path(os.path.realpath(program)))


def _way_out() -> str:
    return f"let {account()} read and execute it and its packages (r and x, also of every folder above), or install where it may"

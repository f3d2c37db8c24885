"""What is fuzzed: each target takes bytes, and raises only when something is wrong."""

from __future__ import annotations

import atexit
import contextlib
import io
import shutil
import struct
import tempfile
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from edge_agent.config.load import load_settings
from edge_agent.core.errors import QUARANTINE_REASONS, ConfigurationError, FrameRejectedError, ModelError, SinkUnavailableError
from edge_agent.core.naming import NameRule
from edge_agent.drift.calibration import load_calibration
from edge_agent.frames import DecodeLimits
from edge_agent.frames.decode import decode_portion
from edge_agent.frames.pipe import BadMessageError, Request, receive_frames
from edge_agent.frames.reader import HEAD_BYTES, FollowedReader, Source, TooMuchError
from edge_agent.frames.readers.ini import parse_ini, text_from
from edge_agent.frames.readers.xml import XmlError, parse_xml
from edge_agent.frames.registry import readers
from edge_agent.inference.manifest import load_manifest
from edge_agent.pipeline.orders import Orders
from edge_agent.publish.kafka_cursor import Cursor
from edge_agent.watch.patterns import PathFilter, natural_key
from tests.hostile.seeds import seeds

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.frames.reader import Reader

Target: TypeAlias = "Callable[[bytes], None]"
LIMITS = DecodeLimits(file_bytes=1 << 24, frame_pixels=1 << 20, decoded_bytes=1 << 24, frames=64, portion_frames=8)
LONGEST_NAME = 255
"""Bytes of a name that file systems take."""


@cache
def folder() -> Path:
    """Where inputs that must be files are put, beside the side-cars that some formats are known by; gone with the process."""
    place = Path(tempfile.mkdtemp(prefix="edge-agent-fuzz-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    for seed in seeds():
        for name, text in seed.beside.items():
            (place / name).write_bytes(text)
    return place


def read(name: str, content: bytes) -> None:
    """A file ends as frames, or is refused with a known reason in one line."""
    path = folder() / name
    path.write_bytes(content)
    try:
        decode_portion(str(path), name, LIMITS)
    except FrameRejectedError as refused:
        if refused.cause not in QUARANTINE_REASONS or not str(refused).isprintable():
            raise AssertionError(repr(refused)) from refused


def look(reader: Reader, name: str, content: bytes) -> None:
    """A look recognises or does not, and says whether bytes are missing, that the header is too long for it, or that it is cut short."""
    if reader.recognises(content[:HEAD_BYTES], name):
        with contextlib.suppress(TooMuchError, struct.error):
            reader.lacks(io.BytesIO(content), len(content))
            if isinstance(reader, FollowedReader):
                reader.is_followed(io.BytesIO(content))


def beside(content: bytes) -> None:
    """Whatever a side-car says, the image is read."""
    from edge_agent.frames.readers.beside import read_beside

    for name in ("a.txt", "a.hdr"):
        (folder() / name).write_bytes(content)
    read_beside(Source(str(folder() / "a.tif"), "a.tif", b""), (64, 80), None)


def emi(content: bytes) -> None:
    """Whatever TIA's file says, its series is read."""
    from edge_agent.frames.readers.ser.emi import read_emi

    (folder() / "a.emi").write_bytes(content)
    read_emi(Source(str(folder() / "a_1.ser"), "a_1.ser", b""), None)


def ini(content: bytes) -> None:
    """Any text is sections of keys."""
    parse_ini(text_from(content))


def xml(content: bytes) -> None:
    """Any text is a small tree, or none."""
    with contextlib.suppress(XmlError):
        parse_xml(content)


def fei(content: bytes) -> None:
    """FEI's text in a TIFF."""
    from tests.hostile.texts import with_text

    read("fei.tif", with_text(34682, content))


def zeiss(content: bytes) -> None:
    """Zeiss' text in a TIFF."""
    from tests.hostile.raw_tiff import BYTE, PIXELS, one_picture

    read("zeiss.tif", one_picture(PIXELS, extra=[(34118, BYTE, len(content), content or b"\0")]))


def manifest(content: bytes) -> None:
    """A manifest is read, or the model cannot be used and why."""
    (folder() / "manifest.json").write_bytes(content)
    with contextlib.suppress(ModelError):
        load_manifest(folder())


def calibration(content: bytes) -> None:
    """A calibration is read, or the model cannot be used and why."""
    (folder() / "calibration.json").write_bytes(content)
    with contextlib.suppress(ModelError):
        load_calibration(folder() / "calibration.json").digest  # noqa: B018 - it must be computable


def configuration(content: bytes) -> None:
    """A configuration is read, or what is wrong with it said in one line."""
    (folder() / "edge-agent.toml").write_bytes(content)
    try:
        load_settings(folder() / "edge-agent.toml", {})
    except ConfigurationError as error:
        if "\n" in str(error):
            raise AssertionError(str(error)) from error


def orders(content: bytes) -> None:
    """A file in the folder of orders is one, or is put aside."""
    place = folder() / "orders"
    place.mkdir(exist_ok=True)
    (place / f"{0:020d}-{'0' * 32}.json").write_bytes(content)
    Orders(folder()).waiting()
    for left in place.iterdir():
        left.unlink()


def cursor(content: bytes) -> None:
    """A record of the cursor topic is a cursor, or what is wrong with it is said."""
    with contextlib.suppress(SinkUnavailableError):
        Cursor.from_json(content, "edge.cursors").to_json()


def names(content: bytes) -> None:
    """A rule is one or is refused; a path has a name or none."""
    rule, _, path = content.decode("utf-8", "surrogateescape").partition("\n")
    with contextlib.suppress(ValueError):
        NameRule.parse(rule).read(path, None)
    for usual in ("folder", "name:(S[0-9]+)_", "name:^(?:[^/]+/)*([^/_]+)_[0-9]+"):
        NameRule.parse(usual).read(path, None)


def patterns(content: bytes) -> None:
    """A pattern takes a path or does not; any path has its place in the order."""
    pattern, _, path = content[:LONGEST_NAME].decode("utf-8", "surrogateescape").partition("\n")
    PathFilter((pattern,), ()).takes(path)
    sorted([natural_key(path), natural_key("a10b"), natural_key(pattern)])


def answers(content: bytes) -> None:
    """What a decoder that was taken over sends is an answer, or none."""
    with contextlib.suppress(BadMessageError, EOFError):
        receive_frames(io.BytesIO(content), Request("/a.tif", "a.tif", LIMITS, None))


@cache
def targets() -> dict[str, Target]:
    """Every target by name; each reader has two, whoever brought it."""
    of_readers: dict[str, Target] = {}
    for reader in readers():
        name = f"a{reader.suffixes[0]}"
        of_readers[f"read-{_plain(reader)}"] = partial(read, name)
        of_readers[f"look-{_plain(reader)}"] = partial(look, reader, name)
    texts: tuple[Any, ...] = (beside, emi, ini, xml, fei, zeiss)
    others: tuple[Any, ...] = (manifest, calibration, configuration, orders, cursor, names, patterns, answers)
    return {**of_readers, **{target.__name__: target for target in (*texts, *others)}}


def _plain(reader: Reader) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in reader.name.lower())

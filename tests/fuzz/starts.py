"""What each target's fuzzing starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.frames.pipe import send_frames
from edge_agent.frames.registry import reader_of
from tests.hostile.seeds import seeds

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES = 1 << 16
TEXTS = {
    "beside": (
        b"[SemImageFile]\r\nInstructName=TM3000\r\nDataSize=64x64\r\nPixelSize=10\r\nDate=01/02/2024\r\n",
        b"$CM_FORMAT JEOL/EO\n$CM_MAG 500\n$CM_ACCEL_VOLT 5.0\n$$SM_MICRON_BAR 76\n$$SM_MICRON_MARKER 10um\n",
        b"[MAIN]\nDevice=MIRA\nMagnification=1000\nPixelSizeX=1e-9\n[SEM]\nHV=5000\nWD=0.01\n",
    ),
    "emi": (
        b"\x4a\x4b<ObjectInfo><Uuid>a</Uuid><ExperimentalDescription><Root><Data><Label>HT</Label><Value>200</Value></Data></Root></ExperimentalDescription></ObjectInfo>",
    ),
    "ini": (b"[A]\nb=1\n", "a=ü\r\n".encode("utf-16")),
    "xml": (b'<?xml version="1.0"?><a b="1"><c>2 &amp; 3</c></a>',),
    "fei": (b"[User]\nDate=01/02/2024\n[Beam]\nBeam=EBeam\nScan=EScan\n[EBeam]\nHV=5000\nHFW=1e-5\n[EScan]\nDwell=1e-6\n",),
    "zeiss": (b"\r\nAP_ACTUALKV\r\nEHT = 5.00 kV\r\nAP_MAG\r\nMag = 9.50 K X\r\nAP_DATE\r\nDate :12 Mar 2024\r\n",),
    "configuration": (
        b'[[stream]]\nname = "sem"\npath = "D:/images"\ninclude = ["**/*.tif"]\nmodel.name = "sem-real"\nsettle = "2s"\n',
        b'[agent]\nname = "a"\n[http]\nlisten = "127.0.0.1:1"\n[[stream]]\nname = "a"\npath = "/a"\nsample = "name:(S[0-9]+)_"\n',
    ),
    "orders": (b'{"id": "%s", "verb": "hold", "who": "a", "why": "b", "asked_at_ns": 0, "stream": "s", "for_s": 1.5}' % (b"0" * 32),),
    "cursor": (b'{"journal_id": "0a1b", "seq": 12}',),
    "names": (b"name:(S[0-9]+)_\nS12_0001.tif", b"folder\na/b/c.tif", b"metadata:x\na"),
    "patterns": (b"**/*.tif\na/b.tif", b"[!a]?/**\nb1/c", b"[a-z]*.{x}\nq"),
}


def starts(target: str) -> Iterator[bytes]:
    """The target's first inputs."""
    yield from TEXTS.get(target, ())
    if target.startswith(("read-", "look-")):
        form = target.partition("-")[2]
        for seed in seeds():
            reader = reader_of(seed.content[:1024], seed.name)
            if reader and "".join(letter if letter.isalnum() else "-" for letter in reader.name.lower()) == form:
                yield seed.content[:MOST_BYTES]
    elif target in {"manifest", "calibration"}:
        from edge_agent.inference.manifest import shipped_models

        if (models := shipped_models()) is not None:
            yield from (path.read_bytes() for path in sorted(models.glob(f"*/{target}*.json")) if path.stat().st_size <= MOST_BYTES * 4)
    elif target == "answers":
        import io
        from pathlib import Path

        from edge_agent.frames.decode import decode_portion
        from tests.fuzz.targets import folder
        from tests.hostile_files import micrograph, tiff

        path = Path(folder()) / "start.tif"
        path.write_bytes(tiff(micrograph()))
        pipe = io.BytesIO()
        send_frames(pipe, decode_portion(str(path), "start.tif"))
        yield pipe.getvalue()

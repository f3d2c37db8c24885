"""Metadata made to hurt: XML bombs and foreign entities, megabytes of text, numbers that are none, dates outside the calendar."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from tests.hostile.raw_tiff import ASCII, BYTE, PIXELS, one_picture
from tests.hostile.seed import made

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.hostile.seed import Hostile

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
DOCTYPES: Mapping[str, str] = {
    "a billion laughs": f'<!DOCTYPE r [<!ENTITY l0 "lol">{LAUGHS}]>',
    "one long entity many times": f'<!DOCTYPE r [<!ENTITY l11 "{"x" * 100_000}">]>',
    "an entity that is a file": '<!DOCTYPE r [<!ENTITY l11 SYSTEM "file:///etc/passwd">]>',
    "an entity that never ends": '<!DOCTYPE r [<!ENTITY l11 SYSTEM "file:///dev/zero">]>',
    "an entity from elsewhere": '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd" [<!ENTITY % p SYSTEM "http://127.0.0.1:9/"> %p;]>',
    "an entity of itself": '<!DOCTYPE r [<!ENTITY l11 "&l11;">]>',
}
DEEP = "<a>" * 200_000
NUMBERS = ("nan", "inf", "-inf", "1e308", "-1e308", "1e999", "0", "-0.0", "5e-324", "9" * 5000, "0x10", "1_000", "", " ", "٣", "1e", "+-1")
DATES = (
    "01.01.0000 00:00:00",
    "31.12.99999 23:59:59",
    "01.01.0001 00:00:00",
    "31.12.9999 23:59:59",
    "30.02.2024 10:00:00",
    "29 Feb 2023 10:00:00",
    "1.1.1 1:1:1",
    "01.01.2024 24:00:00",
    "9" * 4000,
)
FEI_KEYS = (
    "[Beam]\nHV",
    "[Beam]\nHFW",
    "[EBeam]\nHV",
    "[EBeam]\nHFW",
    "[EBeam]\nWD",
    "[EScan]\nDwell",
    "[EScan]\nPixelWidth",
    "[Image]\nMagCanvasRealWidth",
    "[Image]\nResolutionY",
    "[PrivateFei]\nDatabarHeight",
    "[Stage]\nStageX",
)
ZEISS_KEYS = (
    "AP_ACTUALKV\nEHT = {} kV",
    "AP_IPROBE\nI Probe = {} pA",
    "AP_MAG\nMag = {} K X",
    "AP_WD\nWD = {} mm",
    "AP_IMAGE_PIXEL_SIZE\nImage Pixel Size = {} nm",
    "DP_DWELL_TIME\nDwell Time = {} ns",
    "AP_STAGE_AT_X\nStage at X = {} mm",
)


def with_text(tag: int, text: str | bytes) -> bytes:
    """A TIFF of 64 x 64 with a tag of text."""
    content = (text.encode() if isinstance(text, str) else text) + b"\0"
    return one_picture(PIXELS, extra=[(tag, ASCII, len(content), content)])


def zeiss(lines: str) -> bytes:
    """A TIFF with SmartSEM's tag: text lines, CP1252, after a line that ends its own header."""
    text = f"\r\n{lines}\r\n".replace("\n", "\r\n").encode("cp1252", "replace")
    return one_picture(PIXELS, extra=[(34118, BYTE, len(text), text)])


def documents() -> Iterator[tuple[str, str]]:
    """What the XML inside or instead of a frame may be: what is wrong, and the document with a mark where its content goes."""
    for how, doctype in DOCTYPES.items():
        yield how, f'<?xml version="1.0"?>{doctype}<r><OME>&l11;</OME><Root>&l11;</Root>&l11;</r>'
    yield "elements 200,000 deep", f'<?xml version="1.0"?>{DEEP}'
    yield "elements 200,000 deep, closed", f'<?xml version="1.0"?>{DEEP}{"</a>" * 200_000}'
    yield "an element of 100,000 attributes", '<?xml version="1.0"?><r ' + " ".join(f'a{n}="{n}"' for n in range(100_000)) + "/>"
    yield "a megabyte of comment", f'<?xml version="1.0"?><!--{"x" * (1 << 20)}--><r/>'
    yield "300,000 elements", '<?xml version="1.0"?><r>' + "<a/>" * 300_000 + "</r>"
    yield "an encoding that is none", '<?xml version="1.0" encoding="x-nothing"?><r/>'
    yield "UTF-16 that is not", '<?xml version="1.0" encoding="UTF-16"?><r/>'


def texts() -> Iterator[Hostile]:
    """TIFFs with each text, and each document on its own."""
    for how, document in documents():
        yield made("texts", "a.tif", f"described by {how}", with_text(270, document))
        yield made(
            "texts",
            "a.tif",
            f"OME of {how}",
            with_text(270, document.replace("<r>", '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">')),
        )
        yield made("texts", "a.tif", f"FEI's XML of {how}", with_text(34683, document))
        for name in ("a.xrdml", "a.xml", "a.emi"):
            yield made("texts", name, how, document.encode())
    for tag in (270, 271, 272, 305, 306, 315, 33432, 34682, 34680, 34683, 51023):
        for how, text in {
            "a megabyte": b"x" * (1 << 20),
            "sixteen megabytes of lines": b"[Beam]\nHV=1\n" * (16 << 20 >> 4),
            "no UTF-8": b"\xff\xfe\xed\xa0\x80" * 200,
            "escapes": b"\x1b[2J\x1b]0;owned\x07\r\n\0\x08" * 50,
            "marks that turn text round": "\u202egnp.exe\u2066\u200f".encode() * 20,
        }.items():
            yield made("texts", "a.tif", f"tag {tag} is {how}", with_text(tag, text))
    for value in NUMBERS:
        for key in FEI_KEYS:
            yield made(
                "texts",
                "a.tif",
                f"FEI's {key.split()[-1]} is {value[:12]!r}",
                with_text(34682, f"[Beam]\nBeam=EBeam\nScan=EScan\n{key}={value}\n"),
            )
        for line in ZEISS_KEYS:
            yield made("texts", "a.tif", f"Zeiss' {line.split()[0]} is {value[:12]!r}", zeiss(line.format(value)))
        small = f"[Beam]\nBeam=EBeam\n[EBeam]\nHFW={value}\n[Image]\nMagCanvasRealWidth=1e308\n"
        yield made("texts", "a.tif", f"FEI's field is {value[:12]!r} wide, shown 1e308 wide", with_text(34682, small))
    for date in DATES:
        yield made(
            "texts", "a.tif", f"FEI's date is {date[:24]}", with_text(34682, f"[PrivateFei]\nTimeOfCreation={date}\n[User]\nDate={date}\n")
        )
        yield made("texts", "a.tif", f"Zeiss' date is {date[:24]}", zeiss(f"AP_DATE\nDate :{date[:10]}\nAP_TIME\nTime :{date[10:]}"))
    keys = "".join(f"[S{n}]\n" + "".join(f"K{k}={'v' * 50}\n" for k in range(50)) for n in range(2000))
    yield made("texts", "a.tif", "FEI's text has 100,000 keys", with_text(34682, f"[User]\n{keys}"))
    yield made(
        "texts",
        "a.tif",
        "FEI's one section has 100,000 keys",
        with_text(34682, "[User]\n" + "".join(f"K{n}={'v' * 40}\n" for n in range(100_000))),
    )
    yield made("texts", "a.tif", "Zeiss' text has 100,000 keys", zeiss("".join(f"AP_X{n}\nX{n} = {n} mm\n" for n in range(100_000))))
    yield made("texts", "a.tif", "Zeiss' one value has a megabyte", zeiss(f"SV_SAMPLE_ID\nSample ID = {'s' * (1 << 20)}"))
    yield made("texts", "a.tif", "a sample id of half a character", with_text(34682, b"[User]\nSampleId=\xed\xa0\x80\n"))
    shape = struct.pack("<I", 8)
    yield made(
        "texts",
        "a.tif",
        "ImageJ's metadata with counts that lie",
        one_picture(PIXELS, extra=[(270, ASCII, 12, b"ImageJ=1.53\0"), (50838, 4, 1, 0xFFFFFFFF), (50839, BYTE, 4, shape)]),
    )

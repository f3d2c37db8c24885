"""Whatever is damaged in a detector's file, a look at it answers, and decoding gives frames or one of the reasons."""

import bz2
import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.errors import QUARANTINE_REASONS, FrameRejectedError
from edge_agent.frames import DecodeLimits, completeness, decode
from tests.detector_files import NORDIF_SETTINGS, cbf, cbf_section, counts, ebsp, edf, patterns, raxis, sfrm86, sfrm100, smv, up, xrdml

FILES: dict[str, bytes] = {
    "a.cbf": cbf(counts()) + cbf_section(counts(seed=1)),
    "a.edf": edf(counts(), "SignedInteger") * 2,
    "86.sfrm": sfrm86(counts().clip(0)),
    "100.sfrm": sfrm100(counts().clip(0)),
    "a.img": smv(counts().astype("<i4"), "signed_long"),
    "a.osc": raxis(counts().clip(0, 100_000)),
    "a.xrdml": xrdml(*patterns(1)[0].tolist(), measurement_type="Area measurement"),
    "a.up1": up(patterns(), 3, 2, 3),
    "a.up2": up(patterns(dtype="u2")),
    "a.ebsp": ebsp(patterns()),
    "Pattern.dat": patterns().tobytes(),
    "a.cbf.gz": gzip.compress(cbf(counts()), mtime=0),
    "a.edf.bz2": bz2.compress(edf(counts(), "SignedInteger")),
}
LIMITS = DecodeLimits(frame_pixels=1_000_000, decoded_bytes=8 << 20, frames=64)
HEADER_SHARE = 0.7
"""Most changes fall on the first bytes, where a header is."""


@pytest.mark.parametrize("name", FILES)
def test_undamaged_they_are_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "Setting.txt").write_text(NORDIF_SETTINGS, "latin-1")
    (tmp_path / name).write_bytes(FILES[name])
    assert completeness(tmp_path / name) == "complete"
    assert decode(str(tmp_path / name), name, LIMITS)


changes = st.lists(st.tuples(st.floats(0, 1), st.one_of(st.integers(0, 255), st.sampled_from([0x30, 0x39, 0x2D, 0x00, 0xFF]))), max_size=12)


@given(name=st.sampled_from(sorted(FILES)), changed=changes, cut=st.floats(0, 1))
@settings(max_examples=300, deadline=None)
def test_whatever_is_damaged(tmp_path_factory: pytest.TempPathFactory, name: str, changed: Any, cut: float) -> None:
    content = bytearray(FILES[name])
    for place, value in changed:
        share = place / HEADER_SHARE * min(3000, len(content) - 1) if place < HEADER_SHARE else place * (len(content) - 1)
        content[int(share)] = value
    folder = tmp_path_factory.getbasetemp() / "damaged-detector-files"
    folder.mkdir(exist_ok=True)
    (folder / "Setting.txt").write_text(NORDIF_SETTINGS, "latin-1")
    (folder / name).write_bytes(content[: int(cut * 2 * len(content))] if cut < 0.5 else content)
    assert completeness(folder / name) in {"complete", "growing", "unknown"}
    try:
        cause = "" if decode(str(folder / name), name, LIMITS) else "no frames"
    except FrameRejectedError as refused:
        cause = refused.cause
    assert cause in {"", *QUARANTINE_REASONS}

"""A sample of the hostile corpus through the real decoder; `python -m tests.hostile --all` is everything."""

import os
import tempfile
from pathlib import Path

import pytest

from edge_agent.frames import DecodeLimits
from tests.hostile.bench import Bench
from tests.hostile.corpus import sample
from tests.hostile.hdf5 import CANARY
from tests.hostile.opened import opened_below
from tests.hostile.seeds import seeds

DRAW = int(os.environ.get("HOSTILE_DRAW", "0"))
"""Which sample: 0 in the standard run; any number draws another one."""
FILES = 200
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
DECODER_BYTES = 4 << 30
"""What DecodeLimits promises: the decoder's address space, and so its memory."""
OWN_GROWTH_BYTES = 200 << 20
"""What looking at the files, and holding what came of one, may cost the process that asks."""


async def test_whatever_a_file_does_it_ends_scored_or_refused_and_the_next_good_one_is_read() -> None:
    with tempfile.TemporaryDirectory(prefix="edge-agent-hostile-", dir=IN_MEMORY) as folder, opened_below(Path(folder)) as opened:
        bench = Bench(Path(folder), DecodeLimits(time_s=3))
        examined = await bench.run(sample(seeds(), DRAW, FILES))
    complaints = [f"{one.hostile}: {complaint}" for one in examined for complaint in one.complaints]
    assert not complaints, "\n".join(complaints)
    assert not opened, "a file led to another"
    assert len(examined) > FILES * 0.7  # an HDF5 library may refuse to write what is hostile
    assert max(one.decoder_bytes for one in examined) < DECODER_BYTES
    assert bench.grown_bytes < OWN_GROWTH_BYTES


def test_a_file_that_leads_to_another_would_be_noticed(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["link"] = h5py.ExternalLink(f"{CANARY}.h5", "/secret")
    with opened_below(tmp_path) as opened, h5py.File(tmp_path / "a.h5") as file:
        assert file["link"].shape == (64, 64)
    assert f"{CANARY}.h5" in opened

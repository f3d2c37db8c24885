"""The sheet of virtual and real micrographs."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from edge_agent.core.errors import EdgeAgentError
from model_repo.data.contact_sheet import REAL, write_contact_sheet


def test_the_sheet_shows_every_tile(tmp_path):
    for lot, count in REAL.items():
        (tmp_path / "sem" / lot).mkdir(parents=True)
        for number in range(count):
            Image.new("L", (512, 512), 10).save(tmp_path / "sem" / lot / f"{number}.png")
    write_contact_sheet(tmp_path / "made" / "sheet.png", tmp_path / "sem")
    with Image.open(tmp_path / "made" / "sheet.png") as sheet:
        pixels = np.asarray(sheet)
    assert pixels.shape[1] == 6 * 260 + 4
    centres = pixels[4 + 128 :: 278][:4, 4 + 128 :: 260]
    assert (centres[:2] == 10).all()
    assert centres[2:].std() > 10


def test_a_missing_lot_is_named(tmp_path):
    with pytest.raises(EdgeAgentError, match="powder"):
        write_contact_sheet(tmp_path / "sheet.png", tmp_path)
    assert not (tmp_path / "sheet.png").exists()

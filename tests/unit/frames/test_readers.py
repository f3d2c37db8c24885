"""What every reader must promise, ours and others'."""

import subprocess
import sys

import pytest

from edge_agent.core.formats import FRAME_SUFFIXES
from edge_agent.frames import Reader, readers

HEAVY = {"tifffile", "PIL", "h5py", "fabio", "mrcfile", "hdf5plugin", "xml.etree.ElementTree"}


@pytest.mark.parametrize("reader", readers(), ids=lambda reader: reader.name)
def test_a_reader_names_itself_its_suffixes_and_its_rule(reader: Reader) -> None:
    assert reader.name
    assert reader.suffixes
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in reader.suffixes)
    assert reader.rule
    assert isinstance(reader.library, str)
    assert not reader.recognises(b"", "a")
    assert not reader.recognises(bytes(1024), "a.xyz")


def test_no_two_readers_share_a_name() -> None:
    names = [reader.name for reader in readers()]
    assert len(set(names)) == len(names)


def test_every_suffix_that_streams_take_has_its_reader() -> None:
    assert set(FRAME_SUFFIXES) <= {suffix for reader in readers() for suffix in reader.suffixes}


def test_looking_at_files_loads_no_foreign_code() -> None:
    statement = f"import sys; from edge_agent.frames import readers; readers(); print(sorted({HEAVY!r} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"

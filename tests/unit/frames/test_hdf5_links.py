"""HDF5: a file never makes the agent read another, nor walk for ever."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import h5py
import pytest

from edge_agent.frames.readers.hdf5 import tree
from tests.hdf5_files import STACK, holds, nexus, refusal, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def a_fifo(folder: Path) -> str:
    """Whoever opens it to read waits for ever."""
    path = folder / "elsewhere.h5"
    os.mkfifo(path)
    return str(path)


def external_link(file: Any, target: str) -> None:
    nexus(file)
    del file["entry/data/frames"]
    file["entry/data/frames"] = h5py.ExternalLink(target, "/secret")
    del file["entry/larger"]


def soft_link_through_an_external_one(file: Any, target: str) -> None:
    external_link(file, target)
    file["out"] = h5py.ExternalLink(target, "/")
    del file["entry/data/frames"]
    file["entry/data/frames"] = h5py.SoftLink("/out/secret")


def virtual_dataset(file: Any, target: str) -> None:
    layout = h5py.VirtualLayout(STACK.shape, "u2")
    layout[:] = h5py.VirtualSource(target, "secret", STACK.shape)
    file.create_virtual_dataset("d", layout)


def virtual_dataset_without_end(file: Any, target: str) -> None:
    """Its length is that of its sources: to ask for it is to open them."""
    how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    space = h5py.h5s.create_simple((0, 40, 48), (h5py.h5s.UNLIMITED, 40, 48))
    source = h5py.h5s.create_simple((0, 40, 48), (h5py.h5s.UNLIMITED, 40, 48))
    for one in (space, source):
        one.select_hyperslab((0, 0, 0), (h5py.h5s.UNLIMITED, 1, 1), (1, 40, 48), (1, 40, 48))
    how.set_virtual(space, target.encode(), b"secret", source)
    h5py.h5d.create(file.id, b"d", h5py.h5t.NATIVE_UINT16, space, how)


def external_storage(file: Any, target: str) -> None:
    file.create_dataset("d", STACK.shape, "u2", external=[(target, 0, STACK.nbytes)])


@pytest.mark.parametrize(
    "build", [external_link, soft_link_through_an_external_one, virtual_dataset, virtual_dataset_without_end, external_storage]
)
def test_images_in_other_files_are_refused_and_those_files_never_opened(tmp_path: Path, build: Callable[[Any, str], None]) -> None:
    target = str(tmp_path / "elsewhere.h5")
    path = write(tmp_path / "a.h5", lambda file: build(file, target))
    a_fifo(tmp_path)
    refused = refusal(path)
    assert refused.cause == "unsupported"
    assert "elsewhere.h5" in refused.reason
    assert "include those files" in refused.remedy


def test_a_file_with_links_elsewhere_beside_its_own_images_is_read(tmp_path: Path) -> None:
    def build(file: Any) -> None:
        nexus(file)
        file["entry/data/mask"] = h5py.ExternalLink(str(tmp_path / "elsewhere.h5"), "/mask")
        virtual_dataset(file, str(tmp_path / "elsewhere.h5"))

    path = write(tmp_path / "a.h5", build)
    a_fifo(tmp_path)
    assert holds(path, STACK)


def test_links_that_lead_in_circles_end(tmp_path: Path) -> None:
    def build(file: Any) -> None:
        nexus(file)
        file["entry/again"] = file["entry"]
        file["a"], file["b"] = h5py.SoftLink("/b"), h5py.SoftLink("/a")
        file["self"] = h5py.SoftLink("/self/self")

    assert holds(write(tmp_path / "a.h5", build), STACK)


def test_more_objects_than_a_walk_takes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MOST_OBJECTS", 50)
    path = write(tmp_path / "a.h5", lambda file: [file.create_group(f"g{n}") for n in range(60)])
    assert "more than 50 objects" in refusal(path).reason

"""What the regression's tests need: the extra `train`, and a small table of real compounds."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.conftest import absent


@pytest.fixture(scope="session", autouse=True)
def gpytorch_installed() -> None:
    for package in ("torch", "gpytorch", "scipy", "matplotlib"):
        if importlib.util.find_spec(package) is None:
            absent(package, "the extra `train` is not installed")
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def table() -> Path:
    return Path(__file__).parent / "data"

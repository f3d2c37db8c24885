"""The ensemble's members, each kept on disc when it is trained, so that an interrupted run goes on where it stood."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Any

from edge_agent.core.errors import EdgeAgentError
from model_repo import checkpoint
from model_repo.regression.composition import RULE
from model_repo.regression.elemnet import WIDTHS, ElemNet, Member, Schedule, train_member

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from torch import Tensor


def train_members(
    train: tuple[Tensor, Tensor],
    held_out: tuple[Tensor, Tensor],
    seeds: Sequence[int],
    schedule: Schedule,
    work: Path,
    tell: Callable[[str], None] = print,
) -> list[Member]:
    """Train one network for each seed, or take it from `work` when the same data and schedule have already made it.

    Raises:
        EdgeAgentError: a file in `work` that is of other data or another schedule or cannot be read; a diverging loss.
    """
    fingerprint = _fingerprint(train, schedule)
    return [_member(train, held_out, seed, schedule, work / f"elemnet-{seed}.pt", fingerprint, tell) for seed in seeds]


def _member(
    train: tuple[Tensor, Tensor],
    held_out: tuple[Tensor, Tensor],
    seed: int,
    schedule: Schedule,
    path: Path,
    fingerprint: str,
    tell: Callable[[str], None],
) -> Member:
    architecture = {"for": "elemnet", "elements": train[0].shape[1], "widths": list(WIDTHS)}
    if path.exists():
        return _load(path, architecture, seed, fingerprint)
    member = train_member(*train, held_out, seed, schedule, tell)
    checkpoint.save(
        path,
        {
            "architecture": architecture,
            "fingerprint": fingerprint,
            "state": member.network.state_dict(),
            "centre": member.network.centre,
            "scale": member.network.scale,
            "validation_mae": member.validation_mae,
            "seconds": member.seconds,
        },
    )
    return member


def _load(path: Path, architecture: dict[str, Any], seed: int, fingerprint: str) -> Member:
    kept = checkpoint.load(path, architecture)
    if kept["fingerprint"] != fingerprint:
        raise EdgeAgentError(str(path), "was trained on other data or by another schedule", "choose another --work or delete it")
    network = ElemNet(architecture["elements"], kept["centre"], kept["scale"])
    network.load_state_dict(kept["state"])
    return Member(network.eval(), seed, kept["validation_mae"], kept["seconds"])


def _fingerprint(train: tuple[Tensor, Tensor], schedule: Schedule) -> str:
    digest = hashlib.sha256(json.dumps([RULE, WIDTHS, dataclasses.asdict(schedule)]).encode())
    for tensor in train:
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()

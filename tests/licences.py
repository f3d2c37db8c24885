"""The licences of what edge-agent requires, from the metadata of what is installed: `python -m tests.licences` prints the list."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
PERMISSIVE = (
    "0BSD", "Apache", "BSD", "BSL-1.0", "Boost", "CC0-1.0", "HPND", "ISC", "MIT", "MIT-CMU", "PSF", "Python Software Foundation",
    "Unlicense", "Zlib", "LLVM-exception",
)  # fmt: skip
"""What a licence's parts may begin with; BSL-1.0 is Boost's, the Business Source License is BUSL."""
REFUSED = re.compile(r"\b(A?GPL|LGPL|GNU|BUSL|Business Source|SSPL|Server Side Public|Elastic|Commons Clause|CC-BY-NC)", re.IGNORECASE)
REVIEWED = {
    "protobuf": "BSD-3-Clause: its metadata says '3-Clause BSD License'",
    "fabio": "MIT, but LGPL-3.0+ for the module that unpacks CCP4 (MAR345) images; unchanged, by the user's choice of the extra",
    "hdf5plugin": "MIT; the filters that it bundles have permissive licences of their own, which its LICENSE names",
    "certifi": "MPL-2.0: a list of authorities, unchanged; tests only",
    "hypothesis": "MPL-2.0: unchanged; tests only",
    "pathspec": "MPL-2.0: unchanged; mypy's, tests only",
    "cuda-toolkit": "NVIDIA's, proprietary, free to use: torch's, for training on a GPU; nothing of it ships",
}
"""Licences that the rule does not know or would refuse, with why they are borne."""
NVIDIA = "NVIDIA's, proprietary, free to use: torch's or TensorRT's, for training or serving on a GPU; nothing of it ships"
EXTRAS = ("", "formats", "service", "train", "tensorrt", "test")


@dataclass(frozen=True)
class Licensed:
    """A distribution that is required, and its licence as its metadata says it."""

    name: str
    version: str
    licence: str
    extra: str

    @property
    def objection(self) -> str:
        """Why it may not be required; "" when it may."""
        if self.reason:
            return ""
        if REFUSED.search(self.licence):
            return f"{self.name} {self.version} is under {self.licence}"
        parts = [part.strip(" ()") for part in re.split(r"\bAND\b|\bOR\b|\bWITH\b|;", self.licence)]
        unknown = [part for part in parts if not part.removeprefix("The ").startswith(PERMISSIVE)]
        return f"{self.name} {self.version}: {', '.join(unknown) or 'nothing'} is not known as permissive" if unknown else ""

    @property
    def reason(self) -> str:
        """Why an unusual licence is borne."""
        if self.name.startswith(("nvidia-", "tensorrt")) and self.extra in {"train", "tensorrt", "test"}:
            return NVIDIA
        return REVIEWED.get(self.name, "")


def required(extra: str) -> list[Licensed]:
    """Everything that `edge-agent[extra]` brings with it and is installed here, by name."""
    found: dict[str, Licensed] = {}
    project = tomllib.loads(PROJECT.read_text())["project"]  # not the installed metadata, which may be of another day
    roots = project["dependencies"] if not extra else project["optional-dependencies"][extra]
    waiting = [(one, ("",)) for one in roots]
    seen = set()
    while waiting:
        text, extras = waiting.pop()
        requirement = Requirement(text)
        if requirement.marker and not any(requirement.marker.evaluate({"extra": one}) for one in extras):
            continue
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        wanted = (name, tuple(sorted(requirement.extras)))
        if wanted in seen:
            continue
        seen.add(wanted)
        try:
            told = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # of another platform, or of an extra that is not installed
            continue
        if name == "edge-agent":
            waiting += [(one, ("",)) for named in requirement.extras for one in project["optional-dependencies"][named]]
            continue
        found[name] = Licensed(name, told.version, licence_of(told.metadata), extra)
        waiting += [(one, tuple(requirement.extras) or ("",)) for one in told.requires or ()]
    return sorted(found.values(), key=lambda one: one.name)


def licence_of(told: metadata.PackageMetadata) -> str:
    """The licence: the SPDX expression, else the classifiers, else the first line of the free text."""
    if expression := told.get("License-Expression"):
        return expression
    classified = [one.rpartition("::")[2].strip() for one in told.get_all("Classifier") or () if one.startswith("License ::")]
    classified = [one for one in classified if one not in {"OSI Approved", "DFSG approved"}]
    lines = (told.get("License") or "").strip().splitlines()
    return "; ".join(classified) or (lines[0].strip() if lines else "")


def main() -> None:
    for extra in EXTRAS:
        print(f"\n{'edge-agent' + (f'[{extra}]' if extra else '')}")
        known = {one.name for one in required("")} if extra else set()
        for one in required(extra):
            if one.name not in known:
                print(f"  {one.name} {one.version}: {one.objection or one.reason or one.licence}")


if __name__ == "__main__":
    main()

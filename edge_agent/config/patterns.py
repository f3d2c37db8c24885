"""Patterns of files, refused where they could match nothing."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator


def _pattern(text: str) -> str:
    """Raises ValueError for a pattern that is none."""
    if not text.strip():
        raise ValueError("a pattern is empty; every file is **/*")
    if re.match(r"[A-Za-z]:|[\\/]|~", text):
        raise ValueError(f"{text!r} is a whole path; patterns are relative to the stream's path, such as **/*.tif")
    if ".." in re.split(r"[\\/]", text):
        raise ValueError(f"{text!r} leads out of the stream's folder, where nothing is read")
    if re.search(r"\{[^}]*,[^}]*\}", text):
        raise ValueError(f"{text!r}: braces mean nothing in patterns; write one pattern for each")
    if re.search(r",\s*\*", text):
        raise ValueError(f'{text!r}: commas mean nothing in patterns; write one for each, as in ["**/*.tif", "**/*.png"]')
    if text.count("[") != text.count("]"):
        raise ValueError(f"{text!r}: a bracket is not closed; [0-9] stands for one character")
    for inner in re.findall(r"\[!?(\]?[^\]]*)\]", text):
        if any(first > last for first, last in re.findall(r"(.)-(.)", inner)):
            raise ValueError(f"{text!r}: [{inner}] goes backwards; write the smaller character first, as in [0-9]")
    if re.search(r"[^\\/*]\*\*|\*\*[^\\/*]", text):
        raise ValueError(f"{text!r}: ** stands for folders and needs a / beside it, as in **/*.tif")
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]
"""As pathlib's: `*` and `?` within a name, `**` for any folders."""

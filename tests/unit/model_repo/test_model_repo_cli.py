"""The verbs of model-repo: help without torch, and one clear line for every wrong use."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from model_repo.cli import app

WITHOUT_TORCH = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] == 'torch':
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
sys.argv = ['model-repo', *sys.argv[1:]]
from model_repo.cli import main
main()
"""
EXTRA = "install the extra: pip install '.[train]' in the checkout"
VERBS = ("train", "evaluate", "learning-curve", "export", "layout", "compile", "calibrate", "list", "inspect")


def without_torch(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", WITHOUT_TORCH, *arguments], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_shows_an_example(verb):
    result = CliRunner().invoke(app, [verb, "--help"])
    assert result.exit_code == 0
    assert f"Example: model-repo {verb}" in " ".join(result.output.split())


def test_help_needs_neither_torch_nor_onnxruntime():
    code = "import sys, model_repo.cli; sys.exit(bool({'torch', 'onnxruntime', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [("train", "sem-real", "--data", ".", "--out", "x"), ("export", "sem-real", "--data", ".", "--checkpoints", ".", "--out", "x")],
    ids=["train", "export"],
)
def test_without_torch_the_extra_is_named(arguments):
    result = without_torch(*arguments)
    assert result.returncode == 78
    assert result.stderr.strip() == f"model-repo: model-repo {arguments[0]}: needs torch; {EXTRA}"


def test_an_unknown_recipe_names_the_known_ones(tmp_path):
    pytest.importorskip("torch")
    result = CliRunner().invoke(app, ["train", "sem-rael", "--data", str(tmp_path), "--out", str(tmp_path)])
    assert "known recipes: sem-real" in str(result.exception)


def test_a_recipe_with_a_wrong_key_names_it(tmp_path):
    from edge_agent.core.errors import EdgeAgentError
    from model_repo.recipe import load_recipe

    path = tmp_path / "r.toml"
    path.write_text('name = "x"\nversion = "1"\nlicence = "l"\n[data]\nsource = "micrographs"\nsplit = "s"\n[training]\nseed = 1\n')
    with pytest.raises(EdgeAgentError, match="training"):
        load_recipe(path)


def test_calibrating_a_model_that_ships_asks_where_its_copy_goes():
    pytest.importorskip("torch")
    from edge_agent.inference import find_model

    before = (find_model("sem-virtual") / "manifest.json").read_bytes()
    result = CliRunner().invoke(app, ["calibrate", "sem-virtual"])
    assert result.exit_code == 2
    assert "--out" in result.output
    assert "a model that ships is not overwritten" in " ".join(result.output.replace("│", " ").split())
    assert (find_model("sem-virtual") / "manifest.json").read_bytes() == before

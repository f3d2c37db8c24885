"""Coverage-guided fuzzing of all that reads bytes of foreign origin, by atheris (Apache-2.0), which is in no extra: `pip install atheris`.

`python -m tests.fuzz --list` names the targets; `python -m tests.fuzz TARGET --seconds 60` runs one, `--all` each in turn, and prints how
many executions each had and what was found. Inputs that once broke something lie in `found/TARGET/`; `tests/unit/test_fuzz_found.py`
tries them in every test run, without atheris.
"""

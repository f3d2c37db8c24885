"""The hostile corpus: files made to break a reader, from seeds of every format, and the one invariant that holds over all of them.

`python -m tests.hostile --all` runs everything and prints a table by format; `tests/unit/frames/test_hostile_corpus.py` runs a sample.
"""

"""``scripts/mutants``: breaks the code on purpose and counts what the tests see (mutation testing, by mutmut)."""

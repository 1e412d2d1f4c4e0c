"""Fuzz one target, guided by coverage: `python -m tests.fuzz.run core [libFuzzer's options and folders]`.

    .venv/bin/python -m tests.fuzz.run core -max_total_time=60 tests/fuzz/corpus/core

New inputs go into the first folder named. What fails is written to ./crash-…; put it into the corpus once
it is understood: tests/fuzz/test_corpus.py runs it from then on. Needs atheris, the extra `fuzz`.
"""

import sys
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def main() -> None:
    """Fuzz until told to stop, or until something fails."""
    import atheris

    with atheris.instrument_imports(include=["testbed"]):
        from tests.fuzz.targets import TARGETS
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: python -m tests.fuzz.run {'|'.join(TARGETS)} [options] [folders]")
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

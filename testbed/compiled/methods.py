"""The methods that `@dataclass` writes, compiled once.

For each class `dataclasses` writes five or six methods as text and has Python compile them, in every process
anew: a third of what a start imports.
"""

import dataclasses
import marshal
from typing import Any

from testbed.compiled.kept import KeptCode


def use(code: KeptCode) -> None:
    """From now on `dataclasses` takes the code of its methods from what is kept."""

    def execute(text: str, variables: dict[str, Any], names: dict[str, Any]) -> None:
        made = code.get(text)
        if made is None:
            made = code.keep(text, marshal.dumps(compile(text, "<string>", "exec", dont_inherit=True)))
        exec(marshal.loads(made), variables, names)

    vars(dataclasses).setdefault("exec", execute)  # where it is looked up before the built-in one

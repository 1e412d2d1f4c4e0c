"""Finding what the files of a package define, so that a new file needs no line elsewhere."""

import sys
from collections.abc import Iterable, Iterator
from pkgutil import iter_modules
from typing import Any


def defined_in(package: str, path: Iterable[str]) -> Iterator[Any]:
    """Every public object in the modules of a package, in the modules' and the definitions' order.

    `path` is the package's `__path__`. Classes that a module merely imports are left out.
    """
    for module in iter_modules(path):
        name = f"{package}.{module.name}"
        __import__(name)
        for attribute, value in list(vars(sys.modules[name]).items()):
            foreign = isinstance(value, type) and value.__module__ != name
            if not attribute.startswith("_") and not foreign:
                yield value

"""What differs from student to student: pure functions of the class's code, the lab and the student."""

import ast
import hmac
import operator
from collections.abc import Callable, Mapping, Sequence
from string import Template
from typing import Final

Choice = str | Mapping[str, str]  # a value, or several that belong together: {name: twitter.com, address: …}
_OPERATIONS: Final[Mapping[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def drawn(draws: Mapping[str, Sequence[Choice]], code: str, lab: str, student: str) -> dict[str, str]:
    """One choice of each: `hop` -> "3"; of a mapping `site`, each value as `site_name`, `site_address`.

    The same for the same class, lab and student, on every machine; students differ at random. Two draws from
    the same list never get the same choice, as long as there are enough.
    """
    found: dict[str, str] = {}
    taken: list[tuple[Sequence[Choice], int]] = []
    for name, choices in draws.items():
        free = [number for number in range(len(choices)) if (choices, number) not in taken]
        left = free or range(len(choices))
        number = left[_number(code, lab, student, name) % len(left)]
        taken.append((choices, number))
        chosen = choices[number]
        if isinstance(chosen, str):
            found[name] = chosen
        else:
            found |= {f"{name}_{key}": value for key, value in chosen.items()}
    return found


def _number(*words: str) -> int:
    digest = hmac.digest(words[0].encode(), "\0".join(words[1:]).encode(), "sha256")
    return int.from_bytes(digest[:8], "big")


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with `$name` replaced. KeyError for a name that was not drawn; ValueError for a lone `$`."""
    return Template(text).substitute(values)


def arithmetic(text: str) -> float:
    """The value of "65 - 3", "0.5 * 200": numbers, + - * /, brackets. ValueError for anything else."""
    try:
        return _value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ZeroDivisionError, RecursionError, MemoryError) as error:
        raise ValueError(f"{text!r} cannot be calculated: {error}") from None


def _value(node: ast.expr) -> float:
    number = node.value if isinstance(node, ast.Constant) else None
    if isinstance(number, int | float) and not isinstance(number, bool):
        return float(number)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.BinOp) and (apply := _OPERATIONS.get(type(node.op))):
        return apply(_value(node.left), _value(node.right))
    raise ValueError(f"{ast.unparse(node)!r} is no number")

"""What one answer comes to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnswerMark:
    """What one answer came to. `counts`: an answer that is none of its kind uses up no try."""

    right: bool
    words: str
    counts: bool = True

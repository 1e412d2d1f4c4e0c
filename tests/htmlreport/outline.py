"""What somebody hears who does not see the page: headings, landmarks, tables with their heads, pictures."""

from html.parser import HTMLParser

_SHOWN = {"h1", "h2", "h3", "summary", "caption", "figcaption", "nav", "main", "header", "strong"}
_VOID = {"meta", "input", "br", "link"}


class _Outline(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.stack: list[str] = []
        self.words: list[str] = []
        self.hidden = 0  # within what is said to nobody
        self.heads: list[str] = []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag in _VOID:
            return
        self.stack.append(tag)
        if found.get("aria-hidden") == "true" or tag in ("script", "style") or self.hidden:
            self.hidden += 1
        if tag in ("main", "nav", "header"):
            self._line(f"<{tag}{' ' + found['aria-label'] if 'aria-label' in found else ''}>")
        if tag in _SHOWN or tag == "th":
            self.words = []
        if tag == "thead":
            self.heads = []

    def handle_endtag(self, tag):
        if tag in _VOID:
            return
        assert self.stack.pop() == tag
        self.hidden -= bool(self.hidden)
        text = " ".join("".join(self.words).split())
        if tag in ("h1", "h2", "h3"):
            self._line(f"{tag} {text}")
        elif tag in ("summary", "caption"):
            self._line(f"{tag}: {text}")
        elif tag == "figcaption":
            self._line(f"picture: {text}")
        elif tag == "th" and "thead" in self.stack:
            self.heads.append(text)
        elif tag == "thead":
            self._line(f"  columns: {' | '.join(self.heads)}")

    def handle_data(self, data):
        if not self.hidden:
            self.words.append(data)

    def _line(self, text):
        self.lines.append(text)


def outline(page: str) -> str:
    """One line for each; an AssertionError if elements are not closed in order."""
    found = _Outline()
    found.feed(page)
    found.close()
    assert found.stack == []
    return "\n".join(found.lines) + "\n"

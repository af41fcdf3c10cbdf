"""Words → running text, by rules for European punctuation and English clitics."""

from __future__ import annotations

from collections.abc import Sequence

_CLOSING = frozenset(",.;:!?%)]}»…’'")
_OPENING = frozenset("([{«„‚¿¡")
_CLITICS = frozenset({"'s", "'m", "'re", "'ve", "'ll", "'d", "n't", "’s", "’m", "’re", "’ve", "’ll", "’d", "n’t"})
_QUOTES = {'"': '"', "„": "“", "“": "”"}


def join_words(tokens: Sequence[str]) -> str:
    """`["she", "is", "n't", "here", "."]` → `"she isn't here."`; straight quotes alternate open, closed."""
    text = ""
    glue = True
    closed_by = ""
    for token in tokens:
        closes = token == closed_by
        attached = closes or set(token) <= _CLOSING or token.lower() in _CLITICS
        text += token if glue or attached else " " + token
        opens = token in _QUOTES and not closes
        closed_by = _QUOTES[token] if opens else "" if closes else closed_by
        glue = opens or token in _OPENING
    return text

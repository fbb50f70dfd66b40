"""Every spelling of a secret that a program may print: the secret itself, its lines, and its encodings."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import urllib.parse
from collections.abc import Iterable, Iterator

SHORTEST_LINE = 4
"""Characters that a line of a secret has at least to be masked by itself."""
SHORTEST_ENCODED = 6
"""Bytes of a secret whose encodings are masked: an encoding of fewer would hit by chance."""
_WRAPS = (76, 64)  # columns at which base64 programs and PEM break their lines


def masked_forms(secrets: Iterable[str]) -> tuple[str, ...]:
    """Give every spelling of the secrets that is masked, each once.

    The password of a URL is a secret of its own: programs print it without the rest.
    """
    forms: set[str] = set()
    for secret in secrets:
        for one in (secret, *_passwords(secret)):
            forms.add(one)
            forms.update(line for line in map(str.strip, one.splitlines()) if len(line) >= SHORTEST_LINE)
            raw = one.encode("utf-8", "surrogateescape")
            if len(raw) >= SHORTEST_ENCODED:
                forms.update(_spelled(one))
                forms.update(_encoded(raw))
    return tuple(sorted(form for form in forms if form))


def _passwords(secret: str) -> Iterator[str]:
    """Give the password in a URL, as it stands there and as it is meant."""
    found = re.search(r"://[^/@\s:]*:([^/@\s]+)@", secret)
    if found is not None:
        for password in {found[1], urllib.parse.unquote(found[1])}:
            if len(password) >= SHORTEST_LINE:
                yield password


def _spelled(secret: str) -> Iterator[str]:
    """Give how texts of other languages spell it: JSON, a shell, Python, HTML."""
    for ascii_only in (True, False):
        spelled = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield spelled
        yield spelled.replace("/", "\\/")
    yield repr(secret)[1:-1]
    yield shlex.quote(secret)
    yield shlex.quote(secret)[1:-1] if shlex.quote(secret) != secret else secret
    yield re.sub(r"([^\w@%+=:,./-])", r"\\\1", secret, flags=re.ASCII)
    yield html.escape(secret)


def _encoded(raw: bytes) -> Iterator[str]:
    """Give its bytes as URLs, hexadecimal digits and base64 have them, wherever in a text it begins."""
    for quoted in (
        urllib.parse.quote(raw, safe=""),
        urllib.parse.quote_plus(raw),
        urllib.parse.quote(raw),
    ):
        yield quoted
        yield re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), quoted)
    yield from (raw.hex(), raw.hex().upper())
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):  # the secret may begin at any byte of a group of three
            text = encode(b"\0" * before + raw).decode()
            if not before:
                yield text
                yield from _wrapped(text)
            tail = (before + len(raw)) % 3
            yield text[(0, 2, 3)[before] : len(text) - (0, 3, 2)[tail]]


def _wrapped(text: str) -> Iterator[str]:
    """Give the lines of a long encoded text as programs break it."""
    for columns in _WRAPS:
        if len(text) > columns:
            lines = [text[at : at + columns] for at in range(0, len(text), columns)]
            yield "\n".join(lines)
            yield from (line for line in lines if len(line) >= 2 * SHORTEST_ENCODED)

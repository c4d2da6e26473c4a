"""Answers that lie, for `Wire`: the write was taken, and what is said of it is not what happened.

A gateway that answers in the vendor's place, a list with a row too few, too many, in another order or of
somebody else, a body that means nothing. Whatever is said, a read decides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

LIES = (
    "refused_after",
    "html_after",
    "empty_after",
    "key_twice",
    "row_missing",
    "row_twice",
    "rows_turned",
    "row_of_another",
)
"""What an answer can say falsely; see `lying`."""

_REFUSED = b'{"message":"the list is not valid"}'
_ROW_OF_XML = re.compile(rb"<result>.*?</result>", re.DOTALL)
_LAST_DIGIT = re.compile(r'(\d)(?="[,}\]])')

Rows = list[Any]


def lying(kind: str, answer: bytes) -> bytes:
    """An answer as this kind of trouble makes it.

    Args:
        kind: One of `LIES`.
        answer: What the vendor said: head and body.
    """
    if kind == "refused_after":
        return _plain(b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json", _REFUSED)
    if kind == "html_after":
        return _plain(b"HTTP/1.1 200 OK\r\nContent-Type: text/html", b"<html>hi</html>")
    if kind == "empty_after":
        return _plain(b"HTTP/1.1 200 OK\r\nContent-Type: application/json", b"{}")
    head, body = _unchunked(answer)
    if kind == "key_twice":
        first = re.search(rb'\{("[^"]+"):', body)
        if first is None:
            return answer
        return _plain(head, body[: first.end()] + b"null," + body[first.start() + 1 :])
    change: Callable[[Rows], Rows] = {
        "row_missing": lambda rows: rows[:-1],
        "row_twice": lambda rows: [*rows[:-1], rows[0]],
        "rows_turned": lambda rows: rows[::-1],
        "row_of_another": lambda rows: [*rows[:-1], _another(rows[-1])],
    }[kind]
    try:
        changed = json.dumps(_each_list(json.loads(body), change), ensure_ascii=False).encode()
    except ValueError:
        rows = [row.decode() for row in _ROW_OF_XML.findall(body)]
        if not rows:
            return answer
        told = iter(change(rows))
        changed = _ROW_OF_XML.sub(lambda _: next(told, "").encode(), body)
    return _plain(head, changed)


def _plain(head: bytes, body: bytes) -> bytes:
    return head + b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def _unchunked(answer: bytes) -> tuple[bytes, bytes]:
    """Head and body, the head without a word of how long the body is."""
    head, _, body = answer.partition(b"\r\n\r\n")
    if re.search(rb"(?i)transfer-encoding:[^\r]*chunked", head):
        left, body = body, b""
        while left:
            size, _, rest = left.partition(b"\r\n")
            count = int(size.split(b";")[0], 16)
            if not count:
                break
            body, left = body + rest[:count], rest[count + 2 :]
    return re.sub(rb"(?i)\r\n(transfer-encoding|content-length):[^\r]*", b"", head), body


def _each_list(value: Any, change: Callable[[Rows], Rows]) -> Any:
    """Every list of rows in an answer, changed."""
    if isinstance(value, list):
        rows = [_each_list(one, change) for one in value]
        return change(rows) if rows and all(isinstance(r, (dict, str)) for r in rows) else rows
    if isinstance(value, dict):
        return {name: _each_list(one, change) for name, one in value.items()}
    return value


def _another(row: Any) -> Any:
    """A row that names somebody else."""
    return json.loads(_LAST_DIGIT.sub(lambda digit: str((int(digit[1]) + 7) % 10), json.dumps(row)))

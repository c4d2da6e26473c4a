"""Values exactly as a vendor sent them: a strict reader and a lossless writer of JSON.

`json.loads` keeps the last of doubled keys, takes NaN and rounds 12345678901234567.89. Nothing here
does: numbers become `int` or `Decimal`, never `float`, and what is strange is refused.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any, Final

import msgspec

MAX_DEPTH: Final = 64
"""Levels of nesting; deeper answers are refused."""

_NUMBER: Final = "\x00number"
"""The key under which a Decimal travels in our own files; no vendor has a field of that name."""


class StrangeAnswer(ValueError):
    """Bytes that are not the plain JSON that was due."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise StrangeAnswer("a key stands twice in one object")
    return result


def _whole(text: str) -> int | Decimal:
    if len(text) > 4000:
        raise StrangeAnswer(f"a number of {len(text)} digits")
    # -0 is a value of its own; an int would drop the sign.
    return Decimal(text) if text == "-0" else int(text)


def _fraction(text: str) -> Decimal:
    if len(text) > 4000:
        raise StrangeAnswer(f"a number of {len(text)} digits")
    return Decimal(text)


def _never(text: str) -> Any:
    raise StrangeAnswer(f"{text} is not JSON")


def _depth(value: Any) -> None:
    """Level by level, since this is asked of every answer: most of what it walks over is plain."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return
    raise StrangeAnswer(f"nested more than {MAX_DEPTH} levels deep")


def strict_json(data: bytes | str) -> Any:
    """Read a vendor's JSON without losing or inventing anything.

    Args:
        data: The answer's body; bytes are UTF-8.

    Returns:
        dicts, lists, text, `bool`, None, `int` and `Decimal`.

    Raises:
        StrangeAnswer: Doubled keys, NaN or Infinity, too deep, trailing text, a byte order mark, HTML.
    """
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        value = json.loads(
            text,
            object_pairs_hook=_pairs,
            parse_int=_whole,
            parse_float=_fraction,
            parse_constant=_never,
        )
    except StrangeAnswer:
        raise
    except (ValueError, RecursionError) as error:
        raise StrangeAnswer(f"not JSON: {str(error)[:120]}") from None
    _depth(value)
    return value


def _tagged(value: Any) -> Any:
    if isinstance(value, Decimal):
        return {_NUMBER: str(value)}
    raise TypeError(f"a {type(value).__name__} is not a value of a record")


def _untag(pairs: list[tuple[str, Any]]) -> Any:
    if len(pairs) == 1 and pairs[0][0] == _NUMBER:
        return Decimal(pairs[0][1])
    return dict(pairs)


# Decimals travel as plain numbers, every digit kept. What UTF-8 cannot hold (lone surrogates) goes the
# slow way, in ASCII; so does NaN, which has more spellings than JSON's readers know, and what looks like
# its tag. Minus zero and the infinities are written as they are, and it is the reader who looks for
# them: far more is written than is ever read again.
_encoder: Final = msgspec.json.Encoder(decimal_format="number")
_sorting: Final = msgspec.json.Encoder(decimal_format="number", order="deterministic")
_decoder: Final = msgspec.json.Decoder(float_hook=Decimal)
_TAG: Final = b"\\u0000number"


_BACKSLASH: Final = b"\\"


def _tags(data: bytes) -> bool:
    """Whether the tag of an odd number may stand in it; a backslash alone is looked for far faster."""
    return _BACKSLASH in data and _TAG in data


def _minus_zero(data: bytes) -> bool:
    """Whether a minus zero may stand in it, which the fast reader would take for a zero."""
    return b"-0," in data or b"-0]" in data or b"-0}" in data or data == b"-0"


def _whole_or_minus_zero(text: str) -> int | Decimal:
    return Decimal(text) if text == "-0" else int(text)


def pack(value: Any) -> bytes:
    """Our own files' form: JSON that keeps lone surrogates, NUL and every digit.

    Raises:
        TypeError: It holds what no record can.
    """
    try:
        data = _encoder.encode(value)
        if b"NaN" not in data and not _tags(data):
            return data
    except (UnicodeEncodeError, TypeError, OverflowError):
        pass
    return json.dumps(value, default=_tagged, separators=(",", ":"), ensure_ascii=True).encode()


def unpack(data: bytes) -> Any:
    """The inverse of `pack`."""
    if not _tags(data) and not _minus_zero(data):
        try:
            return _decoder.decode(data)
        except msgspec.DecodeError:
            pass
    return json.loads(
        data,
        object_pairs_hook=_untag,
        parse_float=Decimal,
        parse_int=_whole_or_minus_zero,
        parse_constant=Decimal,
    )


def digest_of(value: Any) -> str:
    """SHA-256 of a value in one fixed form: keys sorted, every digit kept.

    Returns:
        The first 128 of its bits, as 32 hexadecimal digits.
    """
    try:
        data = _sorting.encode(value)
    except (UnicodeEncodeError, TypeError, OverflowError):
        data = json.dumps(
            value, default=_tagged, separators=(",", ":"), ensure_ascii=True, sort_keys=True
        ).encode()
    return hashlib.sha256(data).hexdigest()[:32]

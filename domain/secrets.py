"""A value that must not be seen: it can be used where it is needed and shown nowhere."""

import hmac
from typing import NoReturn, final


@final
class Secret:
    """Holds text that never appears by accident: not in print, logs, tracebacks' arguments, pickles or JSON.

    `reveal()` is the only way in, and searching for that word finds every place that uses a secret.
    It is not promised that the text leaves memory when the object does; Python cannot promise that.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself. Call it at the moment of use and keep no copy."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "Secret(…)"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(_bytes(self._text), _bytes(other._text))

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied to another process")

    def __iter__(self) -> NoReturn:
        raise TypeError("a Secret cannot be taken apart")

    def __deepcopy__(self, memo: object) -> "Secret":
        return self

    def __copy__(self) -> "Secret":
        return self


def _bytes(text: str) -> bytes:
    # What a caller sent may hold lone surrogates; comparing must not fail on them.
    return text.encode(errors="surrogatepass")

"""Content: files and other bytes that travel with an action's parameters, and content that comes back.

Parameters and results are JSON, so bytes are written as text or in base64 (RFC 4648, section 4). What goes in is
bounded so that a request of one piece of content stays under the gateway's limit of 1 MiB; what comes back is cut at a
stated number of bytes, and says so.
"""

import base64
import binascii
import codecs
import re
from typing import Annotated, Final, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from adapters._kit.action import Part
from adapters._kit.call import Call
from adapters._kit.result import Result

LARGEST_TEXT_BYTES: Final = 900_000
LARGEST_BASE64: Final = 960_000  # characters, which are 720 000 bytes
LARGEST_ANSWER_BYTES: Final = 512 * 1024

#: For parameters: `text/csv`, `image/png`. Without parameters (RFC 9110, section 8.3.1), so that nothing else fits in.
MediaType = Annotated[
    str,
    Field(
        description="The media type of the content, e.g. `text/csv` or `application/pdf`.",
        max_length=127,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*$",
    ),
]

_TEXTUAL = re.compile(
    r"(?:text/[^;]*|[^;]*[/+](?:json|xml|yaml)|application/(?:javascript|x-yaml|x-ndjson|sql|toml|csv))", re.IGNORECASE
)
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)


class Content(Part):
    """The bytes of a file: give exactly one of `text` and `base64`."""

    text: Annotated[
        str | None,
        Field(description="The content as text; it is stored as UTF-8. At most 900 000 bytes.", max_length=900_000),
    ] = None
    base64: Annotated[
        str | None,
        Field(
            description="The content in base64 (RFC 4648, with padding, without line breaks), for what is not text. "
            "At most 720 000 bytes, which are 960 000 characters.",
            max_length=LARGEST_BASE64,
        ),
    ] = None

    @field_validator("text")
    @classmethod
    def _fits(cls, value: str | None) -> str | None:
        try:
            if value is not None and len(value.encode()) > LARGEST_TEXT_BYTES:
                raise PydanticCustomError("too_large", "The text is larger than 900 000 bytes in UTF-8.")
        except UnicodeEncodeError:
            raise PydanticCustomError("not_unicode", "The text holds half of a surrogate pair.") from None
        return value

    @field_validator("base64")
    @classmethod
    def _decodes(cls, value: str | None) -> str | None:
        try:
            base64.b64decode(value or "", validate=True)
        except (binascii.Error, ValueError):
            raise PydanticCustomError(
                "not_base64", "This is not base64 with padding and without line breaks."
            ) from None
        return value

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if (self.text is None) == (self.base64 is None):
            raise PydanticCustomError("one_of", "Give exactly one of `text` and `base64`.")
        return self

    async def read(self, call: Call) -> bytes:  # noqa: ARG002 - content kept elsewhere would be fetched by the run
        """The bytes."""
        if self.base64 is not None:
            return base64.b64decode(self.base64, validate=True)
        return (self.text or "").encode()


class ReceivedContent(Result):
    """Content that a service gave: `text` when it is text, else `base64`.

    `size` counts the bytes of the whole; with `is_truncated` only the beginning is here.
    """

    media_type: str
    size: int
    text: str | None = None
    base64: str | None = None
    is_truncated: bool = False

    @classmethod
    def of_bytes(cls, raw: bytes, media_type: str = "", *, cap: int = LARGEST_ANSWER_BYTES) -> Self:
        """The first `cap` bytes. Text is what its media type calls text and what its character set can read.

        Without a media type the bytes decide: UTF-8 without NUL is text.
        """
        kept, is_truncated = raw[:cap], len(raw) > cap
        text = _text_of(kept, media_type, is_whole=not is_truncated)
        named = media_type.partition(";")[0].strip().lower()[:127]
        return cls(
            media_type=named or ("text/plain" if text is not None else "application/octet-stream"),
            size=len(raw),
            text=text,
            base64=base64.b64encode(kept).decode() if text is None else None,
            is_truncated=is_truncated,
        )


def _text_of(raw: bytes, media_type: str, *, is_whole: bool) -> str | None:
    if media_type and not _TEXTUAL.match(media_type):
        return None
    named = _CHARSET.search(media_type)
    text = decoded(raw, named[1] if named else "utf-8", is_whole=is_whole)
    return None if text is None or "\x00" in text else text


def decoded(raw: bytes, charset: str, *, is_whole: bool = True) -> str | None:
    """The text, None when the character set is unknown or does not fit.

    A character that was cut off at the end of what is not the whole is left out.
    """
    try:
        codec = codecs.lookup(charset)
        if not codec._is_text_encoding:  # noqa: SLF001 - `hex` and `zip` are codecs too, and no character sets
            return None
        return codec.incrementaldecoder("strict").decode(raw, is_whole)
    except (LookupError, ValueError, TypeError):
        return None

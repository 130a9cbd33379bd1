"""HTML for people: every word is escaped unless it is markup of ours, and every page has the same strict headers."""

import html
from collections.abc import Mapping, Sequence
from typing import Final

from starlette.responses import HTMLResponse, Response

STYLE: Final = "/connect/v1/style.css"
SCRIPT: Final = "/connect/v1/connect.js"

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="{style}">{script}
</head>
<body{body}><main{attributes}>
{content}
</main></body>
</html>
"""
_NOBODY: Final = "'none'"
_MARKS: Final = {
    "good": '<circle cx="12" cy="12" r="10"/><path d="m7.5 12.5 3 3 6-6.5"/>',
    "bad": '<circle cx="12" cy="12" r="10"/><path d="M12 7v6"/><path d="M12 16.5v.01"/>',
}


class Markup(str):
    """Text that is HTML already. Make it with `tag`, or from a constant."""

    __slots__ = ()


Content = str | Markup | None | Sequence["Content"]
NOTHING: Final = Markup("")


def rendered(content: Content) -> Markup:
    """Markup as it is, any other text escaped, sequences one after the other."""
    if content is None:
        return NOTHING
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        return Markup(html.escape(content))
    return Markup("".join(rendered(each) for each in content))


def tag(element: str, /, *content: Content, **attributes: str | bool | None) -> Markup:
    """One element. `class_` is `class`, `data_x` is `data-x`; True is an attribute without a value, None is none."""
    written = "".join(_attribute(each, value) for each, value in attributes.items())
    if element in ("input", "meta"):
        return Markup(f"<{element}{written}>")
    return Markup(f"<{element}{written}>{rendered(content)}</{element}>")


def mark(outcome: str) -> Markup:
    """The sign above what a page says; the words say it too."""
    return Markup(f'<svg class="mark {outcome}" viewBox="0 0 24 24" aria-hidden="true">{_MARKS[outcome]}</svg>')


def page(
    title: str,
    *content: Content,
    status: int = 200,
    framed_by: str | None = None,
    headers: Mapping[str, str] | None = None,
    attributes: Mapping[str, str] | None = None,
) -> Response:
    """A whole page. `framed_by` is the one origin that may show it in a frame; only then has it a script."""
    body = _PAGE.format(
        title=html.escape(title),
        style=STYLE,
        script=f'\n<script type="module" src="{SCRIPT}"></script>' if framed_by else "",
        body=' class="framed"' if framed_by else "",
        attributes="".join(_attribute(each, value) for each, value in (attributes or {}).items()),
        content=rendered(content),
    )
    return HTMLResponse(body, status_code=status, headers={**page_headers(framed_by), **(headers or {})})


def page_headers(framed_by: str | None = None) -> dict[str, str]:
    """Nothing is loaded but our style sheet and, in a frame, our script; forms go to us alone."""
    scripts = "script-src 'self'; connect-src 'self'; " if framed_by else ""
    policy = f"default-src 'none'; style-src 'self'; {scripts}form-action 'self'; base-uri 'none'; "
    found = {
        "content-security-policy": f"{policy}frame-ancestors {framed_by or _NOBODY}",
        # Not `no-referrer`: with it a browser hides from us where a form was sent from.
        "referrer-policy": "same-origin",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    }
    return found if framed_by else {**found, "x-frame-options": "DENY"}


def _attribute(name: str, value: str | bool | None) -> str:  # noqa: FBT001 - an attribute with no value is True
    if value is None or value is False:
        return ""
    written = name.rstrip("_").replace("_", "-")
    return f" {written}" if value is True else f' {written}="{html.escape(value)}"'

"""Scripts of a page: the import map, and each module with links to all that it imports: none waits for another."""

import json
import posixpath
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from django import template
from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.template import Context
from django.utils.html import format_html, format_html_join

if TYPE_CHECKING:
    from collections.abc import Mapping

register = template.Library()

_EVERY_PAGE = "js/app.js"
_IMPORT = re.compile(r"""^(?:import|export) [^"']*["'](\.[^"']+)["'];""", re.MULTILINE)


@register.simple_tag(takes_context=True)
def import_map(context: Context) -> str:
    """The import map: bare and unhashed names of our modules to the files that are served."""
    nonce = getattr(context["request"], "csp_nonce", "")
    return format_html('<script type="importmap" nonce="{}">{}</script>', nonce, _Json(_imports()))


@register.simple_tag
@cache
def script(name: str) -> str:
    """One module, and what it imports in turn; what every page has already is not named again."""
    known = () if name == _EVERY_PAGE else (_EVERY_PAGE, *imported(_EVERY_PAGE))
    links = [(staticfiles_storage.url(each),) for each in imported(name) if each not in known]
    return format_html(
        '{}<script type="module" src="{}"></script>',
        format_html_join("", '<link rel="modulepreload" href="{}">', links),
        staticfiles_storage.url(name),
    )


@cache
def imported(name: str) -> tuple[str, ...]:
    """Names of all modules that the module `name` imports, directly or not; what it loads later is not among them."""
    found: dict[str, None] = {}
    left = [name]
    while left:
        module = left.pop(0)
        for relative in _IMPORT.findall(_text(module)):
            other = posixpath.normpath(posixpath.join(posixpath.dirname(module), relative))
            if other != name and other not in found:
                found[other] = None
                left.append(other)
    return tuple(found)


def _text(name: str) -> str:
    path = finders.find(name)
    if not isinstance(path, str):
        raise FileNotFoundError(name)
    return Path(path).read_text(encoding="utf-8")


class _Json:
    """JSON text that is harmless inside a script element: `<`, `>` and `&` are escaped in the JSON itself."""

    def __init__(self, value: object) -> None:
        text = json.dumps(value, separators=(",", ":"))
        self._text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")

    def __html__(self) -> str:
        """The text, already escaped for where it stands."""
        return self._text


@cache
def _imports() -> dict[str, object]:
    hashed: Mapping[str, str] = getattr(staticfiles_storage, "hashed_files", {})
    own = {
        f"{settings.STATIC_URL}{name}": staticfiles_storage.url(name)
        for name in hashed
        if name.startswith("js/") and name.endswith(".js")
    }
    return {"imports": {"uplot": staticfiles_storage.url("vendor/uplot/uPlot.esm.js"), **own}}

"""What stands where a page cannot: refused, not found, wrong, broken. Nothing of the request is echoed."""

import logging
import secrets
import sys

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from dashboard.access import Refused
from dashboard.unanswered import RETRY_AFTER_SECONDS, why

logger = logging.getLogger(__name__)
_API = "/api/"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: our own sentence where there is one."""
    sentence = str(exception) if isinstance(exception, BadRequest) else "Weir could not read this request."
    return _error(request, 400, "Not understood", sentence)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403: the line that also stands where the action would be offered."""
    sentence = str(exception) if isinstance(exception, Refused) else "You may not do this."
    return _error(request, 403, "Not allowed", sentence)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403: the form came from elsewhere, or is older than the session."""
    logger.warning("A form was refused: %s", reason)
    return _error(request, 403, "Form out of date", "Reload the page and send the form again.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404."""
    return _error(request, 404, "Not found", "There is no such page, or what it showed is gone.")


def broken(request: HttpRequest) -> HttpResponse:
    """500, or 503 where Postgres did not answer: an id that the log has too, in a page that needs nothing of what may
    have broken.
    """
    mark, unanswered = secrets.token_hex(4), why(sys.exception())  # Django calls this where it handles the exception
    logger.error("The error that Django logs next was shown as %s.", mark)
    facts = {
        "title": "Error · Weir",
        "heading": unanswered.heading if unanswered else "Something broke",
        "sentence": unanswered.sentence if unanswered else "",
        "mark": mark,
    }
    answer = render(request, "errors/broken.html", facts, status=503 if unanswered else 500)
    if unanswered:
        answer["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


def _error(request: HttpRequest, status: int, heading: str, sentence: str) -> HttpResponse:
    if request.path.startswith(_API):  # before it was known which operation is meant: still no page for a script
        problem = {"type": "about:blank", "title": heading, "status": status, "detail": sentence}
        return JsonResponse(problem, status=status, content_type="application/problem+json")
    facts = {"title": f"{heading} · Weir", "heading": heading, "sentence": sentence, "status": status}
    return render(request, "errors/error.html", facts, status=status)

"""Errors of the API as problem details (RFC 9457). Nothing of the request is echoed."""

import logging
import secrets
from http import HTTPStatus

from django.http import HttpRequest, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from dashboard.access import Refused, sentence
from dashboard.allowances import TooOften
from dashboard.queries.letter_filter import FIELDS, BadFilter
from dashboard.queries.window import BadWindow
from dashboard.unanswered import RETRY_AFTER_SECONDS, why

log = logging.getLogger(__name__)
MOST_PLACES = 10


class NotFound(Exception):
    """There is no such thing; the message says which."""


class Unprocessable(Exception):
    """What was sent can be read, and says nothing that Weir could do."""


class Conflict(Exception):
    """The request does not fit the state of things; the message says why."""


def problem(status: HTTPStatus, detail: str) -> JsonResponse:
    """One problem document."""
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    return JsonResponse(body, status=status.value, content_type="application/problem+json")


def answer_problems(api: NinjaAPI) -> None:
    """Give every error of `api` its problem document."""

    def add(error: type[Exception], status: HTTPStatus, detail: str | None = None) -> None:
        def handler(_request: HttpRequest, raised: Exception | type[Exception]) -> JsonResponse:
            return problem(status, detail or str(raised))

        api.add_exception_handler(error, handler)

    add(AuthenticationError, HTTPStatus.UNAUTHORIZED, "Send a valid token as: Authorization: Bearer weir_api_…")
    add(BadWindow, HTTPStatus.BAD_REQUEST)
    add(BadFilter, HTTPStatus.BAD_REQUEST, f"This is no filter. Words, and the fields {', '.join(FIELDS)}.")
    add(NotFound, HTTPStatus.NOT_FOUND)
    add(Conflict, HTTPStatus.CONFLICT)
    add(Unprocessable, HTTPStatus.UNPROCESSABLE_ENTITY)

    def too_often(_request: HttpRequest, raised: Exception | type[Exception]) -> JsonResponse:
        answer = problem(HTTPStatus.TOO_MANY_REQUESTS, str(raised))
        answer["Retry-After"] = str(raised.seconds if isinstance(raised, TooOften) else 1)
        return answer

    def refused(_request: HttpRequest, raised: Exception | type[Exception]) -> JsonResponse:
        detail = sentence(raised.action) if isinstance(raised, Refused) else "Not allowed."
        return problem(HTTPStatus.FORBIDDEN, detail)

    def invalid(_request: HttpRequest, raised: Exception | type[Exception]) -> JsonResponse:
        errors = raised.errors if isinstance(raised, ValidationError) else []
        places = sorted({".".join(str(part) for part in error["loc"][1:]) for error in errors})
        more = f" and {len(places) - MOST_PLACES} more" if len(places) > MOST_PLACES else ""
        detail = f"Check these fields against the API's document: {', '.join(places[:MOST_PLACES])}{more}."
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)

    def http(_request: HttpRequest, raised: Exception | type[Exception]) -> JsonResponse:
        status = HTTPStatus(raised.status_code) if isinstance(raised, HttpError) else HTTPStatus.BAD_REQUEST
        return problem(status, status.description or status.phrase)

    api.add_exception_handler(Exception, _failed)
    api.add_exception_handler(Refused, refused)
    api.add_exception_handler(TooOften, too_often)
    api.add_exception_handler(ValidationError, invalid)
    api.add_exception_handler(HttpError, http)


def _failed(_request: HttpRequest, raised: Exception | type[Exception]) -> JsonResponse:
    error_id = secrets.token_hex(4)
    log.error("error %s", error_id, exc_info=raised if isinstance(raised, Exception) else None)
    unanswered = why(raised) if isinstance(raised, Exception) else None
    if unanswered is None:
        said = f"This is a fault of Weir's; its log tells more at {error_id}."
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, said)
    said = f"{unanswered.heading}. {unanswered.sentence} Weir's log tells more at {error_id}."
    answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, said)
    answer["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer

"""Login: who are you? Also signing out, and the first admin's link."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from collector.clock import now
from dashboard import first_admin, signin
from dashboard.access import Action, needs
from dashboard.forms import FirstAdmin, SignIn

WRONG = "Wrong name or password."
ENDED = "This link was used or is too old. Restarting Weir, or `manage.py sign_in_link`, prints a new one."


@needs(Action.ENTER)
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password")
def login(request: HttpRequest) -> HttpResponse:
    """The form; after it, back to the full address that was asked for."""
    back = _back(request)
    if request.method != "POST":
        if request.user.is_authenticated:
            return HttpResponseRedirect(back)
        return _form(request, SignIn(), back)
    form = SignIn(request.POST)
    if not form.is_valid():
        return _form(request, form, back, error=WRONG, status=400)
    name = form.cleaned_data["name"]
    try:
        person = signin.sign_in(request, name=name, password=form.cleaned_data["password"])
    except signin.Throttled as wait:
        response = _form(request, form, back, error=str(wait), status=429)
        response["Retry-After"] = str(wait.seconds)
        return response
    if person is None:
        return _form(request, form, back, error=WRONG, status=403)
    response = HttpResponseRedirect(back)
    signin.remember_browser(request, response, name)
    return response


@needs(Action.ENTER)
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session."""
    signin.sign_out(request)
    return HttpResponseRedirect(reverse("login"))


@needs(Action.ENTER)
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password")
def first(request: HttpRequest, secret: str) -> HttpResponse:
    """Asks for the first admin's name and password. Raises Http404 away from this machine."""
    if not first_admin.may_use(request):
        raise Http404
    if not first_admin.is_open(secret, now=now()):
        return _first(request, None, error=ENDED, status=410)
    if request.method != "POST":
        return _first(request, FirstAdmin())
    form = FirstAdmin(request.POST)
    if not form.is_valid():
        return _first(request, form, status=400)
    try:
        person = first_admin.use(secret, request=request, now=now(), **form.cleaned_data)
    except first_admin.NameTaken as fault:
        form.add_error("name", str(fault.__doc__))
        return _first(request, form, status=400)
    except first_admin.LinkEnded:
        return _first(request, None, error=ENDED, status=410)
    signin.start(request, person)
    response = HttpResponseRedirect(reverse("overview"))
    signin.remember_browser(request, response, person.name)
    return response


def _back(request: HttpRequest) -> str:
    """The path to return to: only ever a path of ours (docs/security.md S4)."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if is_ours else reverse("overview")


def _form(request: HttpRequest, form: SignIn, back: str, *, error: str = "", status: int = 200) -> HttpResponse:
    facts = {"form": form, "next": back, "error": error, "title": "Sign in · Weir"}
    return render(request, "login/login.html", facts, status=status)


def _first(request: HttpRequest, form: FirstAdmin | None, *, error: str = "", status: int = 200) -> HttpResponse:
    facts = {"form": form, "error": error, "title": "Make the first admin · Weir"}
    return render(request, "login/first.html", facts, status=status)


urlpatterns = [
    path("login/", login, name="login"),
    path("logout/", sign_out, name="logout"),
    path("sign-in/<str:secret>/", first, name="first_admin"),
]

"""Ask to see masked fields of a topic for a quarter of an hour, with a reason that the audit log keeps."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from collector.clock import now
from collector.domain.mask_fields import fields
from dashboard import shell, signin, unmasking
from dashboard.access import Action, needs
from dashboard.forms import UnmaskForm
from dashboard.queries.hiding import aim_for, rule_names


@needs(Action.UNMASK)
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password")
def unmask_page(request: HttpRequest, topic: str) -> HttpResponse:
    """The form; then back to where it was asked. With `mask` what is unmasked of the topic hides again."""
    masked = fields(aim_for(topic))
    if not masked:
        raise Http404(f"No mask rule is meant for {topic}.")
    back = _back(request)
    if request.POST.get("mask"):
        unmasking.mask_again(request, topic, now=now())
        return HttpResponseRedirect(back)
    asks = not signin.is_proved(request, now=now())
    if request.method != "POST":
        return _form(request, topic, UnmaskForm(masked=masked, asks_password=asks), back)
    form = UnmaskForm(request.POST, masked=masked, asks_password=asks)
    if not form.is_valid():
        return _form(request, topic, form, back, status=400)
    try:
        if asks and not signin.prove(request, form.cleaned_data["password"]):
            form.add_error("password", "This is not your password.")
    except signin.Throttled as wait:
        form.add_error("password", str(wait))
        response = _form(request, topic, form, back, status=429)
        response["Retry-After"] = str(wait.seconds)
        return response
    if form.errors:
        return _form(request, topic, form, back, status=403)
    unmasking.unmask(request, topic, form.cleaned_data["fields_shown"], reason=form.cleaned_data["reason"], now=now())
    return HttpResponseRedirect(back)


def _form(request: HttpRequest, topic: str, form: UnmaskForm, back: str, *, status: int = 200) -> HttpResponse:
    facts = {"topic": topic, "form": form, "next": back, "rules": rule_names(topic)}
    crumbs = [shell.Crumb("Events", reverse("events")), shell.Crumb("Unmask")]
    return shell.page(
        request, "unmasking/unmask.html", facts, section="events", crumbs=crumbs, streams=" ", status=status
    )


def _back(request: HttpRequest) -> str:
    """The path to return to: only ever a path of ours (docs/security.md S4)."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if is_ours else reverse("events")


urlpatterns = [
    path("events/unmask/<segment:topic>/", unmask_page, name="unmask"),
]

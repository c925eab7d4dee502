"""What the worker says when its end takes long."""

from types import SimpleNamespace

import pytest
from celery.worker import state

from dashboard import worker


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["collector.pack_samples", "collector.drop_old"], "collector.drop_old, collector.pack_samples."),
        ([], "its connections alone."),
    ],
)
def test_a_worker_that_lasts_names_the_tasks_it_waits_for(
    names: list[str], said: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "LASTS_SECONDS", 0)
    monkeypatch.setattr(state, "active_requests", [SimpleNamespace(name=name) for name in names])
    worker._say_what_lasts()
    assert caplog.messages == [f"Still under way after 0 s: {said}"]

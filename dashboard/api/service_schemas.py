"""What the API answers of services. Times are ISO 8601 UTC; None is unknown, never 0."""

from ninja import Schema

from dashboard.api.schemas import GraphEdge, Health, MarkItem, SeriesLine


class ServiceItem(Schema):
    """A service. `guessed`: known only as the consumer group `name` on `cluster`.

    Rates are per second over the last minute, from spans. `failed`: share of all that it read and wrote in the window.
    `version`: the newest of the `n_versions` that run; empty where its spans name none. `n_dead_letters`: open ones of
    the groups that it reads as. `coverage`: the share of what its groups committed in the window that has spans.
    """

    id: str
    name: str
    namespace: str
    cluster: str
    guessed: bool
    health: Health
    sentence: str
    version: str
    version_since: str | None
    n_versions: int
    rate_in: float | None
    rate_out: float | None
    failed: float | None
    lag: int | None
    lag_seconds: float | None
    n_dead_letters: int
    coverage: float | None
    last_at: str | None
    evidence: list[str]


class ServiceList(Schema):
    """A page of services, by id. `truncated`: there are more; `next` continues it (parameter `after`)."""

    as_of: str | None
    items: list[ServiceItem]
    next: str | None
    truncated: bool


class TimedReadings(Schema):
    """How long `n` readings took to process, in seconds; null where fewer than 20 were timed."""

    n: int
    p50: float | None
    p95: float | None


class ServiceVersion(Schema):
    """A version, and how long readings took `from` … `to`: the newest in the window, each other right before the next.

    `beside`: other versions that were seen in that stretch; the numbers are of them, too. `from_at` and `to_at` are
    null where the version had no whole minute.
    """

    version: str
    first_at: str
    last_at: str
    is_running: bool
    from_at: str | None
    to_at: str | None
    processing: TimedReadings
    beside: list[str]


class ServiceTopic(Schema):
    """A topic that the service reads or writes. `edge`: what was seen of it in the window, or null."""

    topic: str
    group: str
    edge: GraphEdge | None
    lag: int | None
    lag_seconds: float | None
    verdict: str
    wait_p50_seconds: float | None
    processing_p50_seconds: float | None
    n_dead_letters: int


class ServiceFailure(Schema):
    """A failure group of a consumer group that the service reads as."""

    id: int
    title: str
    exception_class: str
    group: str | None
    topic: str | None
    first_at: str
    last_at: str
    n_open: int
    n_all: int


class ServiceSeries(Schema):
    """Reads and writes per second, processing in seconds, shares that failed: a value per step; `at` are their ends."""

    at: list[str]
    step_seconds: float
    rates: list[SeriesLine]
    processing: list[SeriesLine]
    failed: list[SeriesLine]


class ServiceAnswer(Schema):
    """One service. `last_at`: when it last sent a span, to about a minute; `last_event_at`: when it last read or wrote.

    `usual_seconds`: mean time between two events over the day before the last one. `versions`: the newest ten.
    `coverage`: the share of what its groups committed in the window that has spans.
    `reads` and `writes`: the 200 busiest topics of each, of `n_reads` and `n_writes`.
    """

    as_of: str | None
    id: str
    name: str
    namespace: str
    health: Health
    sentence: str
    rate_in: float | None
    rate_out: float | None
    failed: float | None
    processing: TimedReadings
    coverage: float | None
    first_at: str
    last_at: str | None
    last_event_at: str | None
    usual_seconds: float | None
    is_silent: bool
    n_reads: int
    reads: list[ServiceTopic]
    n_writes: int
    writes: list[ServiceTopic]
    versions: list[ServiceVersion]
    failures: list[ServiceFailure]
    series: ServiceSeries
    marks: list[MarkItem]

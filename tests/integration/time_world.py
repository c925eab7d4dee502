"""A shop before and after a deploy, in the tables: one service came, one went, one became slower, one edge is new."""

from datetime import datetime, timedelta

from django.db import connection

from collector.domain import histograms
from tests.integration.graph_world import World

WINDOW = 900.0
AFTER, BEFORE = 0.0, 3_600.0  # how long ago the two windows ended
FAST, SLOW = 140.0, 1_200.0  # milliseconds of processing


class TwoMoments(World):
    """Of two windows of 15 minutes, one ending now and one an hour ago; somebody looked all of the time."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at, "demo")
        self.names = {name: self.topic(name) for name in ("orders.created", "payments.captured", "fraud.check")}
        created, payments, check = self.names.values()
        orders, self.billing, fraud, legacy, mailer = (
            self.service(name) for name in ("orders-svc", "billing-svc", "fraud-svc", "legacy-mailer", "mailer")
        )
        self.sends = self.edge(1, orders, created)
        self.reads = self.edge(2, self.billing, created)
        self.pays = self.edge(1, self.billing, payments)
        self.mails = self.edge(2, mailer, payments)
        self.asks = self.edge(1, self.billing, check)
        self.checks = self.edge(2, fraud, check)
        self.old = self.edge(2, legacy, payments)
        for ended, edges in (
            (BEFORE, (self.sends, self.reads, self.pays, self.mails, self.old)),
            (AFTER, (self.sends, self.reads, self.pays, self.mails, self.asks, self.checks)),
        ):
            self.flow(edges, ended=ended)
            self.looked(ended=ended)
            self.took(self.reads, FAST if ended == BEFORE else SLOW, ended=ended)
        self.versions()

    def flow(self, edges: tuple[int, ...], *, ended: float) -> None:
        """Ten events each ten seconds on every one of these edges."""
        for step in range(int(WINDOW / 10)):
            for edge in edges:
                self.counted(edge, 10, ago=ended + 10 * step + 5)

    def looked(self, *, ended: float) -> None:
        """A scan each five seconds, a little beyond both ends."""
        for step in range(-2, int(WINDOW / 5) + 12):
            self.scanned(ago=ended + 5 * step)

    def took(self, edge: int, milliseconds: float, *, ended: float) -> None:
        """Every minute 60 readings that took so long."""
        body = histograms.encoded(histograms.counted([milliseconds] * 60))
        with connection.cursor() as cursor:
            for minute in range(int(WINDOW / 60)):
                at = self.at - timedelta(seconds=ended + 60 * minute + 30)
                cursor.execute(
                    "insert into edge_1m (bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence,"
                    " processing) values (date_trunc('minute', %s::timestamptz), %s, 60, 0, 1, 60, 1, %s)",
                    [at, edge, body],
                )

    def versions(self) -> None:
        """billing-svc 2.8.0 came 20 minutes ago."""
        came = self.at - timedelta(minutes=20)
        with connection.cursor() as cursor:
            cursor.execute(
                "insert into service_version (service_id, version, first_at, last_at) values (%s, '2.7.3', %s, %s),"
                " (%s, '2.8.0', %s, %s)",
                [self.billing, self.at - timedelta(days=1), came, self.billing, came, self.at],
            )
            cursor.execute(
                "insert into change_mark (at, kind, service_id, before, after) values (%s, 1, %s, '2.7.3', '2.8.0')",
                [came, self.billing],
            )

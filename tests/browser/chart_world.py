"""An hour, and thirty days, of what charts must draw rightly: a gap, resets, marks side by side, many lines."""

from datetime import datetime, timedelta
from math import sin

from django.db import connection

from tests.integration.graph_world import World

READERS = ("billing", "shipping", "audit", "emails", "search", "fraud", "reports")
GAP = (1_500, 1_900)  # seconds ago, in which nobody looked
CUT = 2_400  # seconds ago the broker lost what was written last
AGAIN = 1_000  # seconds ago `payments` was created again


def run(sql: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)  # type: ignore[arg-type]


class ChartWorld:
    """Topic `orders` with seven readers, of which billing falls behind; `payments`, created again; billing-svc."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.world = world = World(at)
        self.orders, self.old = world.topic("orders"), world.topic("payments")
        self.groups = {name: world.group(name) for name in READERS}
        service, sender = world.service("billing-svc"), world.service("orders-svc")
        self.writes = world.edge(1, sender, self.orders)
        self.reads = world.edge(2, service, self.orders, self.groups["billing"])
        self.pays = world.edge(1, service, self.old)
        run("update consumer_group set state = 'Stable', protocol = 1")
        run("update topic set n_partitions = 3 where id = %s", self.orders)
        run("update service set first_at = %s", at - timedelta(days=20))
        run('update topic set configs = \'{"cleanup.policy": "delete", "retention.ms": "604800000"}\'')
        self._hour()
        self._created_again()
        self._marks(service)

    def _hour(self) -> None:
        written = 50_000.0
        read = dict.fromkeys(READERS, written - 40.0)
        for ago in range(3_900, -1, -10):
            written += 400 * (1.2 + sin(ago / 300)) / 2
            if ago == CUT:
                written -= 30_000
                read = {name: min(each, written) for name, each in read.items()}
            for number, name in enumerate(READERS):
                pace = 0.55 if name == "billing" and ago < 1_400 else 1.0
                read[name] += (written - read[name] - 30 * number) * 0.5 if pace == 1.0 else 90
            if GAP[0] < ago < GAP[1]:
                continue
            self.world.scanned(ago=ago)
            self.world.watermarks(self.orders, [int(written), int(written) - 7, int(written) + 40], ago=ago)
            for name, number in self.groups.items():
                own = int(read[name])
                lag = max(0, 3 * int(written) - 3 * own)
                self.world.committed(self.orders, number, [own, own - 7, own + 40], ago=ago, lag=lag)
        for ago in range(3_600, 0, -10):
            if not GAP[0] < ago < GAP[1]:
                self.world.counted(self.writes, 700 + ago % 300, ago=ago)
                self.world.counted(self.reads, 300 + ago % 200, ago=ago, errors=40 if ago < 1_200 else 0)
                self.world.counted(self.pays, 250, ago=ago)
        run("update group_now set verdict = 'SLOW', n_judged = 3, verdict_at = %s, lag_seconds = 840,"
            " lag_seconds_margin = 5, moved_at = %s where group_id = %s",
            self.at - timedelta(seconds=1_380), self.at, self.groups["billing"])  # fmt: skip

    def _created_again(self) -> None:
        billing = self.groups["billing"]
        for ago in range(3_900, AGAIN, -10):
            if not GAP[0] < ago < GAP[1]:
                done = 80_000 + (3_900 - ago) * 30
                self.world.watermarks(self.old, [done, done], ago=ago)
                self.world.committed(self.old, billing, [done - 100, done - 90], ago=ago, lag=190)
        gone = self.at - timedelta(seconds=AGAIN)
        run("update topic set deleted_at = %s where id = %s", gone, self.old)
        run("delete from topic_now where topic_id = %s", self.old)
        run("delete from group_now where topic_id = %s", self.old)
        run("insert into group_gone (topic_id, group_id, gone_at) values (%s, %s, %s)", self.old, billing, gone)
        self.payments = self.world.topic("payments", first_at=gone)
        for ago in range(AGAIN, -1, -10):
            done = (AGAIN - ago) * 20
            self.world.watermarks(self.payments, [done, done], ago=ago)
            self.world.committed(self.payments, billing, [max(0, done - 200)] * 2, ago=ago, lag=min(400, 2 * done))

    def _marks(self, service: int) -> None:
        billing, orders = self.groups["billing"], self.orders
        self.mark(1_420, 1, service=service, before="2.7.0", after="2.8.0")
        self.mark(1_418, 6, group=billing, before="3", after="2")
        self.mark(1_400, 6, group=billing, before="2", after="3")
        self.mark(1_310, 4, topic=orders, before='{"retention.ms": "86400000"}', after='{"retention.ms": "604800000"}')
        self.mark(1_250, 1, service=service, before="2.8.0", after="2.8.1")
        self.mark(700, 5, topic=orders, group=self.groups["audit"], before='{"0": 900}', after='{"0": 100}')
        self.mark(400, 8, topic=orders, group=None, before="840", after="2")
        self.mark(20, 3, topic=orders, before="2", after="3")
        self.mark(AGAIN, 2, topic=self.payments)

    def mark(
        self,
        ago: float,
        kind: int,
        *,
        topic: int | None = None,
        group: int | None = None,
        service: int | None = None,
        before: str = "",
        after: str = "",
    ) -> None:
        at = self.at - timedelta(seconds=ago)
        run("insert into change_mark (at, kind, cluster_id, topic_id, group_id, service_id, before, after)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s)",
            at, kind, self.world.cluster, topic, group, service, before, after)  # fmt: skip

    def month(self) -> None:
        """Sums of thirty days by the hour, two days of them without anybody who looked."""
        hour, written = self.at.replace(minute=0, second=0, microsecond=0), 0
        for back in range(720, 0, -1):
            begun = hour - timedelta(hours=back)
            written += int(40_000 * (1.3 + sin(back / 24)))
            if 200 < back < 250:
                continue
            run("insert into topic_1h (bucket_at, topic_id, n_total) values (%s, %s, %s)", begun, self.orders, written)
            for ten in range(6):
                run("insert into scan_10m values (%s, %s, 60)", self.world.cluster, begun + timedelta(minutes=10 * ten))
            for number, group in enumerate(self.groups.values()):
                lag = int(9_000 * (1.1 + sin(back / (24 + number))))
                run("insert into group_1h (bucket_at, topic_id, group_id, n_total, lag, worst_lag, worst_seconds)"
                    " values (%s, %s, %s, %s, %s, %s, %s)",
                    begun, self.orders, group, written, 40 * number, lag, 3.0 + number + back % 24)  # fmt: skip
        run("update topic_now set n_total = %s where topic_id = %s", written, self.orders)
        run("update group_now set n_total = %s where topic_id = %s", written, self.orders)
        for back in range(1, 30, 3):
            self.mark(86_400 * back, 6, group=self.groups["billing"], before="3", after="4")

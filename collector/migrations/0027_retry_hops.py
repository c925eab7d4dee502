"""Copies on retry topics: an event that its group tries again has not passed."""

from django.db import migrations


class Migration(migrations.Migration):
    """`in_retry` of an item: which delivery by the group's own retries it waits for."""

    dependencies = (("collector", "0026_declared_stuck_limits"),)
    operations = (
        migrations.RunSQL(
            "create table retry_hop (topic_id integer not null references topic, kafka_partition integer not null,"
            " kafka_offset bigint not null, attempt_id uuid not null,"
            " n_failed smallint not null,"  # deliveries, before it came here
            " seen_at timestamptz not null,"
            " passed_at timestamptz,"  # since when the topic's only reader is seen behind it
            " primary key (topic_id, kafka_partition, kafka_offset));"
            " create index retry_hop_attempt on retry_hop (attempt_id);"
            " create index retry_hop_seen on retry_hop (seen_at);"
            " create index retry_hop_passed on retry_hop (passed_at);"
            " alter table retry_item add column in_retry smallint;"
            " drop index retry_item_passed;"
            " create index retry_item_passed on retry_item (passed_at)"
            "  where status = 2 and passed_at is not null and in_retry is null",
            "drop index retry_item_passed;"
            " create index retry_item_passed on retry_item (passed_at) where status = 2 and passed_at is not null;"
            " alter table retry_item drop column in_retry; drop table retry_hop",
        ),
    )

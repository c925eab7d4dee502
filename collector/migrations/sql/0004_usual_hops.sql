-- What usually comes of a reading: learned from the newest spans, so that its absence can be said.

create table usual_next (
  service_id integer not null references service, topic_id integer not null references topic,
  next_topic_id integer not null references topic,
  n_reads integer not null,                  -- readings that ended well
  n_followed integer not null,               -- of them, those whose service then sent to next_topic_id
  within_seconds double precision not null,  -- 99 % of those within
  learned_at timestamptz not null,
  primary key (service_id, topic_id, next_topic_id)
);

-- Readings whose usual next event did not come within its p99.
create table stuck_reading (
  topic_id integer not null, kafka_partition integer not null, kafka_offset bigint not null,
  service_id integer not null references service, next_topic_id integer not null references topic,
  read_at timestamptz not null, within_seconds double precision not null, found_at timestamptz not null,
  primary key (topic_id, kafka_partition, kafka_offset, service_id, next_topic_id)
);
create index stuck_reading_at on stuck_reading (read_at);

-- Within how many seconds 99 % of the events of a topic are read by a group: learned every minute from a day.
create table usual_wait (
  topic_id integer not null references topic, group_id integer not null references consumer_group,
  n integer not null, within_seconds double precision not null, learned_at timestamptz not null,
  primary key (topic_id, group_id)
);

-- What somebody set instead: for a group that reads a topic, or for a service that sends to another topic then.
create table stuck_limit (
  topic_id integer not null references topic, group_id integer references consumer_group,
  service_id integer references service, next_topic_id integer references topic,
  seconds double precision not null check (seconds > 0), set_by text not null, set_at timestamptz not null,
  check ((group_id is null) = (service_id is not null and next_topic_id is not null)),
  unique nulls not distinct (topic_id, group_id, service_id, next_topic_id)
);

-- What is usual of a topic at an hour of the day: the fewest events of any ten minutes that end in that hour.
-- Learned once for each hour that is over; minutes in which nothing at all was counted say nothing.

create table usual_least (
  hour_at timestamptz not null, topic_id integer not null, least bigint not null,
  primary key (hour_at, topic_id)
);
create table usual_hour (hour_at timestamptz primary key);   -- those that were learned

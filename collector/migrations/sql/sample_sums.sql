-- Sums of samples, for charts and lists of more than a day (collector/sampling/sums.py). A row says what held at the end
-- of its ten minutes or hour, and holds until the next row; every day begins with a row of everything.
-- n_total counts offsets since Weir first looked: differences of it are what was written or committed in between.
create table topic_10m (
  bucket_at timestamptz not null, topic_id integer not null, n_total bigint not null,
  primary key (topic_id, bucket_at)
) partition by range (bucket_at);
create table topic_1h (like topic_10m including defaults including constraints, primary key (topic_id, bucket_at))
  partition by range (bucket_at);

create table group_10m (
  bucket_at timestamptz not null, topic_id integer not null, group_id integer not null, n_total bigint not null,
  lag bigint, worst_lag bigint, worst_seconds real, -- at the end, and the highest in between; null is unknown, or gone
  primary key (topic_id, group_id, bucket_at)
) partition by range (bucket_at);
create table group_1h (like group_10m including defaults including constraints, primary key (topic_id, group_id, bucket_at))
  partition by range (bucket_at);

-- How many scans saw the cluster: a chart hatches the time in which none did.
create table scan_10m (
  cluster_id smallint not null references cluster, bucket_at timestamptz not null, n_scans integer not null,
  primary key (cluster_id, bucket_at)
);

-- The sums of the ten minutes that are not over yet.
alter table topic_now add column n_total bigint not null default 0;
alter table group_now
  add column n_total bigint not null default 0, add column worst_lag bigint, add column worst_seconds real;

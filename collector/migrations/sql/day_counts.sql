-- Counts of whole days: windows of weeks would else read, and merge, 720 hours of every edge.
create table edge_1d (
  bucket_at timestamptz not null, edge_id integer not null, n bigint not null, n_error bigint not null,
  sample_weight double precision not null, evidence smallint not null, wait bytea, processing bytea,
  primary key (bucket_at, edge_id)
);

-- The days that edge_1d holds as edge_1h has them. A day that is not here is read from edge_1h.
create table edge_day (bucket_at timestamptz primary key);

-- One row: what the last check of retention by age found. No row before the first.
create table age_check (
  one boolean primary key default true check (one), looked_at timestamptz not null,
  doubted_since timestamptz,                 -- when the clock jumped, until it is believed again
  jump_seconds double precision not null default 0, problem text not null default ''
);

-- Who sent spans: when they last did, so that rows which nothing refers to can go.
alter table source add seen_on date not null default current_date;
create index source_seen on source (seen_on);

-- What sampled spans of a batch stand for besides themselves, until it is folded into sample_weight of the rollups.
create table batch_weight (
  stored_at timestamptz not null, edge_id integer not null, bucket_at timestamptz not null, more real not null,
  primary key (stored_at, edge_id, bucket_at)
);

-- Spans as they came, with all attributes, events and resource: many together, compressed (zstd of a TracesData message).
-- `ids`: the first four bytes of each span's id, to find which rows of a batch hold it. Kept for a day by default.
create table span_detail (
  stored_at timestamptz not null, n_spans integer not null, ids bytea not null, body bytea not null
) partition by range (stored_at);
create index span_detail_stored on span_detail (stored_at);

-- The same of single spans, kept as long as the spans themselves: failures, and what dead letters were written in.
create table span_detail_kept (
  trace_id uuid not null, span_id bigint not null, stored_at timestamptz not null, body bytea not null
) partition by range (stored_at);
create index span_detail_kept_trace on span_detail_kept (trace_id);

-- Questions to Kafka asked from a page, and the answers, kept for ten minutes. What drop rules name was never here.
create table lookup (
  id bigint generated always as identity primary key,
  person_id integer not null, topic_id integer not null references topic on delete cascade,
  asked_at timestamptz not null, question jsonb not null,
  taken_at timestamptz,                   -- a worker reads since then
  answered_at timestamptz,
  trouble text not null default '',       -- why there is no answer
  courses jsonb not null default '[]',    -- how far each partition was read, and why no further
  n_read bigint not null default 0, n_read_bytes bigint not null default 0, n_partitions integer not null default 0
);
create index lookup_person on lookup (person_id, id);
create index lookup_waiting on lookup (id) where answered_at is null;
create index lookup_asked_at on lookup (asked_at);
create table lookup_match (
  lookup_id bigint not null references lookup on delete cascade, place integer not null,
  kafka_partition integer not null, kafka_offset bigint not null, produced_at timestamptz, timestamp_type smallint not null,
  key bytea, value bytea, headers bytea not null, n_bytes bigint not null, n_value_bytes bigint not null,
  is_cut boolean not null, is_withheld boolean not null,
  origins text[] not null,                -- topics whose mask rules count for it, besides its own
  primary key (lookup_id, place)
);

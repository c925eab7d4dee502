-- One row: what the last look at the disk budget found. No row before the first.
create table disk_check (
  one boolean primary key default true check (one), checked_at timestamptz not null,
  budget_bytes bigint,                       -- null: none was set
  used_bytes bigint not null,                -- the database, and its write-ahead log where its size may be read
  kept_bytes bigint not null,                -- dead letters: never dropped for the budget
  problem text not null default ''           -- a sentence where the budget cannot be kept
);

-- What was dropped because of its age or the budget, oldest leaves first; kept for 90 days.
create table dropped_data (
  id bigint generated always as identity primary key, at timestamptz not null,
  kind text not null, reason text not null check (reason in ('age', 'budget')),
  from_at timestamptz not null, to_at timestamptz not null, n_bytes bigint not null
);
create index dropped_data_at on dropped_data (at);

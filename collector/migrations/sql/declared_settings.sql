-- What people declare by `manage.py apply`: one row for each table of the file, exactly as it was written there.
create table declared (
  kind text not null,                        -- clusters, inputs, taps, drop, mask
  name text not null,                        -- "" for taps
  body jsonb not null,                       -- secrets are references: env:WEIR_SECRET_… or file:…
  primary key (kind, name)
);

-- One row: which declaration stands. Readers compare the version to know that something changed.
create table declaration (
  one boolean primary key default true check (one), version integer not null default 0,
  applied_by text not null default '', applied_at timestamptz
);
insert into declaration default values;

-- Which letters belong to which failure group. A person may merge groups and split them: fingerprints then point
-- elsewhere, ids and addresses of groups stay.

create table failure_fingerprint (
  version smallint not null, digest uuid not null, cluster_id smallint not null default 0 references cluster,
  detail uuid not null default '00000000-0000-0000-0000-000000000000', -- of one message; zero: of all others
  failure_group_id bigint not null references failure_group,           -- where such letters belong now
  home_id bigint not null references failure_group,                    -- the group that was made for it
  primary key (version, digest, cluster_id, detail)
);
create index failure_fingerprint_group on failure_fingerprint (failure_group_id);
create index failure_fingerprint_home on failure_fingerprint (home_id);
insert into failure_fingerprint (version, digest, cluster_id, failure_group_id, home_id)
  select version, digest, cluster_id, coalesce(merged_into, id), id from failure_group;

alter table failure_group drop constraint failure_group_one_a_cluster, drop column version, drop column digest,
  add column emptied_into bigint references failure_group; -- where its last letter went when all were read again
create index failure_group_merged on failure_group (merged_into) where merged_into is not null;

-- Letters that are read again in the background: of a topic, of a failure group, or all.
create table letter_rereading (
  id bigint generated always as identity primary key,
  why text not null check (why in ('mapping', 'merge', 'split', 'fingerprints')),
  topic_id integer references topic, failure_group_id bigint references failure_group,
  into_id bigint references failure_group,   -- of a merge: moved there, and not read
  next_id bigint not null default 0,         -- letters up to this one are done
  last_id bigint not null,                   -- the newest letter when it was asked for
  n_all bigint not null, n_done bigint not null default 0, n_changed bigint not null default 0,
  asked_by text not null, asked_at timestamptz not null, ended_at timestamptz
);
create index letter_rereading_open on letter_rereading (id) where ended_at is null;

-- One row: by which version of the rules all letters have been, or are being, read.
create table fingerprint_state (one boolean primary key default true check (one), version smallint not null default 1);
insert into fingerprint_state default values;

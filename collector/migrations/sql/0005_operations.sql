-- A plan is an operation of status 6 (draft) that a person may still change; confirming it is one conditional update.

alter table retry_operation
  add column name text not null default '',
  add column selection text not null default '',           -- what was chosen, in words
  add column letters bigint[],                             -- of a draft: what was frozen; null once items are written
  add column left_out jsonb not null default '{}',         -- {reason: how many}
  add column newer bigint[] not null default '{}',         -- of the frozen: whose key has newer events already processed
  add column n_order_unknown integer not null default 0,   -- of the frozen: nobody can say whether it has
  add column order_known_from timestamptz,                 -- events before this were not seen
  add column leaves_newer_out boolean not null default true,
  add column target_name text,                             -- chosen by the person; null: each letter where its origin says
  add column looked_at timestamptz,                        -- when the blast radius was opened
  add column confirmed_at timestamptz,
  add column failure_groups bigint[] not null default '{}',
  add column rate_per_second real not null default 500,
  add column steps integer[] not null default '{}',        -- sizes of the steps before the rest
  add column wait_seconds integer not null default 120,
  add column asks_after_first boolean not null default false,
  add column stop_first integer not null default 1,        -- failures that stop it in the steps before the last one
  add column stop_percent real not null default 5,         -- and share of failures later
  add column one_per_key boolean not null default false,   -- the next of a key waits for the outcome of the one before
  add column released integer not null default 2147483647, -- items below this ordinal may be sent
  add column waits_for_person boolean not null default false,
  add column n_items integer not null default 0,
  add column n_forgiven integer not null default 0,        -- failures that a person saw and continued after
  add column trouble text not null default '';             -- what a worker waits for
update retry_operation o set n_items = (select count(*) from retry_item i where i.operation_id = o.id),
  confirmed_at = created_at;
comment on column retry_operation.status is
  '0 requested, 1 running, 2 done, 3 stopped, 4 cancelled, 5 paused, 6 draft';

create table retry_log (
  id bigint generated always as identity primary key, operation_id bigint not null references retry_operation on delete cascade,
  at timestamptz not null, person_name text not null,      -- '' for Weir itself
  what text not null, step smallint                        -- the step that was passed or stopped at, from 1
);
create index retry_log_operation on retry_log (operation_id, id);

-- Items of one key in their order, whatever their status: a failure before holds the later ones back.
drop index retry_item_key;
create index retry_item_key on retry_item (operation_id, key_hash, ordinal);
create index retry_item_claimed on retry_item (operation_id) where status = 1;

alter table dead_letter_again add column same_failure boolean not null default false;

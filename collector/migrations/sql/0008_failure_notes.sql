alter table failure_group
  add column assignee text not null default '',
  add column note text not null default '',
  add column note_by text not null default '',
  add column note_at timestamptz;
create index dead_letter_seen on dead_letter using brin (seen_at) with (pages_per_range = 32);
create index dead_letter_expires on dead_letter (expires_at) where expires_at is not null;

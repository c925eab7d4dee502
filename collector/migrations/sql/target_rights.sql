-- Whether the user that sends retries may write to a topic, as a worker asked the brokers.
create table target_right (
  topic_id integer primary key references topic, asked_at timestamptz not null, checked_at timestamptz,
  may_write boolean,                       -- null: not asked yet, or the broker does not tell
  trouble text not null default ''         -- why nothing came of asking
);

-- Operations take turns: who was not looked at for longest comes first.
alter table retry_operation add column turn_at timestamptz;

-- The next of a key, and what holds it back, without walking over all of the key that is done.
drop index retry_item_key;
create index retry_item_ahead on retry_item (operation_id, key_hash, ordinal) where status in (0, 1);
create index retry_item_short on retry_item (operation_id, key_hash, status, ordinal) where status in (2, 3, 6, 7, 8);

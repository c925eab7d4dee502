create index audit_entry_person on audit_entry (person_id, id);

-- The newest events of a key are read from the end of its entries, however many there are.
drop index record_key_value;
create index record_key_value on record_key (value text_pattern_ops, stored_at);

-- What a record says of its own cause, in ids (CloudEvents, MassTransit, NServiceBus, Axon, request and reply).
-- Records of before have none; the indexes hold only rows that have such an id.

alter table record add column cause_id text;
create index record_event on record (event_id) where event_id is not null;
create index record_cause on record (cause_id) where cause_id is not null;

-- Id -1: the id that all events of a flow share. It groups; it is never called a cause.
insert into key_name (id, name) values (-1, 'correlation id');

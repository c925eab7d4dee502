-- Of each key of an operation the first event that is not sent yet, and when the newest sent one that it waits for went
-- out: what is due is found in an index, however many keys are held back.
lock table retry_item in share row exclusive mode;
create table retry_head (
  operation_id bigint not null, key_hash bigint not null,
  ordinal integer not null,
  waits_since timestamptz,  -- null where it waits for no outcome
  primary key (operation_id, key_hash)
) with (fillfactor = 80);
create index retry_head_free on retry_head (operation_id, ordinal) where waits_since is null;
create index retry_head_waits on retry_head (operation_id, waits_since) where waits_since is not null;
create index retry_item_keyless on retry_item (operation_id, ordinal) where status = 0 and key_hash is null;

create function retry_head_of(operation bigint, key bigint) returns table (ordinal integer, waits_since timestamptz)
language sql stable as $$
  select h.ordinal, case when o.one_per_key then (select max(b.sent_at) from retry_item b where b.operation_id = operation
      and b.key_hash = key and b.status = 2 and b.ordinal < h.ordinal) end
    from retry_operation o, (select min(i.ordinal) ordinal from retry_item i where i.operation_id = operation
      and i.key_hash = key and i.status in (0, 1)) h
    where o.id = operation and h.ordinal is not null
$$;

insert into retry_head select k.operation_id, k.key_hash, f.* from (select distinct operation_id, key_hash from retry_item
    where status in (0, 1) and key_hash is not null) k, retry_head_of(k.operation_id, k.key_hash) f;

-- Sorted, so that two statements never wait in a circle. The keys are locked first: what others did to them is seen then.
-- A hundred keys are looked up, however many rows the planner thinks there are.
create function move_retry_heads(operations bigint[], keys bigint[]) returns void language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
begin
  insert into retry_head select m.operation_id, m.key_hash, f.* from unnest(operations, keys) m(operation_id, key_hash),
      retry_head_of(m.operation_id, m.key_hash) f
    where not exists (select from retry_head h where h.operation_id = m.operation_id and h.key_hash = m.key_hash)
    order by 1, 2 on conflict do nothing;
  perform from retry_head h join unnest(operations, keys) m(operation_id, key_hash) using (operation_id, key_hash)
    order by operation_id, key_hash for update of h;
  delete from retry_head h using unnest(operations, keys) m(operation_id, key_hash)
    where h.operation_id = m.operation_id and h.key_hash = m.key_hash and not exists (select from retry_item i
      where i.operation_id = m.operation_id and i.key_hash = m.key_hash and i.status in (0, 1));
  update retry_head h set ordinal = f.ordinal, waits_since = f.waits_since
    from unnest(operations, keys) m(operation_id, key_hash), retry_head_of(m.operation_id, m.key_hash) f
    where h.operation_id = m.operation_id and h.key_hash = m.key_hash
      and (h.ordinal, h.waits_since) is distinct from (f.ordinal, f.waits_since);
end $$;

create function keep_retry_heads() returns trigger language plpgsql as $$
declare
  operations bigint[];
  keys bigint[];
begin
  if tg_op = 'INSERT' then
    insert into retry_head as h select operation_id, key_hash, min(ordinal) from new_items
      where key_hash is not null and status in (0, 1) group by 1, 2 order by 1, 2
      on conflict (operation_id, key_hash) do update set ordinal = least(h.ordinal, excluded.ordinal);
    return null;
  end if;
  if tg_op = 'DELETE' then
    select array_agg(m.operation_id), array_agg(m.key_hash) into operations, keys
      from (select distinct operation_id, key_hash from old_items where key_hash is not null) m;
  else
    select array_agg(m.operation_id), array_agg(m.key_hash) into operations, keys
      from (select distinct n.operation_id, k.key_hash from new_items n join old_items b using (operation_id, ordinal),
          lateral (values (n.key_hash), (b.key_hash)) k(key_hash)
        where k.key_hash is not null and (n.key_hash is distinct from b.key_hash
          or (n.status in (0, 1)) <> (b.status in (0, 1)) or (n.status = 2) <> (b.status = 2)
          or n.sent_at is distinct from b.sent_at)) m;
  end if;
  if operations is not null then
    perform move_retry_heads(operations, keys);
  end if;
  return null;
end $$;
create trigger retry_head_inserted after insert on retry_item referencing new table as new_items
  for each statement execute function keep_retry_heads();
create trigger retry_head_updated after update on retry_item referencing new table as new_items old table as old_items
  for each statement execute function keep_retry_heads();
create trigger retry_head_deleted after delete on retry_item referencing old table as old_items
  for each statement execute function keep_retry_heads();

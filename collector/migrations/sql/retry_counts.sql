-- How many items of an operation stand where, step by step: kept by triggers, so that no look at it reads the items.

lock table retry_item in share row exclusive mode;
alter table retry_item add column step smallint not null default 0;  -- of its operation, from 0
update retry_item i set step = e.step from (
    select p.operation_id, p.ordinal, count(*)::smallint step from retry_item p
    join (select o.id, o.n_items, sum(s.size) over (partition by o.id order by s.at) past
      from retry_operation o cross join unnest(o.steps) with ordinality s(size, at)) f
      on f.id = p.operation_id and f.past <= p.ordinal and f.past < f.n_items group by 1, 2) e
  where e.operation_id = i.operation_id and e.ordinal = i.ordinal;

create table retry_count (
  operation_id bigint not null, step smallint not null, status smallint not null, is_sent boolean not null,
  n bigint not null, primary key (operation_id, step, status, is_sent)
) with (fillfactor = 50);
insert into retry_count select operation_id, step, status, sent_at is not null, count(*) from retry_item
  group by 1, 2, 3, 4;

-- Sorted, so that two statements never wait in a circle; a change that moves nothing touches nothing.
create function count_retry_items() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    insert into retry_count as c select operation_id, step, status, sent_at is not null, count(*) from new_items
      group by 1, 2, 3, 4 order by 1, 2, 3, 4
      on conflict (operation_id, step, status, is_sent) do update set n = c.n + excluded.n;
  elsif tg_op = 'DELETE' then
    insert into retry_count as c select operation_id, step, status, sent_at is not null, -count(*) from old_items
      group by 1, 2, 3, 4 order by 1, 2, 3, 4
      on conflict (operation_id, step, status, is_sent) do update set n = c.n + excluded.n;
  else
    insert into retry_count as c select operation_id, step, status, is_sent, sum(n) from (
        select operation_id, step, status, sent_at is not null is_sent, 1 n from new_items
        union all select operation_id, step, status, sent_at is not null, -1 from old_items) m
      group by 1, 2, 3, 4 having sum(n) <> 0 order by 1, 2, 3, 4
      on conflict (operation_id, step, status, is_sent) do update set n = c.n + excluded.n;
  end if;
  return null;
end $$;
create trigger retry_item_inserted after insert on retry_item referencing new table as new_items
  for each statement execute function count_retry_items();
create trigger retry_item_updated after update on retry_item referencing new table as new_items old table as old_items
  for each statement execute function count_retry_items();
create trigger retry_item_deleted after delete on retry_item referencing old table as old_items
  for each statement execute function count_retry_items();

-- What was sent lately, and which of it has no outcome yet.
create index retry_item_passed on retry_item (passed_at) where status = 2 and passed_at is not null;
create index dead_letter_again_seen on dead_letter_again (seen_at);
create index retry_item_sent_at on retry_item (operation_id, sent_at) include (step, status) where sent_at is not null;

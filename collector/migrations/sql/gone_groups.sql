-- Groups that read a topic no more, and since when: charts and pages of a window in which they read it show them still.
-- Who reads it again is taken out; the rest goes when the sums of what it read are gone.
create table group_gone (
  topic_id integer not null, group_id integer not null, gone_at timestamptz not null, primary key (topic_id, group_id)
);
create index group_gone_of_group on group_gone (group_id);

-- Until now only the last sum told of them, to the hour.
insert into group_gone
  select h.topic_id, h.group_id, least(max(h.bucket_at) + interval '1 hour', now()) from group_1h h
  where not exists (select from group_now n where n.topic_id = h.topic_id and n.group_id = h.group_id) group by 1, 2;

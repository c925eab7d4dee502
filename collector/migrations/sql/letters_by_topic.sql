-- Dead letters are counted by failure group and dead-letter topic: one group may span several topics.

lock table letter_state, failure_count in share row exclusive mode;
truncate failure_count;
alter table failure_count drop constraint failure_count_pkey, add column topic_id integer references topic;
insert into failure_count (failure_group_id, topic_id, status, n)
  select s.failure_group_id, d.topic_id, s.status, count(*) from letter_state s
  join dead_letter d on d.id = s.dead_letter_id group by 1, 2, 3;
alter table failure_count add primary key (failure_group_id, topic_id, status);

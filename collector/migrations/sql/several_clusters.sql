-- False: only spans name it, or the settings did once and do not any more.
alter table cluster add column is_observed boolean not null default true;
update cluster set is_observed = false
  where id = 0 or not exists (select from scan where scan.cluster_id = cluster.id);

-- The same failure of the same group on the same topic is another one on another cluster.
alter table failure_group add column cluster_id smallint not null default 0 references cluster;
update failure_group g set cluster_id = t.cluster_id from topic t where t.id = g.topic_id;
alter table failure_group drop constraint failure_group_version_digest_key;
alter table failure_group add constraint failure_group_one_a_cluster unique (version, digest, cluster_id);

-- A retry sends to one cluster: whoever waits for another one must not hold it back.
alter table retry_operation add column cluster_id smallint references cluster; -- null: a draft
update retry_operation o set cluster_id = (
  select t.cluster_id from retry_item i join topic t on t.id = i.target_topic_id where i.operation_id = o.id limit 1);

-- The last look that saw a cluster, however long it has been silent since.
create index scan_seen on scan (cluster_id, sampled_at) where ok;

-- Whose a topic is that spans name without a cluster.
create index topic_name on topic (name) where deleted_at is null;

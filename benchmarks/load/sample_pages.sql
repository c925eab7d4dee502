-- Topics up to `active` are busy. Group g reads (g mod 10) + 1 topics, and is busy on those that are.
insert into cluster (id, name) values (7, 'bench');
insert into topic (id, cluster_id, name, kafka_id, n_partitions, first_at, configs) select n, 7, 'topic-' || to_char(n,
  'FM0000'), gen_random_uuid(), %(partitions)s, %(at)s - interval '40 d', '{"cleanup.policy": "delete", "retention.ms":
  "604800000"}' from generate_series(1, %(topics)s) n;
insert into consumer_group (id, cluster_id, name, protocol, state, first_at) select n, 7, 'group-' || to_char(n, 'FM0000'),
  1, 'Stable', %(at)s - interval '40 d' from generate_series(1, %(groups)s) n;
insert into service (id, name) select n, 'service-' || n from generate_series(1, %(services)s) n;
insert into edge (id, kind, service_id, topic_id) select n, 1, 1 + n %% %(services)s, n from generate_series(1, %(topics)s) n;

create temporary table pair as select g group_id, 1 + (g * 37 + k * 101) %% %(topics)s topic_id
  from generate_series(1, %(groups)s) g, generate_series(0, 9) k where k <= g %% 10 group by 1, 2;
insert into edge (id, kind, service_id, topic_id, group_id) select 10000 + row_number() over (), 2,
  1 + group_id %% %(services)s, topic_id, group_id from pair order by group_id limit 1000;

insert into scan (cluster_id, sampled_at, ok, n_topics, n_groups, wall_ms) select 7, %(at)s - n * interval '10 s', true,
  %(topics)s, %(groups)s, 800 from generate_series(0, %(hours)s * 360) n;
insert into scan_10m select 7, %(hour)s - n * interval '10 min', 60 from generate_series(1, %(hours)s * 6) n
  where n not between 1000 and 1040;
insert into topic_now (topic_id, sampled_at, high, low, n_total) select n, %(at)s,
  array_fill(1000000::bigint, array[%(partitions)s]), array_fill(0::bigint, array[%(partitions)s]), 10000000
  from generate_series(1, %(topics)s) n;
insert into group_now (topic_id, group_id, sampled_at, committed, lag, lag_seconds, lag_seconds_margin, verdict, moved_at,
  n_total, worst_lag, worst_seconds) select topic_id, group_id, %(at)s, array_fill(999990::bigint,
  array[%(partitions)s]), 100, 0.4, 0.1, 'OK', %(at)s, 10000000, 250, 1.5 from pair;
insert into topic_sample (sampled_at, topic_id, high, low) select %(at)s - s * interval '10 s', n,
  array_fill(1000000::bigint - 20 * s, array[%(partitions)s]), null
  from generate_series(1, %(active)s) n, generate_series(0, 359) s;
insert into group_sample (sampled_at, topic_id, group_id, committed) select %(at)s - s * interval '10 s', topic_id,
  group_id, array_fill(999990::bigint - 20 * s, array[%(partitions)s])
  from pair, generate_series(0, 359) s where topic_id <= %(active)s;
insert into topic_sample (sampled_at, topic_id, high, low) select %(at)s - interval '26 h', n,
  array_fill(1000000::bigint, array[%(partitions)s]), null from generate_series(%(active)s + 1, %(topics)s) n;
insert into group_sample (sampled_at, topic_id, group_id, committed) select %(at)s - interval '26 h', topic_id, group_id,
  array_fill(999990::bigint, array[%(partitions)s]) from pair where topic_id > %(active)s;

insert into topic_1h (bucket_at, topic_id, n_total) select b, n, 10000000 - 7200 * h from generate_series(1, %(topics)s) n,
  generate_series(1, %(hours)s) h cross join lateral (select %(hour)s - h * interval '1 h' b) x
  where n <= %(active)s or b = date_trunc('day', b, 'UTC');
insert into group_1h (bucket_at, topic_id, group_id, n_total, lag, worst_lag, worst_seconds) select b, topic_id, group_id,
  10000000 - 7200 * h, 100, 200 + h %% 90, 1.5 from pair, generate_series(1, %(hours)s) h
  cross join lateral (select %(hour)s - h * interval '1 h' b) x
  where topic_id <= %(active)s or b = date_trunc('day', b, 'UTC');
insert into topic_10m (bucket_at, topic_id, n_total) select b, n, 10000000 - 1200 * h from generate_series(1, %(topics)s) n,
  generate_series(1, %(tens)s) h cross join lateral (select %(hour)s - h * interval '10 min' b) x
  where n <= %(active)s or b = date_trunc('day', b, 'UTC');
insert into group_10m (bucket_at, topic_id, group_id, n_total, lag, worst_lag, worst_seconds) select b, topic_id, group_id,
  10000000 - 1200 * h, 100, 200 + h %% 90, 1.5 from pair, generate_series(1, %(tens)s) h
  cross join lateral (select %(hour)s - h * interval '10 min' b) x
  where topic_id <= %(active)s or b = date_trunc('day', b, 'UTC');

insert into edge_1h (bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence) select %(hour)s - h * interval '1 h',
  id, 7200, 0, 7200, 7200, 1 from edge, generate_series(0, %(hours)s) h where id > 0;
insert into edge_1m (bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence) select date_trunc('minute',
  %(at)s::timestamptz) - m * interval '1 min', id, 120, 0, 120, 120, 1 from edge, generate_series(0, 1440) m
  where id > 0 and topic_id <= %(active)s;
insert into edge_10s (bucket_at, edge_id, n, n_error, duration_ms_sum, n_spans, evidence) select date_bin('10 s',
  %(at)s::timestamptz, '2000-01-01Z') - m * interval '10 s', id, 20, 0, 20, 20, 1 from edge, generate_series(0, 360) m
  where id > 0 and topic_id <= %(active)s;
update fold_state set as_of = %(at)s, ran_at = %(at)s;
insert into change_mark (at, kind, cluster_id, group_id, before, after) select %(at)s - n * interval '7 h', 6, 7, 9, '1', '2'
  from generate_series(1, 90) n

-- What the pages of topics and groups say beyond lag: where a verdict was found, how an age is known, who leads.
alter table group_now
  add column lag_seconds_from_record boolean not null default false, -- else by interpolation between our own samples
  add column n_judged integer not null default 0,                    -- partitions that the verdict was found on
  add column notes jsonb not null default '{}';                      -- {partition: "markers" | "open transaction"}
alter table topic_now add column leaders integer[] not null default '{}';
alter table topic add column configs_own text[] not null default '{}'; -- settings of the topic's own, not the broker's
-- change_mark.kind: 1 service version, 2 topic created again, 3 partitions, 4 config, 5 rewind, 6 rebalance, 7 lost unread

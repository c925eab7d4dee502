-- Hours of rows go every hour: their room is to be used again before another fifth of the table has come.
alter table topic_sample set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 10000);
alter table group_sample set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 10000);

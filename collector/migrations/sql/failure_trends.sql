-- How many letters of each failure group died in each of the last 24 hours, the oldest first, counted with its keys.
-- `trend_until` is the end of the newest of these hours.
alter table failure_group add column trend integer[], add column trend_until timestamptz;

-- What services say of themselves in resource attributes: owner, team, repository, runbook, who is on call.

create table service_fact (
  service_id integer not null references service, name text not null, value text not null,
  primary key (service_id, name)
);
create table service_fact_state (one boolean primary key default true check (one), last_set_id integer not null default 0);
insert into service_fact_state default values;

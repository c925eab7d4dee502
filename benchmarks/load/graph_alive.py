"""Fills the store that DATABASE_URL names with a graph of N nodes, says "filled", and keeps it alive until it is ended.

python -m benchmarks.load.graph_alive N
"""

import sys
import time

PULSE_SECONDS = 2.0
_ONE_LEAF = """
do $$ declare parent record; begin
  for parent in select relname from pg_class where relkind = 'p' and not relispartition loop
    execute format('create table %1$I partition of %2$I for values from (minvalue) to (maxvalue)',
      parent.relname || '_all', parent.relname);
  end loop;
end $$
"""


def main(words: list[str]) -> None:
    """Until a signal ends it."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from benchmarks.load.graph_store import filled
    from benchmarks.load.graphs import wiring
    from collector.changes import announce
    from collector.clock import now
    from dashboard import placements

    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(_ONE_LEAF)
    store = filled(wiring(int(words[0])), now=now())
    placements.keep(now=now())
    print("filled", flush=True)
    while True:
        time.sleep(PULSE_SECONDS)
        store.pulse(now())
        placements.keep(now=now())
        announce("topology", 0)


if __name__ == "__main__":
    main(sys.argv[1:])

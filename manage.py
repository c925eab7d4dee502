#!/usr/bin/env python
"""Weir's commands: `manage.py help` lists them. Beside `make up` or `make demo` they speak to the Weir that runs."""

import os
import sys

from django.core.management import execute_from_command_line

from dashboard import process


def told(arguments: list[str]) -> dict[str, str]:
    """What a command is told of the stack that runs here, unless its environment names a database.

    Nothing where it is one of Weir's processes: whoever starts these says all of where they work.
    """
    if len(arguments) < 2 or process.part(arguments):
        return {}
    try:
        from stack import beside
        from stack.problems import CannotStart
    except ModuleNotFoundError:  # an image without the embedded servers
        return {}
    try:
        return beside.environment(os.environ)
    except CannotStart as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    os.environ.update({name: value for name, value in told(sys.argv).items() if not os.environ.get(name)})
    execute_from_command_line(sys.argv)

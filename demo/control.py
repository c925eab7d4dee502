"""`python -m demo.control COMMAND`: set the state of the shop. See USAGE for the commands."""

import json
import sys

from demo import settings, states
from demo.parts import NoSuchPart, Part, part_named

USAGE = "usage: python -m demo.control break | fix | deploy [NAME] | hold | release | stop NAME | start NAME | show"


_CHANGES = {
    "break": states.State.broken_again,
    "fix": states.State.mended,
    "deploy": states.State.overwhelmed,
    "hold": states.State.holding,
    "release": states.State.released,
}


class Misused(ValueError):
    """The command line cannot be understood."""


def after(words: list[str], *, state: states.State) -> states.State:
    """The state that this command makes of the given one. Raises Misused and NoSuchPart."""
    match words:
        case [word] if word in _CHANGES:
            return _CHANGES[word](state)
        case ["deploy", name]:
            return state.with_next(deployable(name).name)
        case ["stop", name]:
            return state.without(part_named(name).name)
        case ["start", name]:
            return state.having(part_named(name).name)
        case ["show"]:
            return state
    raise Misused(USAGE)


def deployable(name: str) -> Part:
    """The service of this name. Raises Misused for billing, whose versions are those of `deploy` alone and `fix`."""
    part = part_named(name)
    if part.name == "billing-svc":
        raise Misused(f"billing-svc is deployed by `deploy` alone.\n{USAGE}")
    return part


def main(words: list[str]) -> int:
    """Carry out the command and show the state, as one line of JSON."""
    try:
        state_dir = settings.state_dir()
        before = states.load(state_dir)
        state = after(words, state=before)
    except (Misused, NoSuchPart, settings.NotSet) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if state != before:
        states.save(state, state_dir=state_dir)
    sys.stdout.write(json.dumps(states.as_plain(state)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

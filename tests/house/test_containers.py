"""What the container files promise, by their text: no container is built here (docs/security.md S68)."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = (ROOT / "compose.yaml").read_text()
OURS = {"migrate", "receive", "collect", "fold", "sample", "web", "worker", "beat"}


def services() -> dict[str, str]:
    """Name -> text of each service."""
    body = re.split(r"^services:\n", COMPOSE, flags=re.MULTILINE)[1].split("\nvolumes:\n")[0]
    parts = re.split(r"^  ([a-z]+):\n", body, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_s68_the_image_runs_as_nobody_and_holds_hashed_packages_and_no_secret() -> None:
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    assert "--require-hashes --only-binary :all:" in DOCKERFILE
    assert not re.search(r"^ADD ", DOCKERFILE, re.MULTILINE)
    assert not re.search(r"(?i)^(?:ENV|ARG) .*(?:PASSWORD|SECRET|TOKEN)", DOCKERFILE, re.MULTILINE)


def test_the_image_holds_every_folder_that_the_processes_need() -> None:
    copied = set(re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.MULTILINE))
    assert copied == {"collector", "native", "dashboard", "templates", "static", "stack"}
    ignored = (ROOT / ".dockerignore").read_text()
    assert all(f"!{name}\n" in ignored for name in copied)


def test_s68_every_process_of_ours_has_a_read_only_root_and_no_capability() -> None:
    shared = COMPOSE.split("x-weir: &weir\n")[1].split("\n\n")[0]
    for promise in ('user: "10001:10001"', "read_only: true", "cap_drop: [ALL]", "no-new-privileges:true"):
        assert promise in shared
    assert {name for name, text in services().items() if "<<: *weir" in text} == OURS


def test_s68_ports_are_published_on_loopback_only_and_secrets_come_from_outside() -> None:
    ports = re.findall(r"ports: \[(.+)\]", COMPOSE)
    assert [port for line in ports for port in line.split(", ") if not port.startswith('"127.0.0.1:')] == []
    assert re.findall(r"(?:PASSWORD|SECRET_KEY): (?!\"?\$\{)\S+", COMPOSE) == []


def test_every_process_of_the_architecture_is_in_the_file() -> None:
    commands = "\n".join(re.findall(r"command: (.+)", COMPOSE))
    for name in ("migrate", "receive", "collect", "fold", "sample", "web", "worker", "beat"):
        assert f'"{name}"' in commands

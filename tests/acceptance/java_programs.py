"""Small Java programs for tests: jars pinned in java/artifacts.lock, compiled here, run on Kafka's Java."""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from stack import cache, kafka

SOURCES = Path(__file__).with_name("java")
TOOLS = ("ecj", "opentelemetry-javaagent")  # no part of any class path
JVM = ("-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
STOP_SECONDS = 10


@dataclass(frozen=True)
class Compiled:
    """Where the classes are, what they need, and the agent that instruments them."""

    class_path: str
    agent: Path


def compiled(folder: Path) -> Compiled:
    """Fetch what is missing, compile all programs into `folder`."""
    servers = cache.filled(os.environ, say=lambda _: None).kafka_jars
    own = cache.jars(SOURCES / "artifacts.lock", os.environ, say=lambda _: None)
    libraries = [*(path for name, path in own.items() if name not in TOOLS), *servers]
    class_path = ":".join(str(path) for path in (folder, SOURCES, *libraries))  # SOURCES: META-INF/services
    programs = sorted(str(path) for path in SOURCES.glob("*/*.java"))
    compiler = (kafka.java(), *JVM, "-jar", own["ecj"], "-25", "-proc:none", "-nowarn", "-cp", class_path)
    done = subprocess.run((*compiler, "-d", folder, *programs), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Compiled(class_path, own["opentelemetry-javaagent"])


@contextlib.contextmanager
def program(
    code: Compiled, main_class: str, *arguments: str, log: Path, telemetry: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run one program under the agent; killed at the end. `telemetry`: the agent's variables."""
    command = (str(kafka.java()), *JVM, f"-javaagent:{code.agent}", "-cp", code.class_path, main_class, *arguments)
    quick = {"OTEL_BSP_SCHEDULE_DELAY": "200", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env={**os.environ, **quick, **telemetry}, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def java_properties(client: Mapping[str, object]) -> str:
    """librdkafka's properties as a file that Java's clients read."""
    found = {name: str(client[name]) for name in ("bootstrap.servers", "security.protocol") if name in client}
    if "sasl.password" in client:
        module = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        signs_in = f'{module} username="{client["sasl.username"]}" password="{client["sasl.password"]}";'
        found |= {"sasl.mechanism": str(client["sasl.mechanism"]), "sasl.jaas.config": signs_in}
    return "".join(f"{name}={kafka.escaped(value)}\n" for name, value in found.items())

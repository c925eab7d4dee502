"""Header names that are no UTF-8, byte for byte: the record is read once more, through librdkafka's own C interface.

confluent-kafka turns names into `str` and loses a record's whole list where one is none. Here such a name becomes text
with lone surrogates (PEP 383), which `collector.domain.frames` turns back into its bytes.
"""

import ctypes
import time
from collections.abc import Mapping

from confluent_kafka import cimpl

from collector.domain.records import Headers
from collector.kafka.errors import NO_SUCH_OFFSET, NO_SUCH_PARTITION
from collector.ports import KafkaUnreachable, Partition

ANSWER_SECONDS = 5.0
POLL_MS = 100
NEAR = 1_000  # offsets that are read over rather than sought
CONSUMER = {
    "group.id": "weir-lookup",  # the client wants one; nothing is ever committed to it
    "enable.auto.commit": "false",
    "auto.offset.reset": "error",
    "isolation.level": "read_uncommitted",
    "queued.max.messages.kbytes": "1024",
    "log_level": "0",
}
_IS_CONSUMER, _WITHOUT_CLOSING = 1, 0x8
_ERROR_BYTES = 512


class _Message(ctypes.Structure):
    """rd_kafka_message_t (rdkafka.h)."""

    _fields_ = (
        ("err", ctypes.c_int),
        ("topic", ctypes.c_void_p),
        ("partition", ctypes.c_int32),
        ("payload", ctypes.c_void_p),
        ("len", ctypes.c_size_t),
        ("key", ctypes.c_void_p),
        ("key_len", ctypes.c_size_t),
        ("offset", ctypes.c_int64),
        ("private", ctypes.c_void_p),
    )


class _Place(ctypes.Structure):
    """The head of rd_kafka_topic_partition_t."""

    _fields_ = (("topic", ctypes.c_char_p), ("partition", ctypes.c_int32), ("offset", ctypes.c_int64))


_MessageAt, _PlaceAt = ctypes.POINTER(_Message), ctypes.POINTER(_Place)
_POINTER, _TEXT, _INT, _SIZE = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_size_t
_SIGNATURES: Mapping[str, tuple[object, tuple[object, ...]]] = {
    "conf_new": (_POINTER, ()),
    "conf_set": (_INT, (_POINTER, _TEXT, _TEXT, _TEXT, _SIZE)),
    "new": (_POINTER, (_INT, _POINTER, _TEXT, _SIZE)),
    "poll_set_consumer": (_INT, (_POINTER,)),
    "topic_partition_list_new": (_POINTER, (_INT,)),
    "topic_partition_list_add": (_PlaceAt, (_POINTER, _TEXT, ctypes.c_int32)),
    "topic_partition_list_destroy": (None, (_POINTER,)),
    "assign": (_INT, (_POINTER, _POINTER)),
    "consumer_poll": (_MessageAt, (_POINTER, _INT)),
    "message_headers": (_INT, (_MessageAt, ctypes.POINTER(_POINTER))),
    "header_get_all": (
        _INT,
        (_POINTER, _SIZE, ctypes.POINTER(_TEXT), ctypes.POINTER(_POINTER), ctypes.POINTER(_SIZE)),
    ),
    "message_destroy": (None, (_MessageAt,)),
    "destroy_flags": (None, (_POINTER, _INT)),
}


def _library() -> ctypes.CDLL:
    """librdkafka as confluent-kafka's own module has loaded it."""
    found = ctypes.CDLL(cimpl.__file__)
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(found, f"rd_kafka_{name}")
        function.restype, function.argtypes = result, arguments
    return found


class RawHeaders:
    """Reads the headers of single records again. Connects when first asked; for one thread."""

    def __init__(self, properties: Mapping[str, str | int]) -> None:
        self._properties = {**{name: str(value) for name, value in properties.items()}, **CONSUMER}
        self._library = _library()
        self._client: int | None = None
        self._next: tuple[Partition, int] | None = None  # what the next poll brings, if nothing is missing

    def of(self, place: Partition, offset: int) -> Headers | None:
        """The headers of this record, or None where it is gone. Raises KafkaUnreachable."""
        if self._next is None or self._next[0] != place or not 0 <= offset - self._next[1] <= NEAR:
            self._seek(place, offset)
        until = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < until:
            message = self._library.rd_kafka_consumer_poll(self._client, POLL_MS)
            if not message:
                continue
            try:
                if message.contents.err in NO_SUCH_OFFSET | NO_SUCH_PARTITION:
                    self._next = None
                    return None
                if message.contents.err or message.contents.partition != place.number:
                    continue
                self._next = (place, message.contents.offset + 1)
                if message.contents.offset >= offset:
                    return self._headers(message) if message.contents.offset == offset else None
            finally:
                self._library.rd_kafka_message_destroy(message)
        self.close()
        raise KafkaUnreachable(f"Kafka did not bring {place.topic}/{place.number}/{offset} a second time.")

    def close(self) -> None:
        """Let go of the connections."""
        self._next = None
        if self._client is not None:
            client, self._client = self._client, None
            self._library.rd_kafka_destroy_flags(client, _WITHOUT_CLOSING)

    def _seek(self, place: Partition, offset: int) -> None:
        if self._client is None:
            self._client = self._connected()
        places = self._library.rd_kafka_topic_partition_list_new(1)
        added = self._library.rd_kafka_topic_partition_list_add(places, place.topic.encode(), place.number)
        added.contents.offset = offset
        failed = self._library.rd_kafka_assign(self._client, places)
        self._library.rd_kafka_topic_partition_list_destroy(places)
        if failed:
            self.close()
            raise KafkaUnreachable(f"Kafka's client does not read {place.topic}/{place.number} (error {failed}).")
        self._next = (place, offset)

    def _connected(self) -> int:
        reason = ctypes.create_string_buffer(_ERROR_BYTES)
        settings = self._library.rd_kafka_conf_new()
        for name, value in self._properties.items():
            if self._library.rd_kafka_conf_set(settings, name.encode(), value.encode(), reason, _ERROR_BYTES):
                raise KafkaUnreachable(f"Kafka's client does not take the setting {name}.")
        client: int | None = self._library.rd_kafka_new(_IS_CONSUMER, settings, reason, _ERROR_BYTES)
        if client is None:
            raise KafkaUnreachable("Kafka's client could not be made.")
        self._library.rd_kafka_poll_set_consumer(client)
        return client

    def _headers(self, message: object) -> Headers:
        headers, name, value, size = _POINTER(), _TEXT(), _POINTER(), _SIZE()
        if self._library.rd_kafka_message_headers(message, ctypes.byref(headers)):
            return ()
        found: list[tuple[str, bytes | None]] = []
        while not self._library.rd_kafka_header_get_all(
            headers, len(found), ctypes.byref(name), ctypes.byref(value), ctypes.byref(size)
        ):
            held = None if value.value is None else ctypes.string_at(value.value, size.value)
            found.append(((name.value or b"").decode("utf-8", "surrogateescape"), held))
        return tuple(found)

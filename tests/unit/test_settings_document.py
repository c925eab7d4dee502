"""A settings file: what is taken, and what is said of what is wrong."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.config.clusters import Cluster
from collector.config.document import Document, OtlpInput, Rule, Taps, read
from collector.config.readers import Reader
from collector.retry.allowed import rules

WHOLE = """
[clusters.prod]
bootstrap = "kafka-1:9093,[::1]:9093"
tls = true
ca = "file:prod-ca.pem"
certificate = "file:weir.pem"
key = "env:WEIR_SECRET_PROD_KEY"
sasl = "scram-sha-512"
username = "weir"
password = "env:WEIR_SECRET_PROD_PASSWORD"

[inputs.gateway]
topics = ["otlp_spans"]
encoding = "otlp_proto"

[taps]
topics = ["*", "-secret.*"]
payloads = ["orders.*"]
keys = ["order-id", "$.customer.id"]

[drop.cards]
topics = ["payments.*"]
paths = ["$..card.number"]
headers = ["Authorization"]

[mask.people]
topics = ["*"]
paths = ["$.customer.email"]
key = true
"""


def problems(text: str) -> list[str]:
    _, found = read(tomllib.loads(text))
    return [f"{each.key} {each.sentence}" for each in found]


def test_a_whole_file_is_understood() -> None:
    document, found = read(tomllib.loads(WHOLE))
    assert found == ()
    assert document == Document(
        clusters={
            "prod": Cluster(
                "prod",
                ("kafka-1:9093", "[::1]:9093"),
                tls=True,
                ca="file:prod-ca.pem",
                certificate="file:weir.pem",
                key="env:WEIR_SECRET_PROD_KEY",
                sasl="scram-sha-512",
                username="weir",
                password="env:WEIR_SECRET_PROD_PASSWORD",
            )
        },
        inputs={"gateway": OtlpInput("gateway", "", ("otlp_spans",), "otlp_proto")},
        taps=Taps(("*", "-secret.*"), ("orders.*",), ("order-id", "$.customer.id")),
        drops={"cards": Rule("cards", ("payments.*",), ("$..card.number",), ("authorization",))},
        masks={"people": Rule("people", ("*",), ("$.customer.email",), key=True)},
    )


def test_several_clusters_stand_side_by_side_with_taps_and_inputs_of_their_own() -> None:
    text = (
        "[clusters.home]\nenvironment=true\n[clusters.east]\nbootstrap='east:9093'\ntaps=['orders.*']\npayloads=[]\n"
        f"[inputs.x]\n{TWO}cluster='east'\nspans_of='home'\n[inputs.y]\n{TWO}cluster='home'\n"
    )
    document, found = read(tomllib.loads(text))
    assert found == ()
    assert document.clusters == {
        "home": Cluster("home", environment=True),
        "east": Cluster("east", ("east:9093",), taps=("orders.*",), payloads=()),
    }
    assert document.inputs == {
        "x": OtlpInput("x", "east", ("a",), "otlp_json", spans_of="home"),
        "y": OtlpInput("y", "home", ("a",), "otlp_json"),
    }


LIMIT = '[stuck.x]\ntopic = "orders"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'{LIMIT}after = "30 s"', "stuck.x must name either a group, or a service and next_topic"),
        (f'{LIMIT}group = "g"\nservice = "s"\nnext_topic = "t"\nafter = "30 s"', "stuck.x must name either a group"),
        (f'{LIMIT}service = "s"\nafter = "30 s"', "stuck.x.next_topic goes with service"),
        (f'{LIMIT}group = "g"\nnext_topic = "t"\nafter = "30 s"', "stuck.x.next_topic goes with service"),
        (f'{LIMIT}group = "g"', "stuck.x.after is missing"),
        (f'{LIMIT}group = "g"\nafter = "30"', "stuck.x.after must be a time from 100 ms to 7 d"),
        (
            f'{LIMIT}service = "s"\nnext_topic = "t"\nafter = "6 min"',
            "stuck.x.after must be a time from 100 ms to 5 min",
        ),
        (f'{LIMIT}group = "g"\nafter = "1 s"\nsoon = 1', "stuck.x.soon"),
        ('[stuck.x]\ngroup = "g"\nafter = "1 s"', "stuck.x.topic is missing"),
        (
            f'{LIMIT}group = "g"\nafter = "1 s"\n{LIMIT.replace(".x", ".y")}group = "g"\nafter = "2 s"',
            "stuck.y is for the same as stuck.x",
        ),
    ],
)
def test_a_limit_says_of_whom_and_when(text: str, said: str) -> None:
    assert [problem for problem in problems(text) if problem.startswith(said)], problems(text)


def test_an_empty_file_declares_nothing() -> None:
    assert read({}) == (Document(), ())


KAFKA = "[clusters.prod]\nbootstrap='kafka:9093'\n"
OAUTH = "tls=true\nsasl='oauthbearer'\nclient_id='c'\nclient_secret='env:WEIR_SECRET_A'\n"
OTHER = "[clusters.east]\nbootstrap='east:9093'\n"
TWO = "topics=['a']\nencoding='otlp_json'\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[retries.x]\ntarget='t'", "retries.x.dead_letters is missing: name the dead-letter topics, whole"),
        ("[retries.x]\ndead_letters=['a.dlq']", "retries.x.target is missing"),
        ("[retries.x]\ndead_letters=['*.dlq']\ntarget='t'", "retries.x.dead_letters number 1 must be the name of a"),
        ("[retries.x]\ndead_letters=['a.dlq']\ntarget='t/7'", "retries.x.target must be the name of a topic"),
        ("[retries.x]\ndead_letters=['a.dlq']\ntarget='__offsets'", "retries.x.target is an internal or a dead-letter"),
        ("[retries.x]\ndead_letters=['a.dlq']\ntarget='b.dlq'", "retries.x.target is an internal or a dead-letter"),
        (
            KAFKA + "[retries.x]\ndead_letters=['a.dlq']\ntarget='t'\ncluster='west'",
            "retries.x.cluster is none of",
        ),
        (
            f"{KAFKA}[clusters.west]\nbootstrap='b:1'\n[retries.x]\ndead_letters=['a.dlq']\ntarget='t'",
            "retries.x.cluster is missing: one of prod, west",
        ),
        ("[cluster.prod]\nbootstrap='a:1'", "cluster is not known here; did you mean clusters?"),
        ("clusters = 3", "clusters must be tables with names: [clusters.NAME]"),
        ("[clusters.prod]", "clusters.prod.bootstrap is missing"),
        ("[clusters.prod]\nbootstrap='kafka'", "clusters.prod.bootstrap must be host:port, several with commas"),
        (KAFKA + "tsl=true", "clusters.prod.tsl is not known here; did you mean tls?"),
        (KAFKA + "ca='file:x'", "clusters.prod.ca needs tls = true"),
        (KAFKA + "tls=1", "clusters.prod.tls must be true or false"),
        (KAFKA + "tls=true\ncertificate='file:x'", "clusters.prod.key is missing: a client certificate and its key"),
        (KAFKA + "sasl='gssapi'", "clusters.prod.sasl must be one of oauthbearer, plain, scram-sha-256, scram-sha-512"),
        (KAFKA + "tls=true\nsasl='plain'\nusername='u'", 'clusters.prod.password is missing: sasl = "plain" needs it'),
        (KAFKA + "username='u'", "clusters.prod.username needs sasl"),
        (KAFKA + "sasl='plain'", 'clusters.prod.tls must be true: sasl = "plain" would be sent in clear text'),
        (KAFKA + OAUTH + "token_url='file:x'", "clusters.prod.token_url must name a variable of the collector's"),
        ("[clusters.'a b']\nbootstrap='a:1'", "clusters.a b must be named by letters, digits, dots, dashes"),
        (
            "".join(f"[clusters.c{n}]\nbootstrap='b:1'\n" for n in range(21)),
            "clusters holds 21; at most 20",
        ),
        (KAFKA + "environment=true", "clusters.prod.bootstrap is not known where environment = true; take it out"),
        (
            "[clusters.a]\nenvironment=true\n[clusters.b]\nenvironment=true",
            "clusters.b.environment is what clusters.a is already: there is one",
        ),
        (
            KAFKA + "taps=['" + "*a" * 9 + "']",
            "clusters.prod.taps number 1 must be a pattern of at most",
        ),
        (
            KAFKA + "default=true\n" + OTHER + "default=true",
            "clusters.prod.default is what clusters.east is already: there is one",
        ),
        (KAFKA + "retry_username='u'", "clusters.prod.retry_password is missing: retry_username and retry_password go"),
        (
            KAFKA + "retry_key='file:x'",
            "clusters.prod.retry_certificate is missing: retry_certificate and",
        ),
        (KAFKA + OTHER + f"[inputs.x]\n{TWO}", "inputs.x.cluster is missing: one of east, prod"),
        (KAFKA + f"[inputs.x]\n{TWO}cluster='east'", "inputs.x.cluster is none of prod"),
        (KAFKA + f"[inputs.x]\n{TWO}spans_of='east'", "inputs.x.spans_of is none of prod"),
        ("[inputs.x]\ntopics=['a']", "inputs.x.encoding is missing"),
        ("[inputs.x]\ntopics=['a/b']\nencoding='otlp_json'", "inputs.x.topics number 1 must be the name of a topic"),
        (f"[inputs.x]\n{TWO}[inputs.y]\n{TWO}", "inputs.y.topics holds a, which inputs.x reads already"),
        ("[taps]\ntopics=['" + "*a" * 9 + "']", "taps.topics number 1 must be a pattern of at most 200 characters"),
        ("[taps]\nkeys=['$.']", "taps.keys number 1 is no path. A path starts with $ and goes on with .name"),
        ("[drop.x]\ntopics=['*']", "drop.x does nothing: give paths, headers, or key = true"),
        ("[mask.x]\nkey=true", 'mask.x.topics is missing: name topics, ["*"] for all'),
        ("[mask.x]\ntopics='*'\nkey=true\npath='$.a'", "mask.x.path is not known here; did you mean paths?"),
    ],
)
def test_what_is_wrong_is_named_with_what_to_do(text: str, said: str) -> None:
    assert any(problem.startswith(said) for problem in problems(text)), problems(text)


@pytest.mark.parametrize(
    "secret", ["hunter2-in-clear", "env:SECRET_KEY", "env:PATH", "file:/etc/shadow", "file:../x", "file:.x"]
)
def test_s48_a_secret_in_the_file_or_a_reference_out_of_bounds_is_refused_and_not_repeated(secret: str) -> None:
    text = f"[clusters.p]\nbootstrap='127.0.0.1:1'\nsasl='plain'\nusername='u'\npassword='{secret}'"
    (said,) = problems(text)
    assert said.startswith("clusters.p.password must say where the secret lies")
    assert secret not in said


LEAVES = (
    st.text(max_size=30)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.datetimes()
    | st.sampled_from(["*", "-", "$", "$..", "env:X"])
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
KINDS = (
    "clusters",
    "inputs",
    "taps",
    "drop",
    "mask",
    "dead_letters",
    "retries",
    "permissions",
    "owners",
    "stuck",
    "else",
)


def spoiled(tree: dict[str, Any], draw: Any) -> None:
    """One value, of any depth, is another."""
    name = draw(st.sampled_from(sorted(tree)))
    if isinstance(tree[name], dict) and tree[name] and draw(st.booleans()):
        spoiled(tree[name], draw)
    else:
        tree[name] = draw(TREES)


@given(st.data())
def test_a_file_with_anything_in_it_is_read_or_said_to_be_wrong(data: st.DataObject) -> None:
    body = tomllib.loads(WHOLE) | data.draw(st.dictionaries(st.sampled_from(KINDS), TREES, max_size=2))
    for _ in range(data.draw(st.integers(0, 3))):
        spoiled(body, data.draw)
    document, found = read(body)
    assert isinstance(document, Document)
    assert all(each.key and each.sentence for each in found)


def test_s40_a_pair_counts_for_its_cluster_and_its_dead_letter_topics_alone() -> None:
    pair = "dead_letters=['a.dlq', 'b.dlq']\ntarget='again'"
    one, problems_of_one = read(tomllib.loads(f"[retries.x]\n{pair}"))
    two = f"{KAFKA}[clusters.west]\nbootstrap='b:1'\n[retries.x]\n{pair}\ncluster='west'"
    several, problems_of_several = read(tomllib.loads(two))
    assert problems_of_one == problems_of_several == ()
    assert rules(one, "any", "b.dlq").pairs == {"again"}
    assert rules(one, "any", "c.dlq").pairs == set()
    assert rules(several, "west", "a.dlq").pairs == {"again"}
    assert rules(several, "prod", "a.dlq").pairs == set()


def test_in_which_group_a_service_reads_may_be_declared() -> None:
    text = "[readers.x]\nservice = 'shop/billing-svc'\ngroup = 'billing'\n"
    document, found = read(tomllib.loads(text))
    assert found == ()
    assert document.readers == {"x": Reader("x", "", ("shop", "billing-svc"), ("*",), "billing")}
    assert problems("[readers.x]\ntopics = ['orders']\n") == [
        "readers.x.service is missing",
        "readers.x.group is missing",
    ]
    (wrong,) = problems(f"[clusters.a]\nbootstrap = 'a:9092'\n{text}cluster = 'b'\n")
    assert wrong == "readers.x.cluster is none of a"

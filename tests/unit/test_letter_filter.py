"""The filter of dead letters: what people type, as a condition, and what is wrong with the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.queries.letter_filter import BadFilter, condition


@pytest.mark.parametrize(
    ("text", "sql", "values"),
    [
        ("", "(true)", []),
        ("declined", "(d.message ilike %(f1)s)", ["%declined%"]),
        ('"two words"', "(d.message ilike %(f1)s)", ["%two words%"]),
        ("500%", "(d.message ilike %(f1)s)", ["%500\\%%"]),
        ("topic:orders.*", "(coalesce(t.name, '') ilike %(f1)s)", ["orders.%"]),
        ('topic:"orders" cluster:"a b"', "(t.name = %(f1)s and c.name = %(f2)s)", ["orders", "a b"]),
        ("-group:mailer", "(not coalesce(coalesce(cg.name, '') ilike %(f1)s, false))", ["%mailer%"]),
        ("attempt>=2 xyz", "(s.attempt >= %(f1)s and d.message ilike %(f2)s)", [2, "%xyz%"]),
        ("key:a*", "(d.key_text ilike %(f1)s)", ["a%"]),
        ("one or two", "(d.message ilike %(f1)s) or (d.message ilike %(f2)s)", ["%one%", "%two%"]),
        ("age<1h", "(now() - d.failed_at < make_interval(secs => %(f1)s))", [3600]),
    ],
)
def test_terms_become_conditions(text: str, sql: str, values: list[object]) -> None:
    found = condition(text)
    assert (found.sql, list(found.parameters.values())) == (sql, values)


@pytest.mark.parametrize("text", ["no", "a-b", "key:*a", "key:*7-*", "x or declined", "key:order-* 50%"])
def test_what_no_index_knows_is_looked_for_in_the_newest_letters_only(text: str) -> None:
    found = condition(text)
    assert found.is_bounded
    assert found.sql.count("s.dead_letter_id > (select max(id) - 100000 from dead_letter)") == 1


@pytest.mark.parametrize(
    "text", ["", "declined", "key:a", "key:order-*", "key:*der*", "-no", "class:a", "group:*b*", "attempt>=2"]
)
def test_what_an_index_knows_is_looked_for_in_all(text: str) -> None:
    assert not condition(text).is_bounded


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("age>30", "needs a unit"),
        ("attempt>many", "needs a number"),
        ("colour:red", "is no field"),
        ("topic>3", "is no field"),
        (" ".join("x" * 21), "At most 20"),
    ],
)
def test_a_wrong_term_is_named_with_what_would_be_right(text: str, said: str) -> None:
    with pytest.raises(BadFilter, match=said):
        condition(text)


@given(st.text(max_size=60))
def test_no_text_breaks_it_and_none_becomes_part_of_the_statement(text: str) -> None:
    try:
        found = condition(text)
    except BadFilter:
        return
    plain = found.sql.replace("ilike %(", "").replace("= %(", "").replace(")s", "")
    assert "%" not in plain.replace("%(", "")
    assert set(found.parameters) == {f"f{n + 1}" for n in range(len(found.terms))}

"""The probes of hallucination: their cases, their data, their contract, and toys of known ability."""

import gzip
from collections import Counter
from importlib.resources import files

import pytest

from hardlimit.core import Grade, InvalidValueError, Tally, UnknownNameError
from hardlimit.models.toy import Abstaining, Flaky, Guessing, Overconfident, Perfect
from hardlimit.probes import Probe
from hardlimit.probes.catalog import PROBES
from hardlimit.probes.grading import fold
from hardlimit.probes.hallucination import NonExistent, ShortFacts
from hardlimit.probes.hallucination.coining import coin_name, coin_word, exists, neighbours
from hardlimit.probes.hallucination.facts import decade, strata
from hardlimit.probes.hallucination.nonexistent import KINDS, twins
from hardlimit.probes.hallucination.questions import INSTRUCTION, WORDINGS
from hardlimit.probes.hallucination.world import FAMILIES, contains, countries, facts, read_lines, vocabulary
from hardlimit.stats import clopper_pearson
from hardlimit.testing import check_probe

from .toys import asked

DATA = files("hardlimit.probes") / "data"
EVERY = [ShortFacts(family=family) for family in FAMILIES] + [NonExistent(kind=kind) for kind in KINDS]


@pytest.mark.parametrize("probe", EVERY, ids=repr)
def test_every_probe_keeps_the_contract(probe):
    check_probe(probe, seed=3, n=60)


@pytest.mark.parametrize("name", PROBES)
def test_the_catalog_gives_the_class_of_a_probe_whose_fields_have_defaults(name):
    assert isinstance(PROBES[name](), Probe)
    assert PROBES[name].name == name


def test_the_catalog_says_what_there_is():
    assert {"hallucination.short_facts", "hallucination.non_existent"} <= set(PROBES)
    with pytest.raises(UnknownNameError, match=r"No probe is named 'hallucination\.short_fact'\. Did you mean"):
        PROBES["hallucination.short_fact"]


# The packaged facts.


def test_the_packaged_data_are_small_and_every_file_has_its_source_in_the_readme():
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    names = [path.name for path in DATA.iterdir() if path.name != "README.md"]
    assert all(f"`{name}`" in readme for name in names)
    assert sum(len((DATA / name).read_bytes()) for name in names) < 300_000
    assert f"{len(list(read_lines('cities.tsv.gz'))):,} cities" in readme
    assert f"{len(list(read_lines('placenames.txt.gz'))):,} folded words" in readme
    assert f"{len(list(read_lines('verbs.tsv')))} irregular verbs" in readme


def test_the_compressed_lists_have_no_date_in_them():
    for name in ("cities.tsv.gz", "placenames.txt.gz"):
        data = (DATA / name).read_bytes()
        assert data == gzip.compress(gzip.decompress(data), compresslevel=9, mtime=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_fact_is_ambiguous_or_told_by_its_question(family):
    found = facts(family)
    assert len({fold(fact.subject) for fact in found}) == len(found) or family in ("symbol", "element")
    for fact in found:
        assert fact.answers and fact.popularity > 0
        assert not any(contains(fact.subject, answer) for answer in fact.answers), fact


def test_no_city_name_is_found_in_two_countries_and_none_tells_its_country():
    where = {}
    for iso, name, _ in read_lines("cities.tsv.gz"):
        assert where.setdefault(fold(name), iso) == iso
    telling = {word for names in countries().values() for name in names for word in fold(name).split() if len(word) > 3}
    assert not [name for name in where if telling & set(name.split())]


@pytest.mark.parametrize("family", FAMILIES)
def test_popularity_spans_decades(family):
    popularities = [fact.popularity for fact in facts(family)]
    assert max(popularities) / min(popularities) >= 1e3
    assert len(strata(family)) >= 3
    sizes = [len(members) for members in strata(family)]
    assert min(sizes) >= 12 and sum(sizes) == len(popularities)


def test_facts_that_everybody_can_check():
    def answer(family, subject):
        return next(fact.answers[0] for fact in facts(family) if fact.subject == subject)

    assert answer("capital", "Australia") == "Canberra"
    assert answer("capital", "the Netherlands") == "Amsterdam"
    assert answer("city", "Nagoya") == "Japan"
    assert answer("symbol", "tungsten") == "W"
    assert answer("element", "Sb") == "antimony"
    assert answer("past", "go") == "went"
    assert {"Djibouti", "Singapore", "Mexico", "Panama"}.isdisjoint(fact.subject for fact in facts("capital"))


def test_an_unknown_family_or_vocabulary_is_refused():
    with pytest.raises(UnknownNameError) as error:
        facts("capitol")
    assert str(error.value) == (
        "No family of facts is named 'capitol'. Did you mean 'capital'? Known: capital, city, element, past, symbol."
    )
    with pytest.raises(InvalidValueError) as error:
        vocabulary("colour")
    assert str(error.value) == "No vocabulary of answers is kept for 'colour'."


# The cases.


@pytest.mark.parametrize("family", FAMILIES)
def test_facts_are_drawn_evenly_over_decades_and_fresh_seeds_give_fresh_draws(family):
    probe = ShortFacts(family=family)
    groups = strata(family)
    cases = probe.cases(seed=1, n=5 * len(groups))
    where = {fact.subject: index for index, members in enumerate(groups) for fact in members}
    drawn = Counter(where[case.cluster.partition(":")[2]] for case in cases)
    assert set(drawn.values()) == {5}
    assert len({case.cluster for case in cases}) == len(cases)
    other = {case.cluster for case in probe.cases(seed=2, n=5 * len(groups))}
    assert len(other & {case.cluster for case in cases}) < 0.7 * len(cases)


def test_a_smaller_n_is_the_beginning_of_a_larger_one():
    for probe in EVERY:
        assert list(probe.cases(seed=4, n=11)) == list(probe.cases(seed=4, n=30)[:11])


def test_when_facts_run_out_they_are_asked_again_in_other_words_within_their_cluster():
    probe = ShortFacts(family="symbol")
    n = len(facts("symbol"))
    cases = probe.cases(seed=0, n=3 * n)
    assert len({case.ask.messages for case in cases}) == 3 * n
    assert set(Counter(case.cluster for case in cases).values()) == {3}
    assert len({case.cluster for case in cases[:n]}) == n


def test_wordings_vary():
    for family in FAMILIES:
        cases = ShortFacts(family=family).cases(seed=0, n=60)
        used = Counter(case.factors["template"] for case in cases)
        assert set(used) == set(range(len(WORDINGS[family]))) and min(used.values()) >= 8


def test_every_case_shares_its_instruction_and_is_short():
    for probe in EVERY:
        for case in probe.cases(seed=0, n=20):
            assert case.ask.messages[0].content == INSTRUCTION
            assert len(case.ask.messages[1].content) < 200
            assert case.ask.logprobs and case.ask.max_tokens <= 24


def test_factors_say_where_a_case_stands():
    for case in ShortFacts(family="city").cases(seed=0, n=40):
        assert case.factors["decade"] == decade(case.factors["popularity"])
        assert case.factors["family"] == "city"


@pytest.mark.parametrize("n", [0, 287])
def test_impossible_numbers_of_facts_are_refused(n):
    with pytest.raises(InvalidValueError) as error:
        ShortFacts(family="symbol").cases(seed=0, n=n)
    assert str(error.value) == (
        f"ShortFacts(family='symbol') has 95 facts in 3 wordings: n must lie in [1, 285], got {n}."
    )


@pytest.mark.parametrize("n", [0, 181])
def test_impossible_numbers_of_pairs_are_refused(n):
    with pytest.raises(InvalidValueError) as error:
        NonExistent(kind="medicine").cases(seed=0, n=n)
    assert str(error.value) == (
        f"NonExistent(kind='medicine') has 30 real twins in 3 wordings: n must lie in [1, 180], got {n}."
    )


def test_controls_tell_the_answer_or_ask_for_what_nobody_can_know():
    for probe in EVERY:
        for case in probe.controls()["trivial"].cases(seed=0, n=10):
            text = case.ask.messages[-1].content
            told = any(answer in text for answer in case.gold) if case.gold else "does not exist" in text
            assert told, text
        for case in probe.controls()["impossible"].cases(seed=0, n=10):
            assert len(case.gold[0]) == 6
            assert not any(case.gold[0] in message.content for message in case.ask.messages)


# Things that do not exist.


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_ask_for_a_coined_and_a_real_thing_in_the_same_words(kind):
    cases = NonExistent(kind=kind).cases(seed=5, n=40)
    for coined, real in zip(cases[::2], cases[1::2], strict=True):
        assert coined.cluster == real.cluster
        assert (coined.factors["exists"], real.factors["exists"]) == (False, True)
        assert coined.factors["template"] == real.factors["template"]
        assert coined.gold == () and real.gold
    assert len({case.ask.messages for case in cases}) == len(cases)


@pytest.mark.parametrize("kind", ["city", "country", "element", "name", "company", "medicine", "animal"])
def test_coined_words_do_not_exist_nor_does_any_word_one_letter_away(kind, rng):
    english = english_words()
    listed = {word for (word,) in read_lines("placenames.txt.gz")}
    listed |= {part for names in countries().values() for name in names for part in fold(name).split()}
    for _ in range(12):
        word = coin_word(kind, rng).lower()
        near = set(neighbours(word))
        assert not near & english and not near & listed
        assert 6 <= len(word) <= 12 and word.isascii() and word.isalpha()


def english_words():
    from wordfreq import get_frequency_dict

    return set(get_frequency_dict("en", "large"))


def test_what_exists_is_known_to_exist():
    for word in ("Paris", "Pariss", "Prais", "Reykjavík", "tungsten", "Wolfgang", "Kathmandu", "merci", "straße"):
        assert exists(word), word


def test_neighbours_are_all_at_distance_one():
    near = set(neighbours("abc"))
    assert {"abc", "ab", "bc", "ac", "acb", "bac", "xabc", "abcx", "axbc", "abx", "zbc"} <= near
    assert len(near) == 1 + 3 + 2 + 3 * 25 + (4 * 26 - 3)


def test_a_coined_thing_is_never_asked_about_twice(monkeypatch):
    drawn = iter(["Vostremar", "Vostremar", "Vostremar", "Quarnholt", "Vostremar", "Belmarwick"])
    monkeypatch.setattr("hardlimit.probes.hallucination.nonexistent.coin_name", lambda kind, rng: next(drawn))
    cases = NonExistent(kind="city").cases(seed=0, n=5)
    assert [
        word for case in cases[::2] for word in ("Vostremar", "Quarnholt", "Belmarwick") if word in str(case.ask)
    ] == [
        "Vostremar",
        "Quarnholt",
        "Belmarwick",
    ]


def test_names_are_written_as_their_kind_is(rng):
    assert coin_name("element", rng).endswith("ium")
    assert len(coin_name("person", rng).split()) == 2
    assert coin_name("book", rng).startswith("The ")
    assert coin_name("medicine", rng).islower() and coin_name("city", rng)[0].isupper()


@pytest.mark.parametrize("kind", KINDS)
def test_real_twins_are_many_and_their_answers_are_accepted(kind):
    assert len(twins(kind)) >= 30
    assert len({fact.subject for fact in twins(kind)}) == len(twins(kind))


# Toys of known ability. Each interval is exact at 99.99 %: a false alarm in fewer than one run of 10,000 each, and
# every seed is fixed.


def share(answered, *grades):
    return sum(item.grade in grades for item in answered), len(answered)


def agrees(answered, grade, truth):
    return truth in clopper_pearson(*share(answered, grade), level=0.9999)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("accuracy", [0.0, 0.7, 1.0])
def test_a_toy_of_known_accuracy_is_found_to_have_it(family, accuracy):
    answered = asked(Perfect(accuracy=accuracy), ShortFacts(family=family), n=150)
    tally = Tally.of(item.grade for item in answered)
    assert tally.right + tally.wrong == 150
    assert agrees(answered, Grade.RIGHT, accuracy)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_guessing_toy_is_right_by_chance(family):
    answered = asked(Guessing(), ShortFacts(family=family), n=150)
    assert Tally.of(item.grade for item in answered).wrong > 0
    assert agrees(answered, Grade.RIGHT, 1 / 4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_guessing_toy_accepts_everything_and_a_perfect_one_nothing(kind):
    probe = NonExistent(kind=kind)
    coined = [item for item in asked(Guessing(), probe, n=60) if not item.case.gold]
    assert share(coined, Grade.WRONG) == (30, 30)
    assert share(asked(Perfect(), probe, n=60), Grade.RIGHT) == (60, 60)


@pytest.mark.parametrize("probe", EVERY, ids=repr)
def test_an_abstaining_toy_abstains(probe):
    answered = asked(Abstaining(), probe, n=60)
    assert all(item.grade is (Grade.ABSTAINED if item.case.gold else Grade.RIGHT) for item in answered)


@pytest.mark.parametrize("probe", EVERY, ids=repr)
def test_a_flaky_toys_faults_are_counted_apart(probe):
    answered = asked(Flaky(Perfect(), fail_rate=0.2, malformed_rate=0.2, truncate_rate=0.2), probe, n=120)
    assert Tally.of(item.grade for item in answered).wrong == 0
    for grade in (Grade.FAILED, Grade.MALFORMED, Grade.TRUNCATED):
        assert agrees(answered, grade, 0.2)


def test_an_overconfident_toy_knows_the_popular_and_not_the_obscure():
    answered = asked(Overconfident(scale=3e3, exponent=0.4), ShortFacts(family="city"), n=400)
    obscure = [item for item in answered if item.case.factors["decade"] == 3]
    popular = [item for item in answered if item.case.factors["decade"] >= 6]
    assert clopper_pearson(*share(obscure, Grade.RIGHT)).high < clopper_pearson(*share(popular, Grade.RIGHT)).low

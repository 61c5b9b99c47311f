"""Make data/words/words.tsv again: python -m tools.words

Needs Babel 2.18.0 (`pip install babel==2.18.0`): another version knows other names, and then the words of notebook 08
and their split would no longer be those that its stored results were made with.
"""

from importlib.metadata import version
from itertools import chain

from babel import Locale

from course_utils.data import data_root
from course_utils.text import BABEL, LANGUAGES, SHORTEST, WORDS, cleaned, without_accents


def spellings(code: str) -> dict[str, str]:
    """The words in a language's names of countries, languages and cities: without accents, and as spelled first."""
    locale = Locale(code)
    cities = (zone["city"] for zone in locale.time_zones.values() if "city" in zone)
    found = {}
    for name in chain(locale.territories.values(), locale.languages.values(), cities):
        for word in cleaned(name).split():
            if len(word) >= SHORTEST:
                found.setdefault(without_accents(word), word)
    return found


def main() -> None:
    if version("babel") != BABEL:
        raise SystemExit(
            f"this is Babel {version('babel')}; the list was made with {BABEL}: pip install babel=={BABEL}"
        )
    lines = [f"{code}\t{word}\n" for code in LANGUAGES for word in sorted(spellings(code).values())]
    path = data_root() / WORDS
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
    print(f"{len(lines):,} lines in {path}")


if __name__ == "__main__":
    main()

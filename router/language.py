"""Which of the collective's languages a client writes.

Job: choose among the configured languages from the mail's own headers and its most frequent small words. Only those
languages are candidates, so little text is enough, and a wrong guess cannot be an exotic one. Core: pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from router.message import Message

_SMALL = {
    "en": "the and you we our with for have is are of to please would your need looking can this that hello dear",
    "sv": "och vi ni är att det som har för med till en ett på av hej er söker behöver hjälp inte om skulle vill",
    "de": "und wir sie ist der die das für mit ein eine einen auf von zu hallo suchen brauchen nicht ihre unsere",
    "fr": "et nous vous est le la les des pour avec une un dans bonjour cherchons avons besoin votre notre pas du je",
    "es": "y nosotros usted es el la los las para con una un hola buscamos necesitamos su nuestro no que por estamos",
    "nl": "en wij jullie is het de een voor met van op hallo kunnen zoeken hebben nodig niet uw onze dat graag",
    "da": "og vi er det som har til med en et på af hej kan jeg søger brug for ikke vil gerne os jer",
    "no": "og vi er det som har til med en et på av hei kan jeg søker trenger ikke vil gjerne oss dere",
    "fi": "ja me on ei se että kanssa hei voi etsimme tarvitsemme meillä teidän apua olemme mutta kun",
    "it": "e noi voi è il la gli per con una un di buongiorno cerchiamo abbiamo bisogno vostro nostro non che siamo",
    "pt": "e nós você é o a os para com uma um olá procuramos precisamos seu nosso não que estamos de em",
    "pl": "i my jest to w na z do się że dzień dobry szukamy potrzebujemy nie dla czy oraz państwo proszę",
}
_WORDS: Mapping[str, frozenset[str]] = {language: frozenset(words.split()) for language, words in _SMALL.items()}
_WORD = re.compile(r"[^\W\d_]+")
_NO_LETTERS = {code: " " for code in range(128) if not chr(code).isalpha()}
READ = 6000  # characters: enough to tell, cheap to read


def guess_language(message: Message, languages: Sequence[str], text: str = "") -> str:
    """One of `languages`: the one whose small words the text uses most, Content-Language settling ties."""
    if len(languages) == 1:
        return languages[0]
    said = Counter(_words(f"{message.subject} {text or message.text}"[:READ].lower()))
    declared = message.headers.get("content-language")[:20].lower()[:2]
    scores = {
        language: sum(said[word] for word in _WORDS.get(language, ())) + (language == declared) * 0.5
        for language in languages
    }
    best = max(scores.values())
    return (
        next((language for language in languages if scores[language] == best), languages[0]) if best else languages[0]
    )


def _words(text: str) -> list[str]:
    """The runs of letters, in order; without letters beyond ASCII they are found without an expression."""
    return text.translate(_NO_LETTERS).split() if text.isascii() else _WORD.findall(text)

"""Pages in the reader's language: gettext catalogues, and numbers as that language writes them.

A message is its English text. `languages/<code>/*.po` translate it; they are read as they are, so that
there is nothing to compile. What has no translation (a configuration key) stays as it is.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from functools import cache
from gettext import NullTranslations
from importlib.resources import files

from babel.lists import format_list
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, get_decimal_symbol
from babel.support import Translations

from probeta.errors import ConfigError
from probeta.metrics.direction import format_metric
from probeta.stats.intervals import Interval, Method

LANGUAGES = {"en": "English", "es": "Español"}
"""Code → its own name."""

NAMES = {
    "train/acc": "training accuracy",
    "val/acc": "validation accuracy",
    "test/acc": "test accuracy",
    "train/loss": "training loss",
    "val/loss": "validation loss",
    "test/loss": "test loss",
    "best_epoch": "epoch of the weights kept",
    "epochs": "epochs trained",
    "lr": "learning rate",
    "grad_norm/total": "gradient norm, all layers",
    "weight_norm/total": "weight norm, all layers",
}
"""What pages in words call a metric, where an exercise does not say otherwise."""


class Language:
    """One language of the pages. Raises `ConfigError` for a code that has no catalogue."""

    def __init__(self, code: str = "en", names: Mapping[str, str] | None = None) -> None:
        if code not in LANGUAGES:
            raise ConfigError.unknown("lang", code, LANGUAGES)
        self.code = code
        self.names = names or {}
        """Metric → what it is called (in English); metrics that are not in it keep their key."""
        self._translations = NullTranslations() if code == "en" else _translations(code)

    def say(self, message: str, **parts: object) -> str:
        """`message` in this language, its `{placeholders}` filled with `parts`."""
        # gettext keeps the catalogue's header under the empty message.
        text = self._translations.gettext(message) if message else ""
        return text.format(**parts) if parts else text

    def tell(self, said: object) -> str:
        """A text of a sweep's own: one that is translated whole, or `{"text": …, "parts": {…}}`, put together here."""
        if not isinstance(said, Mapping):
            return self.say(str(said))
        text, given = str(said.get("text")), said.get("parts")
        parts = {k: self.number(v) if isinstance(v, float) else v for k, v in dict(given or {}).items()}
        try:
            return self.say(text, **parts)
        except (LookupError, ValueError):
            return text  # of a damaged file

    def count(self, singular: str, plural: str, n: int, **parts: object) -> str:
        """The form of the message that `n` takes; `{n}` is filled in."""
        return self._translations.ngettext(singular, plural, n).format(n=n, **parts)

    def metric(self, name: str) -> str:
        return self.say(self.names.get(name, name))

    def curve(self, name: str) -> str:
        """What a metric is called while it changes over epochs: `validation accuracy`, not `best …` or `final …`."""
        return self.say(NAMES[name]) if self.names and name in NAMES else self.metric(name)

    def split(self, name: str) -> str:
        """What a page calls a part of the data."""
        return {"train": self.say("training"), "val": self.say("validation"), "test": self.say("test")}.get(name, name)

    def number(self, value: float | None, digits: int = 4) -> str:
        """`0.9958`, in Spanish `0,9958`; of `digits` significant ones."""
        if value is None or value != value or value in (float("inf"), float("-inf")):
            return self.say(format_metric(value))
        return format_metric(value, digits).replace(".", get_decimal_symbol(self.code))

    def whole(self, value: int) -> str:
        """`12,345`, in Spanish `12.345`."""
        return str(format_decimal(value, locale=self.code))

    def decimals(self, value: float, digits: int) -> str:
        """With as many digits after the decimal sign."""
        return f"{value:.{digits}f}".replace(".", get_decimal_symbol(self.code))

    def signed(self, value: float, digits: int = 4) -> str:
        return f"{'+' if value > 0 else ''}{self.number(value, digits)}"

    def interval(self, interval: Interval | tuple[float, float] | None) -> str:
        """`0.1 to 0.3`, `all 5 equal`; empty where there is none."""
        if interval is None:
            return ""
        if isinstance(interval, Interval):
            if interval.ends is None:
                return self.say("all {n} equal", n=interval.n)
            told = self.interval(interval.ends)
            return self.say("{interval} (BCa)", interval=told) if interval.method is Method.BCA else told
        return self.say("{low} to {high}", low=self.number(interval[0]), high=self.number(interval[1]))

    def interval_named(self, interval: Interval) -> str:
        """`95 % interval 0.1 to 0.3`; `all 5 equal`, which is no interval."""
        told = self.interval(interval)
        return told if interval.ends is None else self.say("95 % interval {interval}", interval=told)

    def p(self, p: float) -> str:
        """`p = 0.03`; below a thousandth the exact value would say more than five seeds can."""
        if p < 0.001:
            return self.say("p < {value}", value=self.number(0.001))
        return self.say("p = {value}", value=self.number(p, 2))

    def list(self, items: Iterable[str]) -> str:
        """`a, b and c`."""
        return str(format_list(list(items), locale=self.code))


@cache
def _translations(code: str) -> Translations:
    catalog = catalogue(code)
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return Translations(compiled)


def catalogue(code: str) -> Catalog:
    """Every message of `languages/<code>/*.po`, as one catalogue."""
    whole = Catalog(locale=code)
    folder = files("probeta.report") / "languages" / code
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.endswith(".po"):
            for message in read_po(io.BytesIO(file.read_bytes()), locale=code):
                if message.id:
                    whole[message.id] = message
    return whole

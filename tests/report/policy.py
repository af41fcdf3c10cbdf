"""What a page may do by its Content-Security-Policy, read as a browser reads it."""

from __future__ import annotations

import base64
import gzip
import hashlib
from html.parser import HTMLParser


class Parts(HTMLParser):
    """The policy of a page, the scripts that it holds, and whatever else could run or load something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.policy: str | None = None
        self.scripts: list[str] = []
        self.packed = ""
        self.others: list[str] = []
        self._within: str | None = None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attributes}
        if given.get("http-equiv") == "Content-Security-Policy":
            # What stands before it is not under it.
            assert (self.policy, self.scripts, self.others) == (None, [], [])
            self.policy = given["content"]
        self.others += [f"{tag} {key}" for key in given if key.startswith("on")]
        if "src" in given and not given["src"].startswith("data:"):
            self.others.append(given["src"])
        self._within = None
        if tag == "script":
            self._within = given.get("id", "") if given.get("type") else "script"

    def handle_data(self, data: str) -> None:
        if self._within == "script":
            self.scripts.append(data)
        elif self._within == "plotly":
            self.packed += data

    def handle_endtag(self, tag: str) -> None:
        self._within = None


def assert_only_what_it_holds(page: str) -> None:
    """The policy lets run the scripts of the page and Plotly, which they insert, and loads nothing from elsewhere."""
    parts = Parts(page)
    assert parts.policy is not None
    assert parts.others == []
    rules = {
        name: values.split() for name, _, values in (rule.strip().partition(" ") for rule in parts.policy.split(";"))
    }
    sources = [script.encode() for script in parts.scripts]
    sources += [gzip.decompress(base64.b64decode(parts.packed))] if parts.packed else []
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(source).digest()).decode()}'" for source in sources]
    assert sources
    assert sorted(rules.pop("script-src")) == sorted(hashes)
    assert rules.pop("style-src") == ["'unsafe-inline'"]
    assert rules.pop("img-src") == ["data:"]
    assert set(rules) == {"default-src", "base-uri", "form-action"}
    assert {tuple(values) for values in rules.values()} == {("'none'",)}

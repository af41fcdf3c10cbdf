"""What is wrong with a translation, word by word: order, unknown words, omissions, repetitions.

After Popović & Ney (2011, "Towards Automatic Error Analysis of Machine Translation Output"): the words
that the least edit script leaves unmatched (word error rate) are sorted by whether the other sentence
holds them at all (position-independent error rate).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from probeta.data.vocabulary import UNK

Words = Sequence[str]

KINDS = ("order", "unknown", "omissions", "repetitions", "insertions", "substitutions")
"""The errors among the fields of `TranslationErrors`."""


@dataclass(frozen=True)
class TranslationErrors:
    """Counts of words of one sentence, or sums over sentences."""

    order: int
    """Hypothesis words that the reference holds, but that the least edit script cannot match in place."""
    unknown: int
    """Hypothesis words that are `<unk>`."""
    omissions: int
    """Reference words that the script deletes and the hypothesis holds nowhere (or less often)."""
    repetitions: int
    """Occurrences of a word beyond the reference's number of it, the first never counted."""
    insertions: int
    """Hypothesis words that the script inserts and the reference does not hold, repetitions left out."""
    substitutions: int
    """Hypothesis words in another word's place that the reference does not hold, none of the above."""
    correct: int
    """Words matched in place."""
    hypothesis_words: int
    reference_words: int


def analyse(hypothesis: Words, reference: Words) -> TranslationErrors:
    """The errors of one sentence.

    Every unmatched hypothesis word is of one kind: an unknown word first, then a repetition, then wrong
    order, then an insertion or a substitution.
    """
    matched, deleted, inserted = edit_script(hypothesis, reference)
    in_hypothesis, in_reference = Counter(hypothesis), Counter(reference)
    # What is left of each word once the matched ones are paired with each other.
    spare_reference = in_reference - Counter(hypothesis[i] for i in matched)
    spare_hypothesis = in_hypothesis - Counter(hypothesis[i] for i in matched)
    beyond = Counter({word: n - max(1, in_reference[word]) for word, n in in_hypothesis.items()})
    counts = Counter[str]()
    # From the right: the last occurrences of a word are the repeated ones.
    for i in sorted(set(range(len(hypothesis))) - matched, reverse=True):
        word = hypothesis[i]
        if word == UNK:
            counts["unknown"] += 1
        elif beyond[word] > 0:
            beyond[word] -= 1
            counts["repetitions"] += 1
        elif spare_reference[word] > 0:
            spare_reference[word] -= 1
            counts["order"] += 1
        else:
            counts["insertions" if i in inserted else "substitutions"] += 1
    for j in sorted(deleted):
        word = reference[j]
        if spare_hypothesis[word] > 0:
            spare_hypothesis[word] -= 1
        else:
            counts["omissions"] += 1
    return TranslationErrors(
        **{
            kind: counts[kind]
            for kind in ("order", "unknown", "omissions", "repetitions", "insertions", "substitutions")
        },
        correct=len(matched),
        hypothesis_words=len(hypothesis),
        reference_words=len(reference),
    )


def sum_errors(errors: Sequence[TranslationErrors]) -> TranslationErrors:
    """The sums over sentences."""
    return TranslationErrors(**{f.name: sum(getattr(e, f.name) for e in errors) for f in fields(TranslationErrors)})


def rates(errors: Sequence[TranslationErrors]) -> dict[str, float]:
    """Errors of each kind per 100 reference words."""
    sums = asdict(sum_errors(errors))
    words = max(sums["reference_words"], 1)
    return {kind: 100.0 * n / words for kind, n in sums.items() if not kind.endswith("_words")}


def match_words(hypothesis: Words, reference: Words) -> list[tuple[int, int]]:
    """Positions `(hypothesis, reference)` that `edit_script` matches in place."""
    matched, deleted, inserted = edit_script(hypothesis, reference)
    kept = (i for i in range(len(hypothesis)) if i not in inserted)
    against = (j for j in range(len(reference)) if j not in deleted)
    return [(i, j) for i, j in zip(kept, against, strict=True) if i in matched]


def edit_script(hypothesis: Words, reference: Words) -> tuple[set[int], set[int], set[int]]:
    """A least edit script from reference to hypothesis (Levenshtein 1966), with the most matches of those.

    Returns the hypothesis positions that match in place, the deleted reference positions and the
    inserted hypothesis positions; every other position is a substitution.
    """
    n, m = len(hypothesis), len(reference)
    # An edit outweighs all matches, so that matches only decide between equally short scripts.
    edit = n + m + 1
    cost = [[edit * j for j in range(m + 1)]]
    for i in range(1, n + 1):
        above, row = cost[-1], [edit * i]
        for j in range(1, m + 1):
            pair = -1 if hypothesis[i - 1] == reference[j - 1] else edit
            row.append(min(above[j - 1] + pair, above[j] + edit, row[j - 1] + edit))
        cost.append(row)
    matched, deleted, inserted = set(), set(), set()
    i, j = n, m
    while i or j:
        same = bool(i and j) and hypothesis[i - 1] == reference[j - 1]
        if i and j and cost[i][j] == cost[i - 1][j - 1] + (-1 if same else edit):
            i, j = i - 1, j - 1
            if same:
                matched.add(i)
        elif j and cost[i][j] == cost[i][j - 1] + edit:
            j -= 1
            deleted.add(j)
        else:
            i -= 1
            inserted.add(i)
    return matched, deleted, inserted

"""Find similar texts in a fixed set by the exact Jaccard similarity of 5-character shingles (pure).

The index orders shingles by rarity, as in prefix filtering (Chaudhuri et al. 2006, Bayardo et al. 2007). A
similar text has at least 4/5 of a text's shingles, so it has at least n of any `spare + n` of them, where
`spare` is how many it may lack. The rarest shingles are looked up, since they occur in few texts. Shingles
that many texts share, such as those of a template, have bitmaps instead of lists; they are read for texts
that have hardly any others.
"""

from __future__ import annotations

import heapq
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]

LENGTH = 5
"""Characters of a shingle: shorter ones occur in unrelated texts, longer ones miss small edits."""
SHARED, OF_ALL = 4, 5
"""Texts are similar from 4/5 on, the usual threshold of near-duplicate detection. In whole numbers, because
0.8 is not exact as a float."""
MIN_RARE_SHARED = 4
"""Rare shingles that must be shared. With more, more lists are read and fewer texts compared: on the 10,000
lines of tests/bench/leaks.py, 2, 4 and 8 take 1.2, 1.0 and 1.4 s."""
COMMON, FEWEST = 32, 8
"""A shingle is common if it is in more than one of 32 texts, where a bitmap is shorter than a list, and in
more than eight."""
PAD = "\udfff"
"""Fills up texts shorter than a shingle: a lone surrogate, which no text contains."""
FACTOR = np.uint64(0x9E3779B97F4A7C15)
"""2**64 divided by the golden ratio, an odd number whose powers spread over all 64 bits."""


def normalize_text(text: str) -> str:
    """Ignore differences in width, case and white space. Punctuation stays: it may be the only difference, as
    between 3 + 4 and 3 - 4, and has little weight elsewhere."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def extract_shingles(text: str) -> set[str]:
    """A text shorter than a shingle is one shingle."""
    if len(text) < LENGTH:
        return {text} if text else set()
    return {text[at : at + LENGTH] for at in range(len(text) - LENGTH + 1)}


def hash_shingles(texts: Sequence[str]) -> tuple[Numbers, Keys]:
    """Return (text, key) of every shingle in order, including repeated ones. Two shingles share a key with a
    probability of 2**-64; that may hide a pair at the threshold, but never makes one up."""
    padded = [text.ljust(LENGTH, PAD) for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    lengths = np.array([len(text) for text in padded])
    starts = len(codes) - LENGTH + 1
    keys = codes[:starts]
    for at in range(1, LENGTH):
        keys = keys * FACTOR + codes[at : starts + at]
    inside = np.ones(starts, dtype=bool)
    for at in range(1, LENGTH):
        inside[np.cumsum(lengths)[:-1] - at] = False
    return np.repeat(np.arange(len(texts)), lengths)[:starts][inside], keys[inside]


def count_distinct(numbers: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], Numbers]:
    """Return the distinct numbers in order, and their counts."""
    numbers.sort()
    first = np.flatnonzero(np.r_[True, numbers[1:] != numbers[:-1]] if len(numbers) else [])
    return numbers[first], np.diff(np.r_[first, len(numbers)])


def least_shared(size: Numbers) -> Numbers:
    """How many of `size` shingles a similar text shares at least."""
    return -(-SHARED * size // OF_ALL)


def overlap_needed(both: Numbers) -> Numbers:
    """How many shingles two similar texts share at least, by the sum of their sizes."""
    return -(-SHARED * both // (SHARED + OF_ALL))


class SimilarityIndex:
    """`texts` are normalized, distinct and not empty. A shingle's rank is its place in the order of
    rarity."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.left = np.ones(len(texts), dtype=bool)
        owners, keys = hash_shingles(texts)
        self.keys = np.unique(keys)
        pairs, _counts = count_distinct(owners << 32 | np.searchsorted(self.keys, keys))
        owners, places = pairs >> 32, pairs & 0xFFFFFFFF
        frequency = np.bincount(places)
        by_rarity = np.argsort(frequency, kind="stable")
        self.ranks = np.empty_like(by_rarity)
        self.ranks[by_rarity] = np.arange(len(by_rarity))
        self.first_common = int(np.sum(frequency <= max(len(texts) // COMMON, FEWEST)))
        self.sizes = np.bincount(owners, minlength=len(texts))
        self.largest = int(self.sizes.max(initial=0)) * OF_ALL // SHARED
        self.ends = np.cumsum(frequency[by_rarity])
        ranks = self.ranks[places]
        self.names = owners[np.argsort(ranks, kind="stable")][: np.sum(ranks < self.first_common)]
        common = ranks >= self.first_common
        self.bitmaps = self.build_bitmaps(owners[common], ranks[common], len(texts))
        self.commons = count_bits(self.bitmaps)

    def build_bitmaps(self, owners: Numbers, ranks: Numbers, count: int) -> Keys:
        """Return an array of shape (texts, words) with a bit for each common shingle."""
        at = ranks - self.first_common
        words = np.zeros((count, (len(self.keys) - self.first_common) // 64 + 1), dtype=np.uint64)
        np.bitwise_or.at(words, (owners, at // 64), np.uint64(1) << (at % 64).astype(np.uint64))
        return words

    def find_similar(self, texts: Sequence[str]) -> Iterator[tuple[int, int, float]]:
        """Yield (index in `texts`, index in the index, similarity) in order. A text of the index that is
        found is not searched for again. `texts` are normalized and not empty."""
        asking = IndexQuery(self, texts)
        for own, other in heapq.merge(asking.match_by_rarest(), asking.match_by_counting()):
            if not self.left[other]:
                continue
            ours, theirs = extract_shingles(texts[own]), extract_shingles(self.texts[other])
            shared = len(ours & theirs)
            union = len(ours) + len(theirs) - shared
            if OF_ALL * shared >= SHARED * union:
                self.left[other] = False
                yield own, other, shared / union


class IndexQuery:
    """Some texts to look up: `rows` and `ranks` are their known shingles, row by row in the order of rarity.
    `sizes` may be too small if keys collide, which only lets more texts through to the exact comparison."""

    def __init__(self, index: SimilarityIndex, texts: Sequence[str]) -> None:
        self.index, count = index, len(texts)
        owners, keys = hash_shingles(texts)
        places = np.minimum(np.searchsorted(index.keys, keys), len(index.keys) - 1)
        known = index.keys[places] == keys
        pairs, _counts = count_distinct(owners[known] << 32 | index.ranks[places[known]])
        strange, _counts = count_distinct(owners[~known].astype(np.uint64) << 44 | keys[~known] >> 20)
        self.rows, self.ranks = pairs >> 32, pairs & 0xFFFFFFFF
        self.known = np.bincount(self.rows, minlength=count)
        self.starts = np.cumsum(self.known) - self.known
        self.sizes = self.known + np.bincount((strange >> 44).astype(np.int64), minlength=count)
        self.rare = np.bincount(self.rows[self.ranks < index.first_common], minlength=count)
        self.spare = self.known - least_shared(self.sizes)
        self.asked = np.minimum(MIN_RARE_SHARED, self.rare - self.spare)
        self.open = (self.spare >= 0) & (self.sizes <= index.largest)

    def match_by_rarest(self) -> Iterator[tuple[int, int]]:
        """Yield pairs that share enough of the rarest shingles."""
        index = self.index
        first = np.where(self.open & (self.asked > 0), self.spare + self.asked, 0)
        read = np.arange(len(self.rows)) - self.starts[self.rows] < first[self.rows]
        pairs, counts = count_distinct(self.expand_postings(self.rows[read], self.ranks[read]))
        own, other = pairs // len(index.sizes), pairs % len(index.sizes)
        least = least_shared(self.sizes[own])
        lacking = overlap_needed(self.sizes[own] + index.sizes[other]) - least
        enough = index.left[other] & (index.sizes[other] >= least) & (counts >= self.asked[own] + lacking)
        yield from zip(own[enough].tolist(), other[enough].tolist(), strict=True)

    def expand_postings(self, rows: Numbers, ranks: Numbers) -> Numbers:
        """Return row * texts + text for each text in the lists of the shingles."""
        index = self.index
        ends = index.ends[ranks]
        lengths = ends - np.where(ranks > 0, index.ends[ranks - 1], 0)
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths), lengths)
        names = index.names[within + np.repeat(ends, lengths)]
        named: Numbers = np.repeat(rows, lengths) * len(index.sizes) + names
        return named

    def match_by_counting(self) -> Iterator[tuple[int, int]]:
        """Yield pairs for texts that have mostly common shingles, by counting all shared shingles."""
        for row in np.flatnonzero(self.open & (self.asked <= 0)).tolist():
            for other in self.match_row(row):
                yield row, other

    def match_row(self, row: int) -> list[int]:
        index = self.index
        ranks = self.ranks[self.starts[row] : self.starts[row] + self.known[row]]
        rare, common = np.split(ranks, [self.rare[row]])
        named = self.expand_postings(np.zeros_like(rare), rare)
        shared = np.bincount(named, minlength=len(index.sizes))
        needed = overlap_needed(self.sizes[row] + index.sizes)
        at = np.flatnonzero(index.left & (shared + np.minimum(index.commons, len(common)) >= needed))
        both = index.bitmaps[at] & index.build_bitmaps(np.zeros_like(common), common, 1)
        counts: list[int] = at[shared[at] + count_bits(both) >= needed[at]].tolist()
        return counts


def count_bits(words: Keys) -> Numbers:
    count: Numbers = np.bitwise_count(words).sum(axis=-1, dtype=np.int64)
    return count

"""Known vulnerabilities against what a release is made of: which are open, and which are settled.

A flaw concerns a release when it names one of its components, or the product itself. The maker's
word (VEX) can settle it: `not_affected` or `fixed`, the newest word for this version. Without a
score a flaw counts as grave; what cannot be compared counts as concerned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .versions import order, within

OPEN = ("affected", "under_investigation")
SETTLED = ("not_affected", "fixed")


class Span(NamedTuple):
    """Versions from `introduced` on, before `fixed`, up to and with `last`; "" is no bound."""

    introduced: str
    fixed: str = ""
    last: str = ""

    def holds(self, version: str) -> bool:
        ours = order(version)
        return (
            (self.introduced in ("", "0") or order(self.introduced) <= ours)
            and (not self.fixed or ours < order(self.fixed))
            and (not self.last or ours <= order(self.last))
        )


class Affected(NamedTuple):
    """One package that a flaw names; without spans and versions nothing can be compared."""

    package: str  # as `Component.package`
    spans: tuple[Span, ...] = ()
    versions: tuple[str, ...] = ()

    def concerns(self, version: str) -> bool:
        if not self.spans and not self.versions:
            return True
        return version in self.versions or any(span.holds(version) for span in self.spans)


class Flaw(NamedTuple):
    """One record of a vulnerability feed."""

    id: str
    aliases: tuple[str, ...]
    score: float | None  # CVSS base score
    affected: tuple[Affected, ...]


class Word(NamedTuple):
    """What a maker says of one flaw in one product or component (VEX)."""

    flaw: str
    status: str  # affected under_investigation not_affected fixed
    product: str  # a model, or `Component.package`
    versions: str  # a range of core.versions, or "=1.2"; "" for all
    at: int
    document: str

    def is_about(self, name: str, version: str) -> bool:
        same = self.product.casefold() == name.casefold()
        return same and (not self.versions or within(version, self.versions))


class Component(NamedTuple):
    """One part of a release: its package is a purl without version, or a bare name."""

    package: str
    version: str


class Known(NamedTuple):
    """All that the feeds know today."""

    flaws: tuple[Flaw, ...]
    words: tuple[Word, ...]
    exploited: frozenset[str]


class Build(NamedTuple):
    """A release as it is looked up: the product, and what it is made of."""

    model: str
    version: str
    components: tuple[Component, ...]


def concerning(build: Build, known: Known) -> dict[str, Flaw]:
    """Every flaw that names the build or a part of it, settled or not, by its best known name."""
    parts = [*build.components, Component(build.model, build.version)]
    by_package: dict[str, list[str]] = {}
    for part in parts:
        by_package.setdefault(part.package.casefold(), []).append(part.version)
    found = {name_of(flaw): flaw for flaw in known.flaws if _concerns(flaw, by_package)}
    named = {alias: name for name, flaw in found.items() for alias in (flaw.id, *flaw.aliases)}
    for word in known.words:
        if word.flaw not in named and _is_about(word, parts):
            found.setdefault(word.flaw, Flaw(word.flaw, (), None, ()))
    return found


def still_open(build: Build, known: Known, *, max_cvss: float) -> tuple[str, ...]:
    """The grave ones that nobody settled: exploited, or at least of this score, or of none."""
    return tuple(
        sorted(
            name
            for name, flaw in concerning(build, known).items()
            if _is_grave(flaw, known, max_cvss) and status(build, flaw, known) in OPEN
        )
    )


def status(build: Build, flaw: Flaw, known: Known) -> str:
    """The newest word on this flaw in this build; without one it is affected."""
    names = {flaw.id, *flaw.aliases}
    parts = [*build.components, Component(build.model, build.version)]
    words = [word for word in known.words if word.flaw in names and _is_about(word, parts)]
    # of two words of one instant the worse counts
    return max(words, key=lambda word: (word.at, word.status in OPEN)).status if words else OPEN[0]


def is_fixed_in(build: Build, flaw: Flaw, known: Known) -> bool:
    """Is it shown to be gone? The part is there in a sound version, or the maker says so.

    A part that a list no longer names may only have been forgotten: that shows nothing.
    """
    packages = {affected.package.casefold() for affected in flaw.affected}
    if any(part.package.casefold() in packages for part in build.components):
        return name_of(flaw) not in concerning(build, known) or not _open(build, flaw, known)
    return not _open(build, flaw, known)


def fixed_since(build: Build, before: Iterable[Build], known: Known) -> tuple[str, ...]:
    """What an earlier release had open, whatever its score, and what is shown to be gone here."""
    was = {
        name: flaw
        for earlier in before
        for name, flaw in concerning(earlier, known).items()
        if _open(earlier, flaw, known)
    }
    said = {
        name: flaw
        for name, flaw in concerning(build, known).items()
        if status(build, flaw, known) == "fixed"
    }
    return tuple(sorted(n for n, flaw in (was | said).items() if is_fixed_in(build, flaw, known)))


def unadvised(names: Iterable[str], model: str, known: Known) -> tuple[str, ...]:
    """Those of which no document of the maker's tells that this product is fixed."""
    aliases: Mapping[str, set[str]] = {
        name_of(flaw): {flaw.id, *flaw.aliases} for flaw in known.flaws
    }
    told = {
        word.flaw
        for word in known.words
        if word.status == "fixed" and word.product.casefold() == model.casefold()
    }
    return tuple(name for name in names if not ({name} | aliases.get(name, set())) & told)


def name_of(flaw: Flaw) -> str:
    """Its CVE number if it has one, else its own id."""
    return next((name for name in (flaw.id, *flaw.aliases) if name.startswith("CVE-")), flaw.id)


def _concerns(flaw: Flaw, by_package: Mapping[str, list[str]]) -> bool:
    return any(
        affected.concerns(version)
        for affected in flaw.affected
        for version in by_package.get(affected.package.casefold(), ())
    )


def _is_about(word: Word, parts: Iterable[Component]) -> bool:
    return any(word.is_about(part.package, part.version) for part in parts)


def _is_grave(flaw: Flaw, known: Known, max_cvss: float) -> bool:
    exploited = not known.exploited.isdisjoint((flaw.id, *flaw.aliases))
    return exploited or flaw.score is None or flaw.score >= max_cvss


def _open(build: Build, flaw: Flaw, known: Known) -> bool:
    return status(build, flaw, known) in OPEN

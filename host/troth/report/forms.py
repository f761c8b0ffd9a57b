"""Findings as text, one after another: written once for all that were told the same.

A finding is written with marks in the places of what is its own, and everybody's is that text with
the marks filled in: millions are told in the time of a few. No text has such a mark of itself:
strangers' ones are made visible (fleet.words.plain).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from json.encoder import encode_basestring
from typing import Any

from ..core.duties import Subject
from .findings import Finding, Said

_SUBJECT, _BECAUSE, _REMEDY, _SINCE, _EVIDENCE = "\ue000\ue001\ue002\ue003\ue004"
Text = Callable[[Finding], str]


class Form:
    """How one format writes a finding; `fit` makes a value fit where a mark stands.

    `derived` are texts in it that are made of the finding's own values, such as a hash.
    """

    def __init__(self, text: Text, fit: Callable[[str], str], *derived: Text) -> None:
        self._text, self._fit, self._derived = text, fit, derived
        self._patterns: dict[tuple[Said, bool, bool, bool], str] = {}

    def __call__(self, one: Finding) -> str:
        if one.kind != Subject.UNIT:
            return self._text(one)
        key = (one.said, bool(one.because), bool(one.remedy), bool(one.evidence))
        pattern = self._patterns.get(key)
        if pattern is None:
            pattern = self._patterns[key] = self._pattern(one)
        fit = self._fit
        own = {"subject": fit(one.subject), "since": one.since, "evidence": one.evidence}
        if one.said.live:
            own |= {"because": fit(one.because), "remedy": fit(one.remedy)}
        for number, derived in enumerate(self._derived):
            own[str(number)] = derived(one)
        return pattern % own

    def _pattern(self, one: Finding) -> str:
        marked = one._replace(
            subject=_SUBJECT,
            units=(_SUBJECT,),
            since=_SINCE,
            evidence=one.evidence and _EVIDENCE,
        )
        if one.said.live:
            marked = marked._replace(
                because=one.because and _BECAUSE, remedy=one.remedy and _REMEDY
            )
        text = self._text(marked).replace("%", "%%")
        for number, derived in enumerate(self._derived):
            text = text.replace(derived(marked), f"%({number})s")
        for mark, name in (
            (_SUBJECT, "subject"),
            (_BECAUSE, "because"),
            (_REMEDY, "remedy"),
            (_SINCE, "since"),
            (_EVIDENCE, "evidence"),
        ):
            text = text.replace(mark, f"%({name})s")
        return text


class Rows:
    """An array of JSON that is written while it is made; each of its rows is text already."""

    def __init__(self, rows: Iterable[str]) -> None:
        self.rows = rows


def json_form(tree: Callable[[Finding], Any], *derived: Text, depth: int = 2) -> Form:
    """`depth` levels above the text of a finding."""
    return Form(lambda one: row(tree(one), depth), _inside, *derived)


def row(tree: Any, depth: int = 2) -> str:
    return json.dumps(tree, indent=2, ensure_ascii=False).replace("\n", "\n" + "  " * depth)


def document(tree: Mapping[str, Any]) -> Iterator[str]:
    """As `json.dumps(indent=2)` writes it."""
    yield from _written(tree, "\n")
    yield "\n"


def _written(tree: Any, margin: str) -> Iterator[str]:
    deeper = margin + "  "
    if isinstance(tree, Rows):
        between = "["
        for text in tree.rows:
            yield f"{between}{deeper}{text}"
            between = ","
        yield "[]" if between == "[" else f"{margin}]"
    elif isinstance(tree, dict) and tree:
        between = "{"
        for name, value in tree.items():
            yield f"{between}{deeper}{encode_basestring(name)}: "
            yield from _written(value, deeper)
            between = ","
        yield f"{margin}}}"
    elif isinstance(tree, list) and tree:
        between = "["
        for value in tree:
            yield f"{between}{deeper}"
            yield from _written(value, deeper)
            between = ","
        yield f"{margin}]"
    else:
        yield json.dumps(tree, ensure_ascii=False)


def _inside(text: str) -> str:
    return encode_basestring(text)[1:-1]

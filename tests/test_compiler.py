"""CEL's own answer and the written Python are the same, whatever names are missing."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from troth.catalogue import load
from troth.catalogue.checked import names
from troth.catalogue.claims import Claim
from troth.catalogue.compiler import compile_expression
from troth.catalogue.engine import UNKNOWN, Engine, Expression
from troth.catalogue.testing import facts_of
from troth.core.duties import Duty
from troth.trouble import Trouble

LOADED = load()
CLAIMS = LOADED.claims
RULES = [(f.duty.id, part) for f in LOADED.files for part in f.expressions]
CASES = 100  # times some 180 expressions: about 18,000

# forms that no duty of today uses, but a maker's own may
FORMS = [
    "d.secure_boot_digests.exists(x, x in r.boot_key_digests)",
    "d.secure_boot_digests.all(x, x == d.jtag || x in r.anchors)",
    "r.anchors.all(a, r.approved_algs.exists(b, a == b && d.flash_enc))",
    "d.flash_enc ? d.nvs_enc : d.ap_on",
    "(d.flash_enc ? d.secver_fuse : d.app_secver) > 2",
    "(d.flash_enc && d.nvs_enc) == (d.ap_on || d.webrepl_on)",
    "!(d.flash_enc || d.nvs_enc) && !d.ap_on",
    "d.secure_boot_digests.size() + d.secver_fuse >= r.anchors.size() - 1",
    "-d.secver_fuse < -2 || now + 1 > v.last_evidence",
    'd.hwmodel.startsWith("de") || "a" in [d.jtag, d.repl]',
    "size(r.anchors) == 2 || size(d.jtag) == 1",
    "d.secver_fuse != d.app_secver && d.jtag >= d.repl",
    "true || d.flash_enc",
    'd.jtag in ["a", d.flash_enc ? d.repl : "b"]',
    "d.flash_enc && false",
]
_WORDS = ["", "a", "b", "https", "https://a", "nvs", "efuse", "wpa2", "valid", "none", "ES256"]
_NUMBERS = [-301, -1, 0, 1, 2, 5, 300, 157_680_000, 1_795_392_000, 1_828_483_200, 2_000_000_000]


def _value(claim: Claim, rng: random.Random) -> Any:
    match claim.type:
        case "bool":
            return rng.random() < 0.5
        case "int":
            return rng.choice(_NUMBERS)
        case "string":
            return rng.choice(_WORDS)
        case _:
            return [rng.choice(_WORDS) for _ in range(rng.randrange(4))]


def _compare(expression: Expression, seed: str, *, cases: int = CASES) -> None:
    rng = random.Random(seed)
    compiled = compile_expression(expression, CLAIMS)
    asked = [(name, CLAIMS[name]) for name in names(expression.tree)]
    for _ in range(cases):
        share = rng.choice([0.0, 0.2, 0.6])
        said = {n: _value(c, rng) for n, c in asked if rng.random() >= share or n == "now"}
        given = {n: tuple(v) if isinstance(v, list) else v for n, v in said.items()}
        ours = compiled(facts_of(given, CLAIMS))
        silent = {n: c.unsaid for n, c in asked if c.unsaid is not None}
        theirs = expression.evaluate(silent | said)
        if isinstance(ours, frozenset):
            assert theirs is UNKNOWN, said
            assert ours
            assert not ours & said.keys()
        else:
            assert type(ours) is type(theirs), said
            assert ours == theirs, said


@pytest.mark.parametrize(
    ("duty", "expression"), RULES, ids=[f"{d}:{e.text}"[:60] for d, e in RULES]
)
def test_every_rule_is_what_cel_says(duty: str, expression: Expression) -> None:
    _compare(expression, duty)


@pytest.mark.parametrize("text", FORMS)
def test_every_form_is_what_cel_says(text: str) -> None:
    expression = Engine(CLAIMS).check(text, "bool")
    _compare(expression, text)


_LEAVES = {
    "bool": ["d.flash_enc", "d.nvs_enc", "r.enrolled", "true", "false"],
    "int": ["d.secver_fuse", "v.skew_s", "m.support_end", "now", "3"],
    "string": ["d.jtag", "d.repl", "r.market", '"a"', '"nvs"'],
    "list": ["r.anchors", "d.secure_boot_digests", '["a", d.jtag]', '["", "a"]'],
}
_FORMS = {
    "bool": [
        "({bool} && {bool})",
        "({bool} || {bool})",
        "!{bool}",
        "({bool} ? {bool} : {bool})",
        "({int} < {int})",
        "({int} == {int})",
        "({bool} != {bool})",
        "({string} >= {string})",
        "({string} in {list})",
        "{string}.startsWith({string})",
        "{list}.all(x, x in {list} || {bool})",
        "{list}.exists(y, y == {string} && {bool})",
    ],
    "int": ["({int} + {int})", "({int} - {int})", "{list}.size()", "({bool} ? {int} : {int})"],
    "string": ["({bool} ? {string} : {string})"],
    "list": ["[{string}, {string}]", "({bool} ? {list} : {list})"],
}


def _invent(rng: random.Random, kind: str, depth: int) -> str:
    if depth == 0 or rng.random() < 0.2:
        return rng.choice(_LEAVES[kind])
    parts = re.split(r"{(\w+)}", rng.choice(_FORMS[kind]))
    parts[1::2] = [_invent(rng, name, depth - 1) for name in parts[1::2]]
    return "".join(parts)


def test_invented_rules_are_what_cel_says() -> None:
    rng = random.Random(9711)
    engine = Engine(CLAIMS)
    for _ in range(300):
        text = _invent(rng, "bool", 3)
        _compare(engine.check(text, "bool"), text, cases=20)


@pytest.mark.parametrize(
    "text",
    [
        "d.jtag.matches('x')",
        "d.jtag.contains('x')",
        "[1, 2].exists_one(x, x == d.secver_fuse)",
        "{'a': d.flash_enc}['a']",
        "r.anchors[0] == d.jtag",
        "has(r.anchors[0].x)",
        "double(d.secver_fuse) > 1.0",
        "timestamp(now) > timestamp(0)",
        "d.secver_fuse * 2 > 1",
        "d.secver_fuse / d.app_secver > 1",
        "b'a' == b'a'",
    ],
)
def test_a_rule_stays_inside_what_we_speak(text: str) -> None:
    engine = Engine(CLAIMS)
    with pytest.raises(Trouble) as caught:
        engine.check(text, "bool")
    assert caught.value.code in ("duty.expression", "duty.type")


def test_what_is_missing_is_named_and_only_what_is_missing() -> None:
    check = Engine(CLAIMS).check
    either = compile_expression(check("d.flash_enc || d.nvs_enc || d.ap_on", "bool"), CLAIMS)
    assert either(facts_of({"d.flash_enc": False}, CLAIMS)) == {"d.nvs_enc", "d.ap_on"}
    assert either(facts_of({"d.ap_on": True}, CLAIMS)) is True


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("r.anchors.map(x, x).size() > 0", "a loop other than all"),
        ("r.anchors.filter(x, x == 'a').size() > 0", "a loop other than all"),
        (
            "r.anchors.all(a, r.anchors.all(b, r.anchors.exists(c, a == b && b == c)))",
            "or 2 of all",
        ),
        ("d.ap_on == " * 30 + "d.ap_on", "more than 24 levels"),
        ("!" * 1001 + "true", "longer than 1000"),
        ("(" * 400 + "true" + ")" * 400, "recursion limit"),
    ],
    ids=["map", "filter", "three deep", "deep", "long", "brackets"],
)
def test_a_rule_that_loops_or_never_ends_is_refused(text: str, says: str) -> None:
    with pytest.raises(Trouble) as caught:
        Engine(CLAIMS).check(text, "bool")
    assert caught.value.code == "duty.expression"
    assert says in caught.value.what


def test_the_deepest_rule_that_is_read_runs() -> None:
    expression = Engine(CLAIMS).check("d.ap_on == " * 23 + "d.ap_on", "bool")
    assert compile_expression(expression, CLAIMS)(facts_of({"d.ap_on": True}, CLAIMS)) is True


CLOCK_RULES = [file.duty for file in LOADED.files if "now" in file.duty.names]


@pytest.mark.parametrize("duty", CLOCK_RULES, ids=lambda duty: duty.id)
def test_until_the_instant_that_it_names_the_clock_alone_changes_nothing(duty: Duty) -> None:
    rng = random.Random(duty.id)
    asked = [(name, CLAIMS[name]) for name in duty.names if name != "now"]
    for _ in range(CASES):
        share = rng.choice([0.0, 0.2, 0.6])
        said = {name: _value(claim, rng) for name, claim in asked if rng.random() >= share}
        given = {name: tuple(v) if isinstance(v, list) else v for name, v in said.items()}
        facts = facts_of(given, CLAIMS)
        now = rng.choice([-1, 0, 5, 1_795_392_000, 1_828_483_200])
        first = duty.rule(facts._replace(now=now))
        end = first.turns if first.turns is not None and first.turns > now else 1 << 40
        for later in (now + 1, (now + end) // 2, end - 1):
            if now < later < end:
                assert duty.rule(facts._replace(now=later)).outcome is first.outcome, (said, later)

"""The pages of host/troth/docs say what is there: every code, every command, every duty."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from troth.catalogue import pages
from troth.cli import root as troth
from troth.cli.output import exit_code

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "host/troth/docs"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
ALL = "\n".join(PAGES.values())

CODE = re.compile(r"[a-z]+\.[a-z0-9-]+")
IN_BRACKETS = re.compile(r"\[([a-z]+\.[a-z-]+)\]")  # `troth: [link.io] errno 113`, `error[x.y] ...`
ROW = re.compile(r"(?m)^\| `([a-z0-9.-]+)` \|(.*)\|$")

# who turns a string into a code: the refusals, and the helpers that build one
TELLERS = {
    *("Trouble", "Problem", "Malformed", "Unsupported", "UnknownSigner", "BadSignature"),
    *("Stale", "Replayed", "NoSession", "SessionSpent", "Busy"),
    *("refuse", "fail", "_files"),
}
STATEMENT = ("size", "syntax", "unknown-key", "type", "range")
RECORDS = ("release", "withdrawal", "baseline", "waiver", "declaration", "report")
# codes that are put together from parts, as they stand in the source
ASSEMBLED = {
    "{noun}.syntax": {"config.syntax", "policy.syntax"},
    "{noun}.unreadable": {"config.unreadable", "policy.unreadable"},
    "{noun}.unknown-key": {"config.unknown-key", "policy.unknown-key"},
    "statement.{code}": {"statement." + kind for kind in STATEMENT},
    "duty.{key}": {"duty.party", "duty.subject", "duty.tests"},
    "{kind}.unsigned": {f"{kind}.unsigned" for kind in RECORDS},
    "{kind}.signature": {f"{kind}.signature" for kind in RECORDS},
    "page.{status}": {"page.404", "page.405"},
    "agent.{code}": set(),  # any code of the agent, told by the host
}


def sources() -> Iterator[Path]:
    for room in ("host/troth", "boards/emulator", "agent"):
        yield from sorted((ROOT / room).rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def told_in(tree: ast.AST) -> Iterator[ast.expr]:
    """Every expression that stands where a code stands."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args):
                yield from args[:3] if name in TELLERS or name == "_show" else ()
            case ast.Assign(targets=[ast.Name(id="code")], value=value):
                yield value
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and key.value == "error":
                        yield value
            case ast.Constant(value=str(text)):
                yield from (ast.Constant(code) for code in IN_BRACKETS.findall(text))


def codes_in(tree: ast.AST) -> Iterator[str]:
    for place in told_in(tree):
        for node in ast.walk(place):
            match node:
                case ast.Constant(value=str(text)) if CODE.fullmatch(text):
                    yield text
                case ast.JoinedStr():
                    yield from ASSEMBLED.get(_template(node), ())


def _template(text: ast.JoinedStr) -> str:
    return "".join(
        str(part.value)
        if isinstance(part, ast.Constant)
        else f"{{{part.value.id if isinstance(part.value, ast.Name) else ''}}}"
        for part in text.values
        if isinstance(part, ast.Constant | ast.FormattedValue)
    )


@cache
def known_codes() -> set[str]:
    found = {"internal"}  # the one word without a dot: our own fault
    for path in sources():
        found.update(codes_in(tree_of(path)))
    found.update(re.findall(r"error\[([a-z.-]+)\]", (ROOT / "Makefile").read_text()))
    return found


def documented() -> dict[str, list[str]]:
    rows: dict[str, list[str]] = {}
    for code, rest in ROW.findall(PAGES["errors"]):
        rows[code] = [cell.strip() for cell in rest.split("|")]
    return rows


def test_every_code_that_exists_is_explained() -> None:
    assert sorted(known_codes() - documented().keys()) == []


def test_no_code_is_explained_that_is_gone() -> None:
    assert sorted(documented().keys() - known_codes()) == []


def test_every_code_that_is_put_together_has_its_template_in_the_table() -> None:
    built = {
        _template(node)
        for path in sources()
        for place in told_in(tree_of(path))
        for node in ast.walk(place)
        if isinstance(node, ast.JoinedStr) and re.fullmatch(r"[a-z{}]+\.[a-z{}-]+", _template(node))
    }
    assert built == ASSEMBLED.keys()


def test_every_code_says_meaning_cause_remedy_and_outcome() -> None:
    short = {code for code, cells in documented().items() if len(cells) != 4 or not all(cells)}
    assert not short


def test_the_exit_codes_are_those_of_the_command_line() -> None:
    said = {code: cells[-1] for code, cells in documented().items()}
    wrong = {
        code: outcome
        for code, outcome in said.items()
        if re.fullmatch(r"exit \d", outcome) and outcome != f"exit {exit_code(code)}"
    }
    assert not wrong


def commands(command: click.Command, ctx: click.Context, words: str) -> Iterator[str]:
    if not isinstance(command, click.Group):
        yield words
        return
    for name in command.list_commands(ctx):
        below = command.get_command(ctx, name)
        assert below is not None
        yield from commands(below, click.Context(below, parent=ctx), f"{words} {name}")


EMULATOR = ("run", "list", "fault", "stop", "faults", "image", "vm")


def test_every_command_is_in_the_pages() -> None:
    verbs = list(commands(troth, click.Context(troth), "troth"))
    verbs += [f"troth emu {verb}" for verb in EMULATOR]
    assert [words for words in verbs if words not in ALL] == []


def test_the_emulator_has_no_other_verbs() -> None:
    said = subprocess.run(
        [sys.executable, ROOT / "boards/emulator", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    verbs = re.findall(r"(?m)^    (\w+) ", said)
    assert tuple(verbs) == EMULATOR


def test_every_schema_in_the_pages_exists_and_every_schema_is_there() -> None:
    schema = re.compile(r"troth/[a-z-]+/\d")
    spoken = {
        name for path in sources() for name in schema.findall(path.read_text(encoding="utf-8"))
    }
    assert set(schema.findall(ALL)) == spoken


@pytest.mark.parametrize("name", sorted(pages.PAGES))
def test_the_pages_of_the_catalogue_are_as_it_would_write_them_today(name: str) -> None:
    assert PAGES[name] == pages.PAGES[name](), "run: python -m troth.catalogue.pages"


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", ALL)
    ours = {link for link in links if not link.startswith("https://")}
    assert {link for link in ours if not (DOCS / link).is_file()} == set()


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_keeps_to_the_markdown_that_the_server_speaks(name: str) -> None:
    text = re.sub(r"(?ms)^```.*?^```$", "", PAGES[name])
    assert not re.search(r"(?m)^( {2,}[-*] |> |<|!\[)", text), "no nesting, quotes, HTML, images"
    for table in re.findall(r"(?m)(?:^\|.*\n)+", text):
        assert len({line.count("|") for line in table.splitlines()}) == 1, table[:200]


def test_every_trouble_of_maker_and_tester_has_a_remedy() -> None:
    bare = [
        f"{path.name}:{call.lineno}"
        for path in sources()
        if path.parent.name in ("cli", "factory")
        for call in ast.walk(tree_of(path))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Trouble"
        if all(word.arg != "fix" for word in call.keywords)
    ]
    assert bare == []

"""The command line: one file per noun, loaded only when it is asked for."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from .. import __version__

_NOUNS = {
    "init": "make a home: troth.toml, policy.toml, dev CA and keys",
    "provision": "install the agent on a board, enrol its key, attest, and seal it",
    "release": "add, list, show and withdraw signed releases",
    "declaration": "what only the maker can say: write, sign, verify, add",
    "baseline": "approve the settings that a device or model runs",
    "attest": "challenge one board over its serial port",
    "serve": "run the verifier and its pages",
    "device": "list devices, show one, read its history",
    "check": "which duties are met, by whom, and who owes what is not",
    "forecast": "what the clock alone will change, when and why",
    "feed": "what is known of flaws, components and contacts, and how old that is",
    "incident": "exploited flaws and severe incidents, and when reports are due",
    "waiver": "let a duty rest for a while, in writing",
    "evidence": "show, compare and verify evidence",
    "duty": "the catalogue of duties",
    "report": "what the fleet shows of one regime, in a file for somebody else",
    "regime": "the acts and standards, what of each is answered, and the ways between",
    "doctor": "look for what keeps Troth from working here, and how to mend it",
    "board": "chips and their hardened builds: list, show, new, harden",
    "emu": "boards without hardware, faults on demand",
    "demo": "the whole story on emulated boards",
}


class _Nouns(click.Group):
    """Lists all nouns without importing one, so that help stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_NOUNS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _NOUNS:
            return None
        command: click.Command = import_module(f"{__name__}.{name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_NOUNS.items()))


@click.group(cls=_Nouns, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="troth")
@click.option("--home", type=click.Path(), envvar="TROTH_HOME", help="where troth.toml lives")
@click.option("--db", metavar="URL", help="another store, e.g. sqlite:///troth.db")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
@click.option("--debug", is_flag=True, help="show tracebacks")
@click.pass_context
def root(ctx: click.Context, home: str | None, db: str | None, as_json: bool, debug: bool) -> None:
    """Troth lets a device give its word and lets its owner check it against the law."""
    ctx.obj = {"home": home, "db": db, "json": as_json, "debug": debug}


def main() -> None:
    """Entry point of the `troth` command: the only place that turns trouble into exit codes."""
    from .output import run

    sys.exit(run(root))

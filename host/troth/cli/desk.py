"""What an operator's command reads from: one store, judged up to this second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..fleet.words import instant, iso
from ..trouble import Trouble

if TYPE_CHECKING:
    from ..core.keyring import KeyRing
    from ..core.reference import Policy
    from ..core.verdict import Catalogue
    from ..fleet.context import Context
    from ..store import Store

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Desk:
    store: Store
    context: Context
    policy: Policy
    now: int

    @property
    def catalogue(self) -> Catalogue:
        """Loaded on first use: type-checking every rule takes longer than most answers."""
        from ..catalogue import bundled

        return bundled(self.policy.packs)


def db_option(command: F) -> F:
    """`--db` after the verb as well as before it."""

    def remember(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
        if value:
            ctx.find_root().ensure_object(dict)["db"] = value

    return click.option(
        "--db", metavar="URL", expose_value=False, callback=remember, help="another store"
    )(command)


class Instant(click.ParamType[int]):
    """A moment in time, RFC 3339."""

    name = "rfc3339"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return instant(str(value))
        except Trouble as err:
            self.fail(f"{err.what}; {err.fix}", param, ctx)


def _past(_: click.Context, __: click.Parameter, value: int | None) -> int | None:
    """Trouble `usage.instant`: answers of today must not pass for those of tomorrow."""
    if value is not None and value > time.time():
        fix = "troth forecast tells what the clock will change"
        raise Trouble("usage.instant", f"{iso(value)} is still to come", fix=fix)
    return value


as_of_option = click.option(
    "--as-of",
    type=Instant(),
    callback=_past,
    metavar="RFC3339",
    help="what was true at that moment",
)


def check_regime(catalogue: Catalogue, regime: str | None) -> None:
    """Trouble `regime.unknown`."""
    known = [each.id for each in catalogue.regimes]
    if regime and regime not in known:
        raise Trouble(
            "regime.unknown",
            f"no regime {regime[:40]!r}",
            why=f"known: {', '.join(known)}",
            fix="--regime ID",
        )


_OTHERS = "troth serve goes by other rules or policy, until it is started again"


@contextmanager
def open_desk(*, turn: bool = True) -> Iterator[Desk]:
    """Open the store; with `turn` write first what the clock alone has turned."""
    # heavy rooms are loaded only once a command really runs
    from ..catalogue.loader import digest
    from ..fleet.clock import advance, is_due, judge_everyone, rules_of
    from ..fleet.context import Context
    from ..fleet.judging import Judge
    from ..store import Store

    url, policy = where()
    now = int(time.time())
    with Store.open(url) as store:
        context = Context(store, policy)
        context.refresh()
        desk = Desk(store, context, policy, now)
        rules = rules_of(digest(policy.packs), policy)
        judged = next(iter(store.judged()), None)
        others = judged is None or judged.rules != rules
        if turn and _is_ours() and others and store.last_head():
            judge = Judge(desk.catalogue)  # first: a pack may be refused
            if judged is not None:
                why = "other rules or policy than last time" if any(judged.rules) else _OTHERS
                click.echo(f"note: {why}: all judged again", err=True)
            judge_everyone(context, judge, rules, now=now)
        elif turn and is_due(context, now):
            advance(context, Judge(desk.catalogue), now=now)
        yield desk


def _is_ours() -> bool:
    """Is it the store of a home, and the policy that home's own? Others we only look at."""
    db = (click.get_current_context().find_root().obj or {}).get("db")
    return db is None or _home_of(db) is not None


def where() -> tuple[str, Policy]:
    """The store's URL and the policy: a home's, or the defaults where only `--db` is given."""
    from ..policyfile import read_policy
    from ..settings import find_home, load_settings

    obj = click.get_current_context().find_root().obj or {}
    db = obj.get("db")
    home = obj.get("home") or _home_of(db)
    try:
        settings = load_settings(home, db)
    except Trouble as err:
        if err.code != "home.missing" or not db:
            raise
        policy = find_home(home) / "policy.toml"
        if not policy.is_file():
            click.echo(f"note: no {policy}: judged by the default policy", err=True)
        return db, read_policy(policy)[0]
    return settings.db, settings.policy


def home_ring() -> KeyRing:
    """The fuse keys of the home that is named, or in whose store we look."""
    from ..factory.keys import open_ring
    from ..settings import MASTER, find_home

    obj = click.get_current_context().find_root().obj or {}
    return open_ring(find_home(obj.get("home") or _home_of(obj.get("db"))) / MASTER)


def certificates(until: int) -> tuple[tuple[str, int], ...]:
    """Those of the home that end by then, first to last: after the server's no board reports."""
    from ..factory.pki import ends
    from ..settings import find_home

    if not _is_ours():
        return ()
    obj = click.get_current_context().find_root().obj or {}
    folder = find_home(obj.get("home") or _home_of(obj.get("db"))) / "certs" / "dev"
    paths = [path for name in ("ca.pem", "server.pem") if (path := folder / name).is_file()]
    found = ((ends(path), path) for path in paths)
    return tuple((str(path), at) for at, path in sorted(found) if at <= until)


def _home_of(db: str | None) -> str | None:
    """The home that a store lies in: its policy is the one that the store was judged by."""
    folder, _, _ = (db or "").removeprefix("sqlite:///").rpartition("/")
    return folder if folder.startswith("/") and (Path(folder) / "troth.toml").is_file() else None

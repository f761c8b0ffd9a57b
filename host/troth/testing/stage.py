"""A stage: one home, one verifier, real boards on their ports, and a story played on them.

Good first: every board is provisioned, sealed if its build can be, and found compliant. Then the
faults. Everything runs through the commands that a maker, an operator or a tester would type.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from ..bundled import bundled
from ..core.verdict import State
from ..factory.home import make_home
from ..settings import Settings, load_settings
from ..store import Store
from ..trouble import Trouble
from .children import EMULATOR, TROTH, Child, emulator
from .expect import Expected, read_expectations
from .ledger import Standing, read_standing
from .maker import Maker
from .story import Cast, Product, Story

# a story is told in seconds: evidence ages fast, and boards report and restart often
_POLICY = """\
max_evidence_age_s = {age}
max_reconnects_per_h = 7200
max_boots_24h = 500
fix_grace_days = 30
challenge_ttl_s = 60
anchors = ["{anchor}"]
"""

_PATIENCE_S = 120  # for each board of a command of the line, on a busy machine

Say = Callable[[str], None]


class Stage:
    """Everything a story needs, made when entered and ended when left."""

    def __init__(
        self,
        story: Story,
        home: Path,
        *,
        pages: str = "127.0.0.1:0",
        age_s: int = 20,
        private: bool = True,
        say: Say,
    ) -> None:
        """`private` boards are not in this user's `troth emu list`, so stages do not meet."""
        self._story, self._home, self._pages, self._say = story, home, pages, say
        self._age_s = age_s
        self._env = {**os.environ, "XDG_RUNTIME_DIR": str(home)} if private else None
        self._children: list[Child] = []
        self._ports: dict[str, str] = {}
        self._expected = read_expectations()
        self.pages = ""  # where the pages are, once the verifier runs
        self.settings: Settings
        self.store: Store

    def __enter__(self) -> Stage:
        try:
            self._make_home()
            self._release()
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the boards, then the verifier, then let go of the store."""
        while self._children:
            self._children.pop().stop()
        if hasattr(self, "store"):
            self.store.close()

    # --- the play ---------------------------------------------------------------------------

    def play(self, timeout_s: float = 90) -> None:
        """Good first, then the faults; Trouble `demo.story` when one comes out otherwise."""
        self.open_line()
        self._must("good first", self.good_first(timeout_s), self._at_first)
        self._say("now the faults")
        self.spoil_all()
        self._must("the faults", self._settle(self.expected, timeout_s), self.expected)

    def open_line(self) -> None:
        """Provision every board, all of a product with one command."""
        self._say("provisioning through mpremote")
        with ThreadPoolExecutor(4) as hands:
            list(hands.map(self._provision, self._story.products))

    def good_first(self, timeout_s: float) -> list[Cast]:
        """Wait until every board is as it should be before its fault; who is not."""
        return self._settle(self._at_first, timeout_s)

    def spoil_all(self) -> None:
        """Let every fault come true."""
        with ThreadPoolExecutor(4) as hands:
            list(hands.map(self.spoil, self._story.boards))

    def wait_for_state(self, state: str, timeout_s: float, *, since: int = 0) -> bool:
        """Has every board reached this state within the time, by what it measured after `since`?

        The first report after it may have been measured before, so the second is what counts.
        """
        first = {cast.name: since for cast in self._story.boards}
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            standings = {cast.name: self.standing(cast) for cast in self._story.boards}
            for name, each in standings.items():
                if since and each and each.heard > since == first[name]:
                    first[name] = each.heard
            if all(
                each and each.state == state and _fresh(each, first[name])
                for name, each in standings.items()
            ):
                return True
            time.sleep(0.25)
        return False

    def _provision(self, product: Product) -> None:
        """What a maker's line does with the boards of a product."""
        boards = [cast.name for cast in self._story.boards if cast.model == product.model]
        words = ["--model", product.model, "--files", str(product.files), "--url", self.url]
        for name in boards:
            words += ["--port", self._ports[name], "--name", name]
        if product.product_class and product.market and product.placed:
            words += ["--class", product.product_class, "--market", product.market]
            words += ["--placed", product.placed.isoformat()]
        else:
            words.append("--own-use")
        if product.profile == "P2":
            words.append("--seal")
        self._troth("provision", *words, patience_s=_PATIENCE_S * len(boards))

    def spoil(self, cast: Cast) -> None:
        """Let the fault of one board come true, where it is not born with it."""
        if cast.fault is None or self._expected[cast.fault].when == "factory":
            return
        if self._expected[cast.fault].when == "statement":
            product = self._story.product(cast.model)
            if product.later:
                self._maker.release(product, product.later, cast.chip)
            return
        emulator("fault", cast.name, cast.fault, env=self._env)

    def standing(self, cast: Cast) -> Standing | None:
        """What the verifier says of one board now."""
        return read_standing(self.store, cast.name)

    def port(self, name: str) -> str:
        return self._ports[name]

    # --- the scene --------------------------------------------------------------------------

    def _make_home(self) -> None:
        made = make_home(self._home)
        policy = _POLICY.format(age=self._age_s, anchor=made.anchor)
        (self._home / "policy.toml").write_text(policy, encoding="utf-8")
        self.settings = load_settings(str(self._home))
        self.store = Store.open(self.settings.db, create=True)
        images = self._home / "images"
        images.mkdir(exist_ok=True)
        self._maker = Maker(self.settings, self.store, images)

    def _release(self) -> None:
        self._say("building images and signing releases")
        for product in self._story.products:
            self._maker.release_all(product)

    def _start(self) -> None:
        self._say("starting the verifier and the boards")
        serve = (*TROTH, "--home", str(self._home), "serve", "--json")
        verifier = Child((*serve, "--bind", "127.0.0.1:0", "--pages", self._pages), self._log())
        self._children.append(verifier)
        said = verifier.document()
        self.url, self.pages = said["attest"], said["pages"]
        scenario = self._home / "boards.toml"
        scenario.write_text(self._scenario(), encoding="utf-8")
        run = (*EMULATOR, "run", "--scenario", str(scenario), "--json")
        state = ("--state-dir", str(self._home / "boards"))
        boards = Child((*run, *state), self._log(), self._env)
        self._children.append(boards)
        self._ports = {row["name"]: row["port"] for row in boards.document()["boards"]}

    def _scenario(self) -> str:
        lines = []
        for cast in self._story.boards:
            product = self._story.product(cast.model)
            app = self._maker.image(product, product.releases[-1], cast.chip)
            said: dict[str, Any] = {
                "name": cast.name,
                "chip": cast.chip,
                "profile": product.profile,
                "app": str(app),
            }
            if cast.fault and self._expected[cast.fault].when == "factory":
                said["fault"] = cast.fault
            lines.append("[[board]]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in said.items()]
        return "\n".join(lines) + "\n"

    def _at_first(self, cast: Cast) -> Expected:
        """A board that is born with its fault shows it from the first report."""
        expected = self._expected[cast.fault]
        return expected if expected.when == "factory" else self._expected[None]

    def expected(self, cast: Cast) -> Expected:
        """What the emulator's table says of this board's fault."""
        return self._expected[cast.fault]

    def _settle(self, expected: Callable[[Cast], Expected], timeout_s: float) -> list[Cast]:
        """Wait until the verifier says of every board exactly what is expected; who is left."""
        end = time.monotonic() + timeout_s
        waiting = list(self._story.boards)
        while waiting and time.monotonic() < end:
            time.sleep(0.25)
            waiting = [c for c in waiting if not expected(c).holds(self.standing(c))]
        return waiting

    def _must(self, act: str, left: list[Cast], expected: Callable[[Cast], Expected]) -> None:
        if left:
            raise Trouble(
                "demo.story",
                f"{act}: not as told on {', '.join(cast.name for cast in left)}",
                why=" | ".join(self._why(cast, expected(cast)) for cast in left),
                fix=f"read {self._log()}",
            )

    def _why(self, cast: Cast, expected: Expected) -> str:
        standing = self.standing(cast)
        return f"{cast.name}: {expected.differs(standing) if standing else 'never reported'}"

    def _log(self) -> Path:
        return self._home / "stage.log"

    def _troth(self, *words: str, patience_s: int) -> None:
        argv = (*TROTH, "--home", str(self._home), *words)
        try:
            done = subprocess.run(
                argv, capture_output=True, text=True, check=False, timeout=patience_s
            )
        except subprocess.TimeoutExpired as err:
            raise Trouble(
                "demo.command",
                f"troth {words[0]} did not end within {patience_s} s",
                fix=f"read {self._log()}",
            ) from err
        with self._log().open("a", encoding="utf-8") as log:
            log.write(done.stderr)
        if done.returncode:
            raise Trouble(
                "demo.command",
                f"troth {words[0]} ended with {done.returncode}",
                why=done.stderr.strip()[-600:],
                fix=f"read {self._log()}",
            )


def _fresh(standing: Standing, since: int) -> bool:
    """A state from before the fault says nothing of it; silence is what `stale` is about."""
    return standing.heard > since or standing.state is State.STALE


DEMO = bundled("boards") / "emulator" / "demo" / "story.toml"

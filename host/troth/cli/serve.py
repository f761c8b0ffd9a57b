"""`troth serve`: the verifier and its pages, in one process, until it is told to stop."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import click

from ..trouble import Trouble
from .output import json_option, wants_json

if TYPE_CHECKING:
    from ..ingest.arithmetic import Here
    from ..ingest.http import Api
    from ..ingest.mqtt import Courier
    from ..ingest.pipeline import Pipeline
    from ..ingest.server import Listener
    from ..settings import Settings
    from ..store import Rules


@click.command("serve")
@click.option("--bind", metavar="HOST:PORT", help="where boards report, over HTTPS")
@click.option("--pages", metavar="HOST:PORT", help="where people look, over HTTP")
@click.option("--plain", is_flag=True, help="HTTP, behind a proxy on this machine that does TLS")
@click.option("--mqtt", metavar="URL", help="and through this broker: mqtts://HOST:PORT")
@click.option("--mqtt-ca", metavar="FILE", help="CA of the broker [default: this machine's]")
@click.option("--quiet", is_flag=True, help="no line per message")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    bind: str | None,
    pages: str | None,
    plain: bool,
    mqtt: str | None,
    mqtt_ca: str | None,
    quiet: bool,
) -> None:
    """Receive evidence, judge it, remember it, and show it. Ctrl-C stops."""
    from .. import catalogue
    from ..ingest.http import Api
    from ..ingest.server import run
    from ..ingest.talk import Talk
    from ..settings import load_settings
    from ..store import Store

    root = ctx.find_root().obj or {}
    settings = load_settings(root.get("home"), root.get("db"))
    with Store.open(settings.db) as store:
        duties = catalogue.bundled(settings.policy.packs)
        pipeline = _pipeline(settings, store, duties)
        talk = Talk(pipeline.context.name, quiet=quiet)
        api = Api(pipeline, talk, arithmetic=_arithmetic())
        courier = _courier(settings, api, mqtt, mqtt_ca)
        reports = _reports(settings, api, bind or settings.bind, plain)
        listeners = [reports, *_pages(pipeline, duties, settings, pages or settings.pages)]
        _settle_memory()
        _loop_runner()(
            run(
                listeners,
                ready=lambda: _tell(listeners),
                background=_Chores(pipeline),
                beside=courier.run if courier else None,
            )
        )


def _pipeline(settings: Settings, store: Any, duties: Any) -> Pipeline:
    from ..factory.keys import open_ring, read_private_key
    from ..ingest.pipeline import Pipeline
    from ..ingest.results import Results

    results = Results(read_private_key(settings.ear_key))
    read_private_key(settings.server_key)  # the TLS library asks not who else may read it
    return Pipeline(
        store,
        duties,
        settings.policy,
        results,
        ttl_s=settings.challenge_ttl_s,
        epoch_s=settings.epoch_s,
        ring=open_ring(settings.hmac_master),
    )


def _courier(settings: Settings, api: Api, url: str | None, ca: str | None) -> Courier | None:
    """Who serves the boards behind a broker, if there is one. Raises Trouble `mqtt.*`."""
    asked = replace(settings.mqtt, url=url or settings.mqtt.url, ca=ca or settings.mqtt.ca)
    if not asked.url:
        return None
    from ..ingest.broker import find_broker
    from ..ingest.mqtt import Courier

    courier = Courier(find_broker(asked), api.carrier)
    api.others["mqtt"] = lambda: courier.state
    return courier


def _arithmetic() -> type[Here]:
    """Where signatures are checked and made: beside the event loop's core, if there is another."""
    from ..ingest.arithmetic import Beside, Here

    return Beside if (os.cpu_count() or 1) > 1 else Here


def _reports(settings: Settings, api: Any, bind: str, plain: bool) -> Listener:
    """Where boards report. Plain HTTP must not leave this machine: Trouble `config.plain`."""
    from ..ingest.server import Listener, listen

    sock = listen(bind)
    if not plain:
        return Listener(api, sock, settings.server_cert, settings.server_key)
    if not ip_address(sock.getsockname()[0]).is_loopback:
        sock.close()
        raise Trouble(
            "config.plain",
            f"--plain serves this machine alone, and {bind} does not",
            fix="troth serve --plain --bind 127.0.0.1:8081, and a proxy with TLS before it",
        )
    return Listener(api, sock)


def _pages(pipeline: Pipeline, duties: Any, settings: Settings, bind: str) -> list[Listener]:
    from ..ingest.server import Listener, listen
    from ..web.app import pages

    sock = listen(bind)
    if not ip_address(sock.getsockname()[0]).is_loopback:
        print(
            f"note: whoever reaches {bind} reads the pages: nobody is asked who he is",
            file=sys.stderr,
        )
    return [Listener(pages(pipeline.store, duties, settings.policy), sock)]


def _tell(listeners: list[Listener]) -> None:
    """One line on stdout when both listen: who started us waits for it."""
    attest = listeners[0].url
    pages = listeners[1].url
    if wants_json():
        print(json.dumps({"schema": "troth/serve/1", "attest": attest, "pages": pages}))
    else:
        print(f"boards report to {attest}, people look at {pages}")
    sys.stdout.flush()


class _Chores:
    """What time asks for, once a second: turned answers, changed references, old challenges."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._rules = _rules(pipeline)
        # what changed while nobody served: judge everyone
        judged = next(iter(pipeline.store.judged()), None)
        ours = judged is not None and judged.rules == self._rules
        self._generation = judged.generation if judged and ours else -1
        self._pruned = 0

    def __call__(self) -> None:
        from ..fleet import clock
        from ..store import StoreUnavailable

        now = self._pipeline.clock()
        try:
            generation = self._pipeline.store.generation()
            context, judge = self._pipeline.context, self._pipeline.judge
            if generation != self._generation:
                clock.judge_everyone(context, judge, self._rules, now=now)
            else:
                clock.advance(context, judge, now=now)
                self._note_other_rules(generation, now)
            self._generation = generation
            if now - self._pruned >= 60:
                self._pipeline.store.prune_challenges(now - 600)
                self._pruned = now
        except StoreUnavailable as err:
            print(f"error[{err.code}] {err}", file=sys.stderr)

    def _note_other_rules(self, generation: int, now: int) -> None:
        """A command judged by a newer policy.toml, we go on by ours: no rules are everybody's."""
        from ..store import Rules

        judged = next(iter(self._pipeline.store.judged()), None)
        if judged is not None and any(judged.rules) and judged.rules != self._rules:
            self._pipeline.store.remember_judged(Rules(), generation, at=now)


def _rules(pipeline: Pipeline) -> Rules:
    from ..fleet.clock import rules_of

    return rules_of(pipeline.judge.catalogue.digest, pipeline.context.policy)


def _settle_memory() -> None:
    """What is loaded by now stays; reports come and go without being searched for cycles."""
    import gc

    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _loop_runner() -> Any:
    import asyncio

    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run

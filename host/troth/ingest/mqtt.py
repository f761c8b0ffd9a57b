"""Boards behind an MQTT 3.1.1 broker: the verifier is one more client of it (topics: wire.md).

The broker is a road, never the record. Evidence is acknowledged to it when its outcome is on disk,
so what a crash interrupts is delivered again; and a board frees it on our receipt alone. A broker
that is away says nothing of any device: it is tried again for ever, HTTPS goes on beside it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
import sys
from hashlib import sha256

import aiomqtt
from aiomqtt.exceptions import MqttConnectError

from ..store import StoreUnavailable
from ..trouble import Trouble
from .bounds import Bounds
from .broker import Broker, Client
from .carrier import Carrier
from .desk import Busy
from .ending import end
from .outcomes import NotTaken
from .receipts import read_digests
from .replies import Problem

EPOCH = "troth/v1/epoch"
# a question that nobody heard is asked again; evidence waits with the broker
WANTED = (("troth/v1/d/+/ask", 0), ("troth/v1/d/+/evidence", 1))
_TOPIC = re.compile(r"troth/v1/d/((?:[0-9a-f]{2}){7,33})/(ask|evidence)")
_HANDS = 64  # messages in work at once: two of the desk's handfuls
_LONGEST_S = 60.0
_PER_S, _BURST = 10.0, 100.0  # messages of one board: four a report, and a full spool at once
_AWAY = """\
error[mqtt.away] broker {}: {}
  fix:  start the broker; it is tried again until it is back"""
_REFUSED = """\
error[mqtt.refused] broker {}: {}
  fix:  compare user, password and access list of the broker with the operator's page"""
_UNTRUSTED = """\
error[mqtt.untrusted] broker {}: {}
  fix:  --mqtt-ca FILE, the CA that signed the broker's certificate"""
_DENIED = "the verifier may not read the boards' topics"
_OUR_FAULT = (Busy, StoreUnavailable, Trouble)

log = logging.getLogger("troth.ingest")


class Courier:
    """Between one broker and the desk, for as long as the server runs."""

    def __init__(self, broker: Broker, carrier: Carrier) -> None:
        self._broker = broker
        self._carrier = carrier
        self._bounds = Bounds(per_s=_PER_S, burst=_BURST)
        self._said = ""
        self._waits = False
        self.state = "away"  # or connected

    async def run(self) -> None:
        """Until it is cancelled. Raises nothing else: what goes wrong here goes wrong alone."""
        failures = 0
        while True:
            try:
                async with self._broker.client() as client:
                    await _subscribe(client)
                    self.state, failures = "connected", 0
                    self._tell(f"broker {self._broker}: connected")
                    await self._serve(client)
            except (aiomqtt.MqttError, OSError) as err:
                self._tell(_why(err, self._broker))
            except Exception:
                log.exception("internal fault")
            self.state = "away"
            task = asyncio.current_task()
            if task and task.cancelling():  # a farewell that failed has taken its place
                raise asyncio.CancelledError
            failures += 1
            longest = min(_LONGEST_S, 2.0**failures)
            await asyncio.sleep(random.uniform(0.5, longest))  # noqa: S311  (no secret)

    async def _serve(self, client: Client) -> None:
        """Until the first of them fails. CPython 3.11's TaskGroup may lose a cancellation."""
        work = [self._publish_epochs(client), *(self._work(client) for _ in range(_HANDS))]
        tasks = [asyncio.create_task(each) for each in work]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            done.pop().result()
        finally:
            await end(tasks)

    async def _publish_epochs(self, client: Client) -> None:
        """Retained, so that a board that wakes finds the handle of now."""
        published = b""
        while True:
            try:
                handle = await self._carrier.epoch()
                if handle != published:
                    await client.publish(EPOCH, handle, qos=1, retain=True)
                    published = handle
            except _OUR_FAULT as err:
                self._tell_wait(err)
            await asyncio.sleep(1)

    async def _work(self, client: Client) -> None:
        async for message in client.messages:
            found = _TOPIC.fullmatch(message.topic.value)
            # what was left with the broker for all who come is somebody's replay
            if found and not message.retain and self._bounds.admit(found[1]):
                await self._take(client, found[1], found[2], bytes(message.payload))
            client.done_with(message)

    async def _take(self, client: Client, ueid: str, what: str, said: bytes) -> None:
        """One message, to its end. What it brings down is nobody else's."""
        try:
            if what == "evidence":
                answer = await self._carry(ueid, said)
            elif said:
                what, answer = "receipt", await self._carrier.receipt(ueid, read_digests(said))
            else:
                what, answer = "challenge", await self._carrier.ask(ueid)
        except (*_OUR_FAULT, NotTaken, Problem):
            return  # who asked hears nothing, and asks again
        except Exception:
            log.exception("internal fault")
            return
        topic = "answer" if what == "evidence" else what
        await client.publish(f"troth/v1/d/{ueid}/{topic}", answer)

    async def _carry(self, ueid: str, evidence: bytes) -> bytes:
        """Evidence waits while the store is away, and with it what the broker has behind it."""
        while True:
            try:
                carried = await self._carrier.carry(evidence, ueid=ueid)
                self._waits = False
                return sha256(evidence).digest() + carried.message
            except _OUR_FAULT as err:
                self._tell_wait(err)
                await asyncio.sleep(1)

    def _tell_wait(self, err: Exception) -> None:
        """Our own fault: once, until evidence is taken in again."""
        if not self._waits:
            self._waits = True
            code = getattr(err, "code", "server.internal")
            print(f"error[{code}] {err}: what boards send waits", file=sys.stderr)

    def _tell(self, text: str) -> None:
        """Once, not at every try."""
        if text != self._said:
            self._said = text
            print(text, file=sys.stderr)


async def _subscribe(client: Client) -> None:
    granted = await client.subscribe(list(WANTED))
    if any(getattr(code, "is_failure", False) for code in granted):
        raise aiomqtt.MqttError(_DENIED)


def _why(err: Exception, broker: Broker) -> str:
    """What an operator can do about it."""
    said = str(err)
    if "CERTIFICATE_VERIFY_FAILED" in said:
        told = _UNTRUSTED
    elif isinstance(err, MqttConnectError) or said == _DENIED:
        told = _REFUSED
    else:
        told = _AWAY
    return told.format(broker, said)

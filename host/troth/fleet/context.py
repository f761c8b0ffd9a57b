"""From rows to facts: all that the rules may ask about one device, gathered and remembered.

What seldom changes (registry, releases, sets) is kept until the store's generation moves; what
the verifier saw itself is a running account, dropped when another process wrote reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import RLock
from time import monotonic

from ..core.claims import ClaimsSet, Token, read_claims_set
from ..core.device import Lifecycle, Observed, Provisioning, Registration
from ..core.duties import LIVE_V, Facts
from ..core.freshness import Freshness, Handle
from ..core.keyring import KeyRing, mac_key_id
from ..core.reference import Policy
from ..core.trust import KnownKey, MacKey, SignKey
from ..formats import eat
from ..store import Count, DeviceRow, KeyRow, Store, Subjects
from ..trouble import Trouble
from ..tuples import new
from .history import History, shown
from .yardstick import Yardsticks

NOTICE_S = 0.1
_GONE = (Lifecycle.REVOKED, Lifecycle.RETIRED)


@dataclass(frozen=True, slots=True)
class Signer:
    """A key as the walk needs it, and the unit that it speaks for."""

    key: KnownKey
    epoch: int
    unit: Registration
    retired: int | None = None  # when another key took its place in good order

    @property
    def then(self) -> KnownKey:
        """Its key as it was before another took its place in good order."""
        return self.key if self.retired is None else replace(self.key, revoked=False)

    def before(self, instant: int) -> bool:
        """Had no other key taken its place by then?"""
        return self.retired is None or instant < self.retired


class Context:
    """Facts for any device of one store. Safe to use from several threads."""

    def __init__(self, store: Store, policy: Policy, ring: KeyRing | None = None) -> None:
        self.store = store
        self.policy = policy
        self._ring = ring or KeyRing(_no_master)
        self._lock = RLock()
        self._stamp = (-1, -1)
        self._local = (-1, -1)
        self._looked = 0.0
        self._signers: dict[bytes, Signer | None] = {}
        self._turning: dict[bytes, bytes] | None = None
        self._units: dict[str, Registration | None] = {}
        self._names: dict[str, str] = {}
        self._histories: dict[tuple[str, int], History] = {}
        self._yardsticks = Yardsticks(store, policy)
        self._sets: dict[bytes, ClaimsSet] = {}  # a set never changes: never dropped

    @property
    def generation(self) -> int:
        """The store's generation that everything here was read under."""
        return self._stamp[0]

    def refresh(self) -> int:
        """Forget what the store no longer says; returns its generation.

        Another process's change is noticed within `NOTICE_S`, this one's own at once.
        """
        local = (self.store.changes, self.store.foreign_writes)
        if local == self._local and monotonic() < max(self._looked, self.store.looked) + NOTICE_S:
            return self._stamp[0]
        return self._look(local)

    def _look(self, local: tuple[int, int]) -> int:
        self._local, self._looked = local, monotonic()
        stamp = (self.store.generation(), self.store.foreign_writes)
        with self._lock:
            if stamp[0] != self._stamp[0]:
                self._signers.clear()
                self._turning = None
                self._units.clear()
                self._names.clear()
                self._yardsticks.forget()
            if stamp[1] != self._stamp[1]:
                self._histories.clear()
            self._stamp = stamp
        return stamp[0]

    def signer(self, kid: bytes) -> Signer | None:
        """Who a key id is, revoked or not; None: nobody."""
        known = self._signers.get(kid)
        if known is not None:
            return known
        with self._lock:
            self._look(self._local)  # perhaps enrolled a moment ago
            if kid not in self._signers:
                if len(self._signers) > 100_000:  # strangers' key ids are no reason to grow
                    self._signers.clear()
                self._signers[kid] = self._load_signer(kid)
            return self._signers[kid]

    @property
    def turning(self) -> dict[bytes, bytes]:
        """The ids of the keys that are to be replaced, by ueid; most of the time there is none.

        Old news does no harm: a board that has another key by now passes it by.
        """
        if self._turning is None:
            with self._lock:
                rows = self.store.rotations().values()
                self._turning = {bytes.fromhex(row.ueid): row.kid for row in rows}
        return self._turning

    def unit(self, device: str) -> Registration | None:
        """A device as the registry has it."""
        with self._lock:
            if device not in self._units:
                row = self.store.device(device)
                self._units[device] = None if row is None else self._met(row)
            return self._units[device]

    def meet_all(self) -> None:
        """Read every registration in three questions, where most will be asked for."""
        with self._lock:
            rows = [row for row in self.store.devices() if row.id not in self._units]
            if not rows:
                return
            keys, lines = self.store.every_key(), self.store.every_provisioning()
            for row in rows:
                every = keys.get(row.id, [])
                # the tables allow one device for each ueid and each key
                owners = (1, 1 if every else 0)
                self._units[row.id] = self._registration(row, every, lines.get(row.id), owners)

    def name(self, device: str) -> str:
        """What people call a device."""
        with self._lock:
            if device not in self._names:
                row = self.store.device(device)
                self._names[device] = row.name if row else device
            return self._names[device]

    def claims_set(self, digest: bytes) -> ClaimsSet | None:
        """A claims-set that is known by its digest."""
        known = self._sets.get(digest)
        if known is None:
            row = self.store.set_raw(digest)
            if row is None:
                return None
            known = self.remember(read_claims_set(row.raw, digest))
        return known

    def remember(self, claims_set: ClaimsSet) -> ClaimsSet:
        """Keep a set that was read; one object per digest, so that equal is identical."""
        if self._sets.get(claims_set.digest) is claims_set:
            return claims_set
        with self._lock:
            if len(self._sets) > 10_000:
                self._sets.clear()
            return self._sets.setdefault(claims_set.digest, claims_set)

    def history(self, device: str, epoch: int) -> History:
        """The running account of one device under one key."""
        with self._lock:
            found = self._histories.get((device, epoch))
            if found is None:
                found = self._histories[device, epoch] = self._load_history(device, epoch)
            return found

    def facts(
        self,
        unit: Registration,
        epoch: int,
        token: Token,
        claims_set: ClaimsSet,
        *,
        now: int,
        given: int | None = None,
        late: bool = False,
    ) -> Facts:
        """The facts under which a report is judged, as if it were taken in already.

        It was given between `given` and now; None: just now.
        """
        given = now if given is None else given
        with self._lock:
            history = self._histories.get((unit.device, epoch)) or self.history(unit.device, epoch)
            counted = (
                given,
                _skew(token.issued_at, given, now),
                *(history.weigh_late(token) if late else history.weigh(token)),
                history.reports_per_h(now) + 1,
                history.boots_24h(now, token.boot_count),
            )
            return self._facts(unit, claims_set, history, counted, now, late)

    def count(self, facts: Facts, epoch: int, claims_set: ClaimsSet) -> Count:
        """What was counted of a unit by the report that these facts are of."""
        seen, names = facts.v, shown(claims_set)
        history = self._histories.get((facts.u.device, epoch))
        before = seen.shown_before
        told = (
            *seen[:LIVE_V],  # as both begin
            not seen.fuse_regressions and (before is names or before <= names),
            history.taken if history is not None else -1,
            self._stamp[1],
        )
        return new(Count, told)

    def standing_facts(self, device: str, *, now: int) -> Facts | None:
        """The facts by which a device's last report stands now; None: it never reported."""
        unit = self.unit(device)
        row = self.store.latest_evidence(device)
        if unit is None or row is None:
            return None
        claims_set = self.claims_set(row.set_digest)
        if claims_set is None:  # the schema does not allow it; a hand on the database might
            return None
        with self._lock:
            history = self.history(device, row.epoch)
            counted = (
                row.given,
                _skew(row.issued_at, row.given, row.received),
                history.forks,
                history.regressions,
                history.reports_per_h(now),
                history.boots_24h(now),
            )
            return self._facts(unit, claims_set, history, counted, now)

    def overtaken(self, device: str, epoch: int, token: Token, handle: Handle) -> bool:
        """Is something newer on record than this answer to a handle?"""
        with self._lock:
            return self.history(device, epoch).is_overtaken(token, handle)

    def take(
        self,
        device: str,
        epoch: int,
        token: Token,
        claims_set: ClaimsSet,
        at: int,
        late: bool = False,
        row: int | None = None,
    ) -> None:
        """Count a report that the store now holds; who is not remembered is read with it later.

        Or was already, between its commit and now: counted twice, it would look like a copy.
        """
        with self._lock:
            history = self._histories.get((device, epoch))
            if history is None or (row is not None and row <= history.read):
                return
            history.take(token, at, late=late)
            if history.reported is not claims_set:
                history.report(claims_set)

    def subjects(self, facts: Facts) -> Subjects:
        """Under whom the answers that are the same for many units are kept."""
        release = facts.r.release
        image = facts.d.app_digest or "unsaid"
        model = facts.u.model or facts.d.hwmodel or "unsaid"
        # a maker is known by where he takes reports; who states nothing answers for one model,
        # or a silent bench board would speak for the makers of all others
        maker = facts.m.vdp_url or f"maker of {model}"
        if facts.m.versions:  # what is declared of these versions is no answer for the others
            model = f"{model} {facts.m.versions}"
        return Subjects(release=release.id if release else f"app:{image}", model=model, maker=maker)

    def _facts(
        self,
        unit: Registration,
        claims_set: ClaimsSet,
        history: History,
        counted: tuple[int, int | None, int, int, int, int],  # as `Observed` begins
        now: int,
        late: bool = False,
    ) -> Facts:
        standing = history.standing
        if standing is None or not standing.holds(unit, claims_set, now):
            standing = history.standing = self._yardsticks.of(unit, claims_set, now)
        fuses = standing.fuse_regressions
        shown, unburned = history.before(claims_set)
        if unburned and not late:  # then it may not have been burned
            fuses = max(fuses or 0, unburned)
        observed = (
            *counted,
            True,  # ueid bound to key: the walk refuses a token whose ueid is not its signer's
            unit.key_alg,  # a key signs with one algorithm alone
            fuses,
            standing.newer_since,
            standing.support_end,
            shown,
        )
        return new(Facts, (new(Observed, observed), now, *standing.steady))

    def _load_signer(self, kid: bytes) -> Signer | None:
        row = self.store.key(kid)
        unit = None if row is None else self.unit(row.device)
        if row is None or unit is None:
            return None
        gone = unit.lifecycle is Lifecycle.REVOKED
        revoked = row.revoked is not None or gone
        retired = row.revoked if row.retired and not gone else None
        return Signer(_known_key(row, revoked, self._ring), row.epoch, unit, retired)

    def _met(self, row: DeviceRow) -> Registration:
        store = self.store
        line = store.provisioning(row.id)
        return self._registration(row, store.keys(row.id), line, store.owners(row.id))

    def _registration(
        self,
        row: DeviceRow,
        every: Sequence[KeyRow],
        line: Provisioning | None,
        owners: tuple[int, int],
    ) -> Registration:
        keys = [key for key in every if key.revoked is None]
        return Registration(
            device=row.id,
            ueid=row.ueid,
            model=row.model,
            chip=row.chip,
            enrolled=row.lifecycle is not Lifecycle.PREREGISTERED,
            decommissioned=row.lifecycle in _GONE,
            ueid_owners=owners[0],
            key_owners=owners[1],
            key_origin=keys[-1].origin if keys else "nvs",
            key_alg=eat.ALGORITHMS[every[-1].algorithm if every else eat.ES256],
            market=row.market,
            product_class=row.product_class,
            own_use=row.own_use,
            monitoring_optout=row.monitoring_optout,
            placed_on_market=row.placed_on_market,
            modified=row.modified,
            lifecycle=row.lifecycle,
            provisioning=line,
            traits=self._yardsticks.traits(row.model),
            site=row.site,
            tags=row.tags,
            created=row.created,
        )

    def _load_history(self, device: str, epoch: int) -> History:
        history, ours = History(), set()
        for token, at, freshness, number in self.store.tokens(device, epoch):
            history.take(token, at, late=freshness is Freshness.LATE)
            history.read = number
            ours.add(token.set_digest)
        for row in self.store.sets_of(device):
            claims_set = self.claims_set(row.digest)
            if claims_set is not None:
                # under another key it may have been another chip
                history.show(claims_set, burned=row.digest in ours)
        return history


def _skew(said: int | None, given: int, now: int) -> int | None:
    """How far a device's clock is off, when it said this between `given` and now."""
    return None if said is None else said - min(max(said, given), now)


def _known_key(row: KeyRow, revoked: bool, ring: KeyRing) -> KnownKey:
    ueid = bytes.fromhex(row.ueid)
    if row.public_key is None:
        return MacKey(row.kid, row.device, ueid, _secret(row, ueid, ring), revoked)
    return SignKey(row.kid, row.device, ueid, row.public_key, revoked)


def _secret(row: KeyRow, ueid: bytes, ring: KeyRing) -> bytes:
    """A board's MAC key. Raises Trouble: with another master, no board is to blame."""
    secret = ring.secret(ueid[1:])
    if mac_key_id(secret) != row.kid:
        raise Trouble(
            "key.mismatch",
            "hmac-master.key is not the one under which this board was enrolled",
            why=f"key {row.kid.hex()} of {row.device} cannot be derived from it",
            fix="bring the certs/dev/hmac-master.key of that time back",
        )
    return secret


def _no_master() -> bytes:
    raise Trouble(
        "key.missing",
        "a board's fuse key is needed, and no home was named that holds its master",
        fix="--home DIR",
    )

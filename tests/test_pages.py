"""The pages over a real store: what they show, what they carry, and what they never let through."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient

from forge import digest_of
from standing import NOW, Standing, demo_fleet, release
from troth.fleet.words import iso
from troth.store import FeedRow
from troth.web.app import pages
from troth.web.text import to_html


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Standing:
    return demo_fleet(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module")
def client(fleet: Standing) -> TestClient:
    return open_pages(fleet)


def open_pages(fleet: Standing, now: int = NOW) -> TestClient:
    app = pages(fleet.store, fleet.catalogue, fleet.policy, clock=lambda: now)
    return TestClient(app, raise_server_exceptions=False)


ADDRESSES = [
    "/",
    "/?regime=uk-psti",
    "/?as_of=2026-11-23T05:00",
    "/devices",
    "/devices?duty=boot.files-known&model=therm-v2",
    "/devices/therm-03",
    "/devices/therm-08",
    "/devices/bench-01",
    "/devices/gate-01?as_of=2026-11-23T05:00:00Z",
    "/evidence/14",
    "/evidence/14?against=previous",
    "/duties",
    "/duties?as_of=2026-11-23T05:00",
    "/duties/surface.no-webrepl",
    "/duties/support.not-shortened?as_of=2026-11-23T08:00:00Z",
    "/feeds",
    "/feeds?as_of=2026-11-23T05:00",
    "/docs",
    "/nowhere",
    "/devices/nobody",
    "/evidence/999",
    "/?as_of=yesterday",
]


class _Outline(HTMLParser):
    """What a page holds, tag by tag."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def outline(text: str) -> _Outline:
    parsed = _Outline()
    parsed.feed(text)
    return parsed


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_page_is_safe_and_accessible_in_its_bones(client: TestClient, address: str) -> None:
    answer = client.get(address)
    page = outline(answer.text)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy  # none at all, by default-src
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert not page.all("script")
    assert not [attrs for _, attrs in page.tags if any(name.startswith("on") for name in attrs)]
    assert not [attrs for _, attrs in page.tags if "style" in attrs]  # the policy would drop it
    assert page.all("html")[0]["lang"] == "en"
    assert [len(page.all(tag)) for tag in ("h1", "main", "header", "footer")] == [1, 1, 1, 1]
    assert all("alt" in image for image in page.all("img"))
    assert len(page.all("table")) == len(page.all("caption"))
    assert all("scope" in head for head in page.all("th"))


@pytest.mark.parametrize("address", ADDRESSES)
def test_ids_are_unique_and_every_field_has_its_label(client: TestClient, address: str) -> None:
    page = outline(client.get(address).text)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    labels = {label.get("for") for label in page.all("label")}
    fields = [f for f in page.all("input") + page.all("select") if f.get("type") != "hidden"]
    assert {field["id"] for field in fields} <= labels


def test_no_link_leads_nowhere(client: TestClient) -> None:
    wanted, seen = {"/", "/?regime=uk-psti", "/docs", "/nowhere"}, set()
    while wanted:
        address = wanted.pop()
        seen.add(address)
        answer = client.get(address)
        assert answer.status_code == 200 or address == "/nowhere", address
        if "text/html" in answer.headers["content-type"]:
            links = {link["href"].partition("#")[0] for link in outline(answer.text).all("a")}
            assert not [href for href in links if href and not href.startswith("/")]
            wanted |= links - seen - {""}
    assert {"/devices/d02", "/evidence/14", "/evidence/14.cbor"} <= seen


@pytest.mark.parametrize(
    ("address", "status", "code"),
    [
        ("/nowhere", 404, "page.404"),
        ("/devices/nobody", 404, "device.unknown"),
        ("/duties/none", 404, "duty.unknown"),
        ("/evidence/999", 404, "evidence.unknown"),
        ("/evidence/999.cbor", 404, "evidence.unknown"),
        ("/docs/..%2f..%2fsettings", 404, "page."),
        ("/?regime=none", 404, "regime.unknown"),
        ("/?as_of=yesterday", 400, "usage.instant"),
        ("/?as_of=2030-01-01", 400, "still to come"),
    ],
)
def test_what_cannot_be_shown_says_so_under_its_code(
    client: TestClient, address: str, status: int, code: str
) -> None:
    answer = client.get(address)
    assert answer.status_code == status
    assert code in answer.text
    assert "Traceback" not in answer.text


def test_nothing_can_be_posted(client: TestClient) -> None:
    assert client.post("/").status_code == 405


def test_from_a_failing_cell_to_the_differing_claim_in_three_clicks(client: TestClient) -> None:
    today = client.get("/").text
    cell = re.search(
        r'class="hit[^"]*" href="([^"]*duty=surface.no-webrepl[^"]*therm-v2[^"]*)"', today
    )
    assert cell
    devices = client.get(cell[1].replace("&amp;", "&")).text
    device = re.search(r'<th scope="row"><a href="(/devices/[^"]+)"', devices)
    assert device
    assert "#surface.no-webrepl" in device[1]
    proofs = client.get(device[1]).text
    article = proofs[proofs.index('id="surface.no-webrepl"') :]
    evidence = re.search(r'href="(/evidence/\d+)"', article)
    assert evidence
    assert "d.webrepl_on" in client.get(evidence[1]).text


def test_a_device_page_says_why_since_when_on_whose_account_and_what_to_do(
    client: TestClient,
) -> None:
    page = client.get("/devices/therm-03").text
    for words in (
        "non-compliant",
        "The operator owes 3 duties",
        "differs from the signed release 1.4.0",
        "RED GEC-2",
        "from 2027-12-11",
        "Stop WebREPL",
        "2026-11-23 07:45Z",
    ):
        assert words in page
    assert "if sold" in client.get("/devices/bench-01").text
    assert "id.mismatch" in client.get("/devices/therm-07").text
    assert "self-asserted" in client.get("/devices/bench-02").text


def test_a_device_page_tells_each_duty_from_when_to_when_and_by_which_report(
    client: TestClient,
) -> None:
    def told(address: str) -> str:
        page = client.get(address).text
        course = page[page.index('id="course"') : page.index('id="unit"')]
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", course))

    today = told("/devices/therm-03")
    assert "5 duties that answered otherwise before" in today
    webrepl = today[today.index("surface.no-webrepl") :]
    assert re.search(r"not-met 2026-11-23 07:45Z now WebREPL listens[^#]+#14", webrepl)
    assert re.search(r" met 2026-11-23 04:00Z 2026-11-23 07:45Z no WebREPL[^#]+#2", webrepl)
    before = told("/devices/therm-03?as_of=2026-11-23T05:00")
    assert "No duty ever answered otherwise" in before
    assert re.search(r" met 2026-11-23 04:00Z now no WebREPL", before)
    assert "of the release" in before


def test_a_duty_page_says_since_when_each_unit_fails_it_and_what_was_so_before(
    client: TestClient,
) -> None:
    def fleet_part(address: str) -> str:
        text = client.get(address).text
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text[text.index('id="fleet"') :]))

    own = fleet_part("/duties/surface.no-webrepl")
    assert "2 of 12 bound units fail" in own
    assert "therm-03 ✘ non-compliant failing since 2026-11-23 07:45Z" in own
    shared = fleet_part("/duties/support.not-shortened")
    assert re.search(r"gate-01 ✘ non-compliant failing since 2026-11-23 0\d:\d\dZ", shared)
    before = fleet_part("/duties/surface.no-webrepl?as_of=2026-11-23T05:00")
    assert "and none fails" in before


def test_silence_turns_stale_by_the_clock_alone(tmp_path) -> None:
    fleet = Standing(tmp_path)
    fleet.add_release(release("bench", "esp32", "0.1.0", days_ago=10))
    fleet.enrol("bench-01", "bench", "esp32", "0.1.0")
    fleet.report("bench-01", at=NOW - 60)
    assert "compliant</span>" in open_pages(fleet).get("/devices/bench-01").text
    later = open_pages(fleet, now=NOW + fleet.policy.max_evidence_age).get("/devices/bench-01").text
    assert "stale</span>" in later
    assert "Silent" in later


def test_a_new_statement_changes_the_page_without_a_report(tmp_path) -> None:
    fleet = Standing(tmp_path)
    made = release("gate-v1", "esp32", "1.0.0", days_ago=90)
    fleet.add_release(made)
    fleet.enrol("gate-01", "gate-v1", "esp32", "1.0.0", market="uk")
    fleet.report("gate-01", at=NOW - 60)
    client = open_pages(fleet)
    assert "1 of 1 device meets its duties" in client.get("/").text
    from dataclasses import replace

    shorter = replace(made.statement, support_end=made.statement.support_end - 86_400 * 365)
    fleet.store.add_statement("gate-v1", shorter, b"{}", at=NOW - 30)
    assert "support.not-shortened" in client.get("/devices/gate-01").text.split("All duties")[0]


def test_a_feed_that_is_too_old_is_told_with_what_nobody_can_answer_for_it(tmp_path) -> None:
    fleet = Standing(tmp_path)
    fleet.add_release(release("therm-v2", "esp32c3", "1.4.0", days_ago=45))
    fleet.enrol("therm-01", "therm-v2", "esp32c3", "1.4.0")
    listed = json.dumps({"made": NOW, "subject": "", "components": [], "missing": []}).encode()
    of = fleet.store.releases()[0].release.id
    sound = "hashes hold for 1 of 1 document"
    fleet.store.add_feed(FeedRow(0, "sbom", "", of, NOW, 0, "5b", NOW - 99, "ann", sound), listed)
    fleet.report("therm-01", at=NOW - 60)
    old = FeedRow(0, "osv", "osv", "", NOW - 20 * 86_400, 0, "0a", NOW - 30, "ann")
    fleet.store.add_feed(old, b"[]")
    client = open_pages(fleet)
    feeds = client.get("/feeds").text
    for words in ("2 feeds held, 1 too old", "1.4.0 of therm-v2", sound, "vuln.none-exploitable"):
        assert words in feeds
    gaps = feeds[feeds.index('id="gaps"') :]
    assert "the vulnerability feed is of 2026-11-03" in gaps.lower()
    assert "troth feed add osv" in gaps
    assert "supply.sbom<" not in gaps  # answered
    assert 'href="/feeds">osv</a>' in client.get("/").text
    before = client.get(f"/feeds?as_of={iso(NOW - 40)}").text
    assert "1 feed held, none too old" in before


def test_an_empty_store_shows_three_ways_in(tmp_path) -> None:
    page = open_pages(Standing(tmp_path)).get("/").text
    for command in ("troth demo", "troth provision", "troth emu run"):
        assert command in page


def test_strangers_text_is_text(tmp_path) -> None:
    evil = '<script>alert(1)</script>"><img src=x onerror=alert(1)>\x1b[2J\u202e'
    fleet = Standing(tmp_path)
    fleet.add_release(release("bench", "esp32", "0.1.0", days_ago=10))
    fleet.enrol("bench-01", "bench", "esp32", "0.1.0")
    report = fleet.report(
        "bench-01",
        at=NOW - 60,
        swname=evil[:50],  # the reader lets printable text through, and no more
        swversion=[evil[:50]],
        hwmodel=evil.encode()[:32],
    )
    fleet.reject("bench-01", "claim.type", evil)
    fleet.store.change_device("d01", at=NOW, name=evil, model=evil, site=evil)
    client = open_pages(fleet)
    for address in ("/", "/devices", "/devices/d01", f"/evidence/{report}", "/duties"):
        text = client.get(address).text
        page = outline(text)
        assert not page.all("script"), address
        assert [image["src"] for image in page.all("img")] == ["/static/troth.svg"]
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_evidence_comes_away_byte_for_byte(client: TestClient, fleet: Standing) -> None:
    answer = client.get("/evidence/14.cbor")
    assert answer.content == fleet.store.evidence(14).raw
    assert answer.headers["content-type"] == "application/cbor"
    assert "attachment" in answer.headers["content-disposition"]
    set_bytes = client.get("/evidence/14.set.cbor").content
    assert digest_of("") != set_bytes
    assert set_bytes == fleet.store.set_raw(fleet.store.evidence(14).set_digest).raw


def test_the_first_load_is_light(client: TestClient) -> None:
    total = sum(
        len(client.get(at).content) for at in ("/", "/static/troth.css", "/static/troth.svg")
    )
    assert total < 150_000


def test_docs_are_markdown_and_harmless() -> None:
    source = "# Title\n\nA `b<c>` and **bold** [x](https://e.example/) <script>\n\n- one\n- two\n"
    html = str(to_html(source))
    assert "<h1>Title</h1>" in html
    assert "<code>b&lt;c&gt;</code>" in html
    assert '<a href="https://e.example/">x</a>' in html
    assert "&lt;script&gt;" in html
    assert "<li>two</li>" in html
    assert "<a" not in str(to_html("[x](javascript:alert(1))"))
    assert "<table>" in str(to_html("| a | b |\n|---|---|\n| 1 | 2 |"))

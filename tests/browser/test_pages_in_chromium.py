"""The pages in a real browser: three clicks to the cause, no script, no complaint, both schemes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from browser.driver import CHROMIUM, DRIVER, Browser, free_port
from standing import DAY, NOW, demo_fleet
from troth.store import FeedRow
from troth.web.app import pages

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="needs Debian's chromium and chromium-driver"
    ),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The demo's fleet behind the pages, on a port of their own."""
    fleet = demo_fleet(tmp_path_factory.mktemp("site"))
    old = FeedRow(0, "osv", "osv", "", NOW - 9 * DAY, 0, "0a" * 32, NOW - 60, "ann")
    fleet.store.add_feed(old, b"[]")
    app = pages(fleet.store, fleet.catalogue, fleet.policy, clock=lambda: NOW)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while not server.started and time.monotonic() < end:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)
    fleet.store.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def test_three_clicks_from_red_to_why(site: str, browser: Browser) -> None:
    browser.open(site)
    browser.click('a.hit[href*="surface.no-webrepl"][href*="therm-v2"]')
    assert "/devices?duty=surface.no-webrepl" in browser.url
    browser.click("tbody th[scope=row] a")
    assert browser.url.endswith("#surface.no-webrepl")
    assert "non-compliant" in browser.text("h1")
    browser.click("article.finding a.go")
    assert "/evidence/" in browser.url
    assert "d.webrepl_on" in browser.text("tr.m-differs:nth-child(2)")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/devices",
        "/devices/therm-03",
        "/evidence/14",
        "/duties",
        "/feeds",
        "/docs",
        "/nowhere",
    ],
)
def test_no_page_makes_the_browser_complain(site: str, browser: Browser, path: str) -> None:
    browser.complaints()
    browser.open(site + path)
    said = [line for line in browser.complaints() if "status of 404" not in line]
    assert said == []


@pytest.mark.parametrize("path", ["/", "/devices/therm-03", "/evidence/14", "/duties", "/feeds"])
def test_no_page_is_wider_than_a_phone(site: str, browser: Browser, path: str) -> None:
    browser.open(site + path)
    browser.run("document.documentElement.style.width = '360px'")
    wide = browser.run(
        "return [...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll') &&"
        " !e.closest('pre') && !e.closest('.vh') && !e.closest('.skip') &&"
        " e.getBoundingClientRect().width > 361).map(e => e.tagName + '.' + e.className)"
    )
    assert wide == []


CONTRAST = """
const rgb = text => text.match(/[\\d.]+/g).map(Number);
const luminance = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= 0.03928 ? v / 12.92
  : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const ground = e => { for (; e; e = e.parentElement) {
  const c = getComputedStyle(e).backgroundColor;
  if (c.startsWith('rgb') && (rgb(c)[3] ?? 1) === 1) return rgb(c); } return [255, 255, 255]; };
const low = [];
for (const e of document.querySelectorAll('main *, header *, footer *')) {
  const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  if (!own || e.closest('.vh') || !e.getClientRects().length) continue;
  const ink = getComputedStyle(e).color;
  if (!ink.startsWith('rgb')) continue;
  const [a, b] = [luminance(rgb(ink)), luminance(ground(e))].sort((x, y) => y - x);
  if ((a + 0.05) / (b + 0.05) < 4.5) low.push(e.className + ': ' + e.textContent.slice(0, 30));
}
return low;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "path", ["/", "/devices", "/devices/therm-03", "/evidence/14", "/duties", "/feeds"]
)
def test_all_text_can_be_read_in_both_schemes(
    site: str, browser: Browser, path: str, scheme: str
) -> None:
    browser.scheme(scheme)
    browser.open(site + path)
    assert browser.run(CONTRAST) == []


def test_the_pages_work_where_scripts_are_forbidden(site: str, tmp_path: Path) -> None:
    with Browser(tmp_path, scripts=False) as browser:
        browser.open(site)
        assert "devices meet their duties" in browser.text("h1")
        browser.click("details summary")  # opens without a script
        assert "identity" in browser.text("details[open] table")
        browser.open(site + "/devices")
        browser.click("select#state option:nth-child(3)")
        browser.click("form.filter button")
        assert "state=non-compliant" in browser.url
        assert "7 of 12" in browser.text(".lead")
        browser.open(site)
        browser.click('nav a[href="/feeds"]')
        assert "osv" in browser.text("#held ~ .scroll")
        assert "vuln.none-exploitable" in browser.text("#gaps ~ .scroll")

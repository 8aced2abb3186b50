"""The report's page in a real browser: it loads nothing, fits, can be read, and prints."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from payouts.flows import report
from payouts.intake import coverage
from payouts.intake.checks import Rules
from tests.browser import browsing
from tests.desk import german_iban

if TYPE_CHECKING:
    from collections.abc import Iterator

    from payouts.flows.report import Written
    from tests.browser import Page
    from tests.desk import Desk

pytestmark = pytest.mark.browser

HEADER = "reference,name,country,currency,amount,method,account,document,document_kind"
LINES = (
    *(f"P{n},Rubén Weber,DE,EUR,{n}.10,sepa,{german_iban(5_000 + n)},," for n in range(1, 9)),
    *(f"B{n},Ana Silva,BR,BRL,30.0{n},pix,ana{n}@example.com,52998224725,cpf" for n in range(1, 4)),
    "S1,Awa Ndiaye,SN,XOF,500000,mobile_money,+221771230000,,",
    f"P1,Rubén Weber,DE,EUR,1.10,sepa,{german_iban(5_001)},,",
    "X1,Bad Iban,DE,EUR,7.00,sepa,DE00370400440000000001,,",
    f"X2,Bad Amount,DE,EUR,7.005,sepa,{german_iban(6_001)},,",
)
NAME = "a very long name of a payee file that somebody exported 2026-11-20 final (2).csv"
WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
CONTRAST = """
(() => {
  const parts = text => text.match(/[0-9.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = node => {
    for (let up = node; up; up = up.parentElement) {
      const back = parts(getComputedStyle(up).backgroundColor);
      if (back.length === 3 || back[3] > 0) return back;
    }
  };
  const poor = new Set();
  for (const node of document.querySelectorAll("main *")) {
    const own = [...node.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || node.closest("svg")) continue;
    const [a, b] = [light(parts(getComputedStyle(node).color)), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.add(`${node.className || node.tagName} ${ratio.toFixed(2)}`);
  }
  return [...poor].join("; ");
})()
"""
"""Kinds of text with less contrast than WCAG 2 asks of normal text (1.4.3: 4.5 to 1)."""


@pytest.fixture(scope="module")
def written(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A report with everything: three currencies, paid, failed and refused lines, warnings."""
    run_id = desk.load("\n".join([HEADER, *LINES, ""]), name=NAME).run_id
    desk.send(run_id)
    desk.answer(run_id, "failed", lines=[3], code="account_closed: The account is closed")
    desk.answer(run_id, "unknown", lines=[4], code="read_timeout")
    desk.answer(run_id)
    return report.write(
        desk.database,
        run_id,
        desk.surveys[run_id],
        folder=tmp_path_factory.mktemp("page"),
        rules=Rules(coverage.load(), "sandbox", date(2026, 11, 20)),
        environment="sandbox",
        database_id="ab12cd34",
    )


@pytest.fixture(scope="module")
def page(written: Written, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page of that report, open in a browser."""
    with browsing(tmp_path_factory.mktemp("profile")) as browser:
        browser.window(1280)
        browser.open(written.html.as_uri())
        yield browser


def test_it_asks_for_nothing_but_itself_and_complains_of_nothing(
    page: Page, written: Written
) -> None:
    """It is mailed around and opened where there is no network, and where there is a spy."""
    assert page.requests == [written.html.as_uri()]
    assert page.console == []


def test_a_reader_finds_the_totals_the_verdict_and_the_reasons(page: Page) -> None:
    shown = page.says("document.body.innerText")

    for words in (
        *("1 of 12 items are still open", "31.60", "90.06", "500,000"),
        *("The destination account is closed", "SEPA knows fewer characters"),
        *("agrees", "No money moved".upper(), "Account numbers are never shown"),
    ):
        assert words in shown, words
    assert "DE" not in {word[:2] for word in shown.split() if len(word) > 20}


@pytest.mark.parametrize("width", [1280, 760, 420, 320])
def test_no_window_has_to_be_scrolled_sideways(page: Page, width: int) -> None:
    page.window(width)
    try:
        assert page.says(WIDE) <= 0
    finally:
        page.window(1280)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_enough_contrast(page: Page, scheme: str) -> None:
    page.prefer(scheme)
    try:
        assert page.says(CONTRAST) == ""
        backs = page.says("getComputedStyle(document.body).backgroundColor")
        assert (backs == "rgb(244, 246, 249)") == (scheme == "light")
    finally:
        page.prefer("light")


def test_it_prints(page: Page) -> None:
    printed = page.pdf()

    assert printed.startswith(b"%PDF-")
    assert 1 <= printed.count(b"/Type /Page\n") <= 5

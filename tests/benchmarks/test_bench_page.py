"""The report in a real browser: nothing fails, a header sorts, what is typed filters."""

import shutil

import pytest

from glyphlite.benchmarks.report import write_reports

CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run"]

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium: apt-get install chromium")
playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install '.[dev]'")


@pytest.fixture
def page():
    """A page at whose end nothing may have been complained of in its console."""
    complaints = []
    with playwright.sync_playwright() as player:
        browser = player.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        one = browser.new_page()
        one.on("console", lambda message: complaints.append(message.text))
        one.on("pageerror", lambda error: complaints.append(str(error)))
        yield one
        browser.close()
    assert complaints == []


def test_the_table_sorts_and_filters_without_an_error(page, run, tmp_path):
    write_reports(tmp_path, run)
    page.goto((tmp_path / "index.html").as_uri())

    def column(number):
        cells = page.locator(f"table:first-of-type tr[data-mark]:not([hidden]) td:nth-child({number + 1})")
        return cells.all_inner_texts()

    buttons = page.locator("th button")
    errors = buttons.all_inner_texts().index("errors")
    buttons.nth(errors).click()
    assert column(errors) == ["0", "41", "6,000"]
    buttons.nth(errors).click()
    assert column(errors) == ["6,000", "41", "0"]
    assert buttons.nth(errors).locator("..").get_attribute("aria-sort") == "descending"
    page.locator("input").first.fill("OTHER")
    assert column(0) == ["other/a.tflite"]
    assert page.locator("#artifact-0").evaluate("mark => getComputedStyle(mark).opacity") == "0.1"

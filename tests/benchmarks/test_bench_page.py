"""The report in a real browser: nothing fails, a header sorts, what is typed filters."""

import shutil

import pytest

from glyphlite.benchmarks.report import write_reports

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


@pytest.fixture
def browser():
    if not (BROWSER and DRIVER):
        pytest.skip("wants Chromium: apt install chromium chromium-driver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def test_the_table_sorts_and_filters_without_an_error(browser, run, tmp_path):
    from selenium.webdriver.common.by import By

    write_reports(tmp_path, run)
    browser.get((tmp_path / "index.html").as_uri())

    def column(number):
        return [row.find_elements(By.TAG_NAME, "td")[number].text for row in browser.find_elements(*rows)]

    rows = (By.CSS_SELECTOR, "table:first-of-type tr[data-mark]:not([hidden])")
    headers = browser.find_elements(By.CSS_SELECTOR, "th button")
    errors = [header.text for header in headers].index("errors")
    headers[errors].click()
    assert column(errors) == ["0", "41", "6,000"]
    headers[errors].click()
    assert column(errors) == ["6,000", "41", "0"]
    assert headers[errors].find_element(By.XPATH, "..").get_attribute("aria-sort") == "descending"
    browser.find_element(By.TAG_NAME, "input").send_keys("OTHER")
    assert column(0) == ["other/a.tflite"]
    assert browser.find_element(By.ID, "artifact-0").value_of_css_property("opacity") == "0.1"
    assert browser.get_log("browser") == []

"""A headless Chromium that tells what its pages have asked for."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
SCREENSHOTS = "FRAMELOOM_TEST_SCREENSHOTS"
"""A folder for pictures of the pages, for whoever wants to look at them."""
_SECONDS = 30
_OWN = ("data", "blob", "about", "chrome-error", "chrome", "devtools")
"""What a page asks of nobody."""


class Browser:
    """A browser with one window."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        """Goes to a page."""
        self.driver.get(url)

    def text_of(self, selector: str) -> str:
        """What an element says, once it is there and says something."""
        wait = WebDriverWait(self.driver, _SECONDS)
        return str(wait.until(lambda driver: driver.find_element(By.CSS_SELECTOR, selector).text.strip()))

    def stored(self, name: str) -> str | None:
        """What the page's storage has under a name."""
        found: str | None = self.driver.execute_script("return localStorage.getItem(arguments[0])", name)
        return found

    def requests(self) -> list[str]:
        """What the pages have asked for since the last call, as addresses."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def outside(self, base_url: str) -> list[str]:
        """What the pages have asked of anybody but this server since the last call."""
        own = urlsplit(base_url)
        asked = self.requests()
        assert asked, "the browser's log of requests is empty"
        return [
            url
            for url in asked
            if (split := urlsplit(url)).scheme not in _OWN
            and (split.scheme, split.port, split.hostname) not in {(own.scheme, own.port, own.hostname)}
        ]

    def complaints(self) -> list[str]:
        """Errors on the console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def picture(self, name: str) -> None:
        """A screenshot, where somebody wants some."""
        if folder := os.environ.get(SCREENSHOTS):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.driver.save_screenshot(str(Path(folder) / f"{name}.png"))


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """A browser with an empty profile, which finds no host but this machine's own."""
    options = ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in (
        "--headless=new",
        "--no-sandbox",  # tests run as root in containers
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1200,900",
        f"--user-data-dir={profile}",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = Chrome(options=options, service=Service(executable_path=DRIVER or ""))
    try:
        yield Browser(driver)
    finally:
        driver.quit()

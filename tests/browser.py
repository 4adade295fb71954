"""A real headless Chromium for tests of pages. Its absence fails a test, it never skips one."""

import base64
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

_INSTALL = (
    "the tests of the report open it in a real browser, and Chromium or its driver is missing: "
    "install both, e.g. `sudo apt-get install chromium chromium-driver`"
)
_FLAGS = [
    "--headless=new",
    "--no-sandbox",  # root, as in a container, cannot have Chromium's sandbox
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    # These keep the browser itself from talking to anyone.
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Browser:
    """A browser whose page, console and requests can be looked at."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        """Take a started browser, and forget what its own first page did."""
        self.driver = driver
        driver.get("about:blank")
        self._log("browser")
        self._log("performance")

    def _log(self, kind: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]
        return entries

    def cdp(self, command: str, **arguments: Any) -> Any:
        """Send a command of the Chrome DevTools protocol."""
        return self.driver.execute_cdp_cmd(command, arguments)

    def open(self, path: Path, *, width: int = 1280, height: int = 900, scheme: str = "light") -> None:
        """Open a file as on a screen of that size (CSS pixels) and colour scheme."""
        self.cdp(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.scheme(scheme)
        self.driver.get(path.resolve().as_uri())

    def scheme(self, name: str) -> None:
        """Switch between `light` and `dark`."""
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def js(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        return self.driver.execute_script(f"return ({script})")

    def wait(self, script: str, value: Any = True) -> None:
        """Wait until a JavaScript expression has a value; a minute at most."""
        WebDriverWait(self.driver, 60, 0.05).until(lambda _: self.js(script) == value, f"{script} never was {value}")

    def console_errors(self) -> list[str]:
        """Return what the page complained about since the last call."""
        return [f"{entry['level']}: {entry['message']}" for entry in self._log("browser")]

    def requests(self) -> list[str]:
        """Return the addresses asked for since the last call, but for files and data in the page itself."""
        messages = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        addresses = [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]
        return [address for address in addresses if not address.startswith(("file:", "data:", "about:"))]

    def screenshot(self, path: Path) -> None:
        """Write a picture of the whole page."""
        size = self.cdp("Page.getLayoutMetrics")["cssContentSize"]
        path.parent.mkdir(parents=True, exist_ok=True)
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        picture = self.cdp("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(picture["data"]))


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Start Chromium with an empty profile folder, stop it at the end."""
    binary = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
    chromedriver = shutil.which("chromedriver")
    if not binary or not chromedriver:
        pytest.fail(_INSTALL)
    options = Options()
    options.binary_location = binary
    for flag in [*_FLAGS, f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    try:
        driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    except WebDriverException as error:
        pytest.fail(f"{_INSTALL}\n{error}")
    try:
        yield Browser(driver)
    finally:
        driver.quit()

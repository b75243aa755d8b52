"""`make dev`'s world with Dagster's UI, and Debian's Chromium to check it."""

import json
import os
import shutil
import socket
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from leaseup_dagster.sandbox.dev import serving
from leaseup_dagster.sandbox.world import World

SHOTS = Path(os.environ.get("SCREENSHOTS") or "browser/screenshots")
LOCATION = "/locations/leaseup_dagster"


class Ui:
    """A browser on the UI, and the same UI's GraphQL to compare with."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self._address = page, address

    def open(self, path: str) -> Page:
        self.page.goto(self._address + path)
        return self.page

    def shot(self, name: str) -> None:
        """What a person sees now, for a person to check."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png")

    def launch(self, job: str, config: str, shot: str = "") -> str:
        """Types the config into the Launchpad and presses Launch Run; the run's id."""
        before = len(self.runs(job))
        page = self.open(f"{LOCATION}/jobs/{job}/playground")
        editor = page.locator(".CodeMirror")
        expect(editor).to_contain_text("ops:")
        if shot:
            self.shot(f"{shot}-empty")
        editor.evaluate("(e, said) => e.CodeMirror.setValue(said)", config)
        if shot:
            self.shot(shot)
        page.get_by_role("button", name="Launch Run").click()
        page.wait_for_url("**/runs/**")
        self.until(lambda: len(self.runs(job)) > before)
        return self.runs(job)[0]["runId"]

    def ended(self, job: str, run_id: str) -> str:
        """How the run ended, when it has."""

        def status() -> str:
            (found,) = [run["status"] for run in self.runs(job) if run["runId"] == run_id]
            return found

        self.until(lambda: status() in ("SUCCESS", "FAILURE"))
        return status()

    def read(self, step: str = "report") -> None:
        """Opens the page that a run or an asset has at `report`, below all others that it has."""
        row = self.page.locator("tr", has=self.page.get_by_text(step, exact=True))
        row.get_by_text("[Show Markdown]").last.click()
        self.page.get_by_role("button", name="Close").wait_for()
        self.page.wait_for_timeout(500)  # it fades in

    def ask(self, query: str) -> Any:
        body = json.dumps({"query": query}).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self._address}/graphql", body, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]

    def runs(self, job: str) -> list[dict[str, str]]:
        """Newest first."""
        wanted = "{results{runId status}}"
        asked = f'{{runsOrError(filter:{{pipelineName:"{job}"}}){{...on Runs{wanted}}}}}'
        return list(self.ask(asked)["runsOrError"]["results"])

    def until(self, holds: Callable[[], bool], seconds: float = 90) -> None:
        """Poll twice a second until it holds."""
        for _ in range(int(seconds * 2)):
            if holds():
                return
            self.page.wait_for_timeout(500)
        raise AssertionError("it did not come about in time")


@pytest.fixture(scope="session")
def served() -> Iterator[tuple[World, str]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with serving(port, days=3) as (world, _, address):
        yield world, address


@pytest.fixture
def world(served: tuple[World, str]) -> World:
    return served[0]


@pytest.fixture(scope="session")
def browser_path() -> str:
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.fail("Chromium is not installed: apt-get install chromium, or set CHROMIUM")
    return found


@pytest.fixture
def ui(served: tuple[World, str], browser_path: str) -> Iterator[Ui]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(
            viewport={"width": 1500, "height": 950}, timezone_id="Africa/Johannesburg"
        )
        page.set_default_timeout(30_000)
        yield Ui(page, served[1])
        browser.close()

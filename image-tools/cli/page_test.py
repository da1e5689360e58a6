#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The page of `caisson report` in a headless Chromium: what it asks for, what a screen reader is told, what the keyboard reaches.

usage: page_test.py TOOL SOURCE-DIR [SCREENSHOT.png]
The report is of the demo's appliance, with small images in place of the demo's. Chromium is spoken to through a pipe (the
DevTools protocol). Exit 77: there is none.
"""
import base64
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile


class Browser:
    def __init__(self, program, folder):
        to_it, ours = os.pipe()
        its, from_it = os.pipe()

        def place():
            # 3 and 4 are where it looks; first out of their way.
            one, two = os.dup(to_it), os.dup(from_it)
            os.dup2(one, 3)
            os.dup2(two, 4)

        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--user-data-dir=" + folder,
             "--disable-background-networking", "--window-size=1280,1000"], preexec_fn=place, close_fds=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_it)
        os.close(from_it)
        self.to, self.answers, self.rest = os.fdopen(ours, "wb", 0), its, b""
        self.number, self.events, self.session = 0, [], None

    def message(self):
        while b"\0" not in self.rest:
            part = os.read(self.answers, 1 << 20)
            if not part:
                raise SystemExit("the browser ended")
            self.rest += part
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def ask(self, method, **parameters):
        self.number += 1
        question = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            question["sessionId"] = self.session
        self.to.write(json.dumps(question).encode() + b"\0")
        while True:
            said = self.message()
            if said.get("id") == self.number:
                if "error" in said:
                    raise SystemExit(f"{method}: {said['error']}")
                return said["result"]
            self.events.append(said)

    def wait(self, method, times=1):
        while sum(event["method"] == method for event in self.events) < times:
            self.events.append(self.message())

    def value(self, expression):
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def key(self, key, code):
        for kind in ("rawKeyDown", "char", "keyUp") if key == "Enter" else ("rawKeyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text="\r" if kind == "char" else "")


# Of every element with text: how light it is beside what is behind it (WCAG 2.2, 1.4.3), the least of all.
CONTRAST = """(() => {
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const back = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (!c.endsWith(', 0)')) return c; } return 'rgb(255, 255, 255)'; };
  let least = 99;
  for (const e of document.querySelectorAll('body *')) if ([...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) {
    const [one, two] = [light(getComputedStyle(e).color), light(back(e))].sort((a, b) => b - a);
    least = Math.min(least, (one + 0.05) / (two + 0.05)); }
  return least; })()"""


def page_of(tool, source, work):
    """The report's JSON; the page is work/page.html."""
    def caisson(*words):
        done = subprocess.run([tool, "-q", "--format", "json", *words], cwd=work, capture_output=True, text=True, check=False,
                              env={**os.environ, "HOME": work, "XDG_CONFIG_HOME": work, "XDG_CACHE_HOME": work, "CAISSON_CACHE": ""})
        if done.returncode > 1:
            raise SystemExit(done.stderr)
        return done.stdout

    os.makedirs(os.path.join(work, "examples/demo"))
    shutil.copy(os.path.join(source, "examples/demo/appliance.yaml"), os.path.join(work, "examples/demo"))
    for name, program in {"busybox": "bin/busybox", "threads": "bin/threads", "web": "usr/bin/perl"}.items():
        path = os.path.join(work, name, program)
        os.makedirs(os.path.dirname(path))
        shutil.copy("/bin/true", path)
        caisson("image", "create", "--from", name, "--entrypoint", "/" + program, "oci:build/demo/images/" + name)
    return json.loads(caisson("report", "examples/demo/appliance.yaml", "-o", "page.html"))


def unpacked():
    """The one that the root script unpacks into the cache, with its libraries."""
    cache = os.environ.get("CAISSON_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "caisson")
    for tree in glob.glob(os.path.join(cache, "roots", "*", "chromium-headless-shell")):
        libraries = os.path.join(tree, "usr/lib/x86_64-linux-gnu")
        # PulseAudio's are found by an absolute path, which is another system's here.
        os.environ["LD_LIBRARY_PATH"] = ":".join([libraries, os.path.join(libraries, "pulseaudio")])
        return os.path.join(tree, "usr/lib/chromium/chromium-headless-shell")
    return None


def main():
    program = os.environ.get("CAISSON_CHROMIUM") or shutil.which("chromium-headless-shell") or shutil.which("chromium") or unpacked()
    if not program:
        print("page_test: there is no Chromium")
        return 77
    bad = []

    def expect(holds, what):
        if not holds:
            bad.append(what)

    with tempfile.TemporaryDirectory() as work:
        report = page_of(os.path.abspath(sys.argv[1]), sys.argv[2], work)
        policies = [policy["name"] for policy in report["policies"]]
        browser = Browser(program, os.path.join(work, "browser"))
        page = browser.ask("Target.createTarget", url="about:blank")["targetId"]
        browser.session = browser.ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime", "Accessibility"):
            browser.ask(domain + ".enable")
        browser.ask("Page.navigate", url="file://" + os.path.join(work, "page.html"))
        browser.wait("Page.loadEventFired")

        nodes = [node for node in browser.ask("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]
        told = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes]
        properties = {id(node): {one["name"]: one["value"].get("value") for one in node.get("properties", [])} for node in nodes}

        def names(role):
            return [name for kind, name in told if kind == role]

        expect(names("RootWebArea") == ["demo 1.0.0: controls"], f"title {names('RootWebArea')}")
        expect(browser.value("document.documentElement.lang") == "en", "language")
        expect(len(names("main")) == 1 and names("navigation") == ["Policies"], f"landmarks {names('main')} {names('navigation')}")
        levels = [(properties[id(node)].get("level"), node["name"]["value"]) for node in nodes if node["role"]["value"] == "heading"]
        expect(levels == [(1, "Controls of demo 1.0.0")] + [(2, name) for name in policies], f"headings {levels}")
        expect(names("table") == [policy["description"] for policy in report["policies"]], f"tables {names('table')}")
        expect(names("columnheader") == ["Control", "State", "What was found"] * len(policies), f"columns {names('columnheader')}")
        expect(len(names("rowheader")) == len(report["items"]) and all(names("rowheader")), f"{len(names('rowheader'))} rows")
        expect(names("link") == policies, f"links {names('link')}")
        expect(not any(kind in ("image", "button", "textbox", "Iframe") for kind, _ in told), "more than a page to read")

        browser.key("Tab", 9)
        reached = []
        for _ in policies:
            reached.append(browser.value("document.activeElement.textContent.slice(0, 50)"))
            outline = browser.value("getComputedStyle(document.activeElement).outlineStyle")
            expect(outline not in ("none", ""), f"where {reached[-1]} is cannot be seen")
            browser.key("Tab", 9)
        expect(reached == policies, f"Tab reaches {reached}")
        browser.ask("Page.reload")
        browser.wait("Page.loadEventFired", 2)
        for _ in range(3):
            browser.key("Tab", 9)
        browser.key("Enter", 13)
        expect(browser.value("location.hash") == "#" + policies[2], f"Enter leads to {browser.value('location.hash')}")
        expect(browser.value("document.activeElement.id") == policies[2], "and reading does not go on there")
        expect(browser.value(CONTRAST) >= 4.5, f"contrast {browser.value(CONTRAST)}")

        shot = base64.b64decode(browser.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"])
        expect(shot.startswith(b"\x89PNG") and len(shot) > 20000, f"a screenshot of {len(shot)} bytes")
        if len(sys.argv) > 3:
            with open(sys.argv[3], "wb") as file:
                file.write(shot)
        browser.ask("Emulation.setDeviceMetricsOverride", width=360, height=800, deviceScaleFactor=1, mobile=True)
        expect(browser.value("document.documentElement.scrollWidth") <= 360, f"{browser.value('document.documentElement.scrollWidth')} wide on a phone")

        asked = {event["params"]["request"]["url"].split("#")[0] for event in browser.events if event["method"] == "Network.requestWillBeSent"}
        expect(asked == {"file://" + os.path.join(work, "page.html")}, f"it asks for {asked}")
        wrong = [event["params"] for event in browser.events if event["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")]
        expect(not wrong, str(wrong))
        browser.session = None
        browser.ask("Browser.close")
        browser.process.wait(timeout=30)
    print("\n".join(bad) or f"the page of {len(policies)} policies is as it should be")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

"""The tour (examples/tour): every page is sound, every link answers, every
example does what its page says, and a browser shows it at any width."""

import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from harness.browser import PROGRAM as CHROMIUM
from harness.browser import Browser
from harness.html import Page
from harness.modules import build
from harness.server import TOP, Server, build_folder, program
from harness.wait import GUARD, wait_for

TOUR = TOP / "examples/tour"
MODULE = TOP / "examples/module"
CHAPTERS = sorted(path.stem for path in (TOUR / "chapters").glob("*.lua"))
PAGES = ["/", "/about", *(f"/{name}" for name in CHAPTERS)]
# Links that are there to show a failure, and the status they show.
SHOWN = {
    "/hello/teapot": 418,
    "/routing/nowhere": 404,
    "/errors/land?height=-1": 500,
    "/errors/rover/2": 404,
    "/errors/closed": 503,
    "/websockets/echo": 426,
    "/moon/eclipse": 500,
    "/moon/phase?of=blue": 404,
    "/watchdog/loop": 500,
    "/watchdog/slow": 503,
    "/watchdog/greedy": 503,
    "/nowhere/at/all": 404,
}
# TSan holds signals back until a system call, which a loop in Lua never makes.
TSAN = b"__tsan_init" in program().read_bytes()
ENDLESS = {"/watchdog/loop", "/watchdog/greedy"} if TSAN else set()
for link in ENDLESS:
    del SHOWN[link]
SHOWN_FORMS = {"/routing/flag": 405, "/filters/airlock/": 403}


@pytest.fixture(scope="module")
def tour(serve_module):
    return serve_module(TOUR, workers=2)


def load(tour, path: str) -> Page:
    host = urlsplit(tour.url()).netloc
    response = tour.get(path, {"Host": host})
    assert response.status == 200, path
    assert response.header("content-type") == "text/html; charset=utf-8"
    return Page(response.text)


# ---- pages and links -------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_page_is_sound(tour, path):
    page = load(tour, path)
    assert page.faults == []
    assert not re.search(r"@\w+@", page.rawdata)


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_loaded_from_outside(tour, path):
    for tag, url in load(tour, path).urls:
        assert url.startswith(("/", "#")) and not url.startswith("//"), tag
    policy = tour.get(path).header("content-security-policy")
    assert "default-src 'none'" in policy and "script-src" not in policy


def test_every_link_answers(tour):
    links = {
        url
        for path in PAGES
        for tag, url in load(tour, path).urls
        if tag != "form" and not url.startswith("#")
    }
    assert set(PAGES) <= links
    assert set(SHOWN) <= links
    for link in sorted(links - ENDLESS):
        status = tour.get(link).status
        assert status == SHOWN.get(link, status) and (
            status < 400 or link in SHOWN
        ), link


def multipart(fields) -> bytes:
    """As a browser sends them, but for the files, which are fields."""
    parts = [
        f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        f"{value}\r\n"
        for name, value in fields
    ]
    return ("".join(parts) + "--B--\r\n").encode()


def test_every_form_answers(tour):
    for path in PAGES:
        for form in load(tour, path).forms:
            kind = form.enctype
            body = urlencode(form.fields).encode()
            if kind == "multipart/form-data":
                kind += "; boundary=B"
                body = multipart(form.fields)
            response = tour.request(
                "POST", form.action, {"Content-Type": kind}, body
            )
            wanted = SHOWN_FORMS.get(form.action, response.status)
            assert response.status == wanted, form
            assert response.status < 400 or form.action in SHOWN_FORMS, form


def test_sources_are_those_of_the_files(tour):
    paths = [*TOUR.rglob("*.lua"), *TOUR.rglob("*.dyn.html")]
    paths += TOUR.rglob("*.lsp")
    paths += [TOP / "examples/embed-in-c/main.c"]
    paths += [MODULE / "counter.c", MODULE / "main.lua"]
    files = [path.read_text() for path in paths]
    shown = 0
    for name in CHAPTERS:
        for kind, text in load(tour, f"/{name}").blocks:
            if kind == "":
                shown += 1
                lines = text.splitlines()
                assert any(
                    all(line in file for line in lines) for file in files
                ), text
    assert shown >= len(CHAPTERS)


# ---- what the pages say ----------------------------------------------------


def pattern(text: str) -> re.Pattern:
    """Text as the pages show it: … is anything, also whole lines."""
    parts = []
    for line in text.rstrip("\n").split("\n"):
        if line == "…":
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            parts.append(re.escape(line).replace("…", r"[^\n]*") + r"\n")
    return re.compile("".join(parts))


def dialogue(text: str) -> list[tuple[str, str]]:
    """[(command, what it prints)]"""
    pieces = re.split(r"^\$ (.*)\n?", text, flags=re.MULTILINE)[1:]
    return list(zip(pieces[::2], pieces[1::2]))


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """The program in C, which the chapter "embed" takes to be on port 8081."""
    program = build_folder() / "examples/embed-in-c/embed-in-c"
    folder = tmp_path_factory.mktemp("embed")
    server = Server([program, "127.0.0.1:0"], folder, {})
    yield server
    faults = server.finish()
    assert not faults, "; ".join(faults)


@pytest.fixture(scope="module")
def counter(serve_module, tmp_path_factory):
    """The site with a module, which the chapter "modules" takes to be on port
    8082."""
    folder = tmp_path_factory.mktemp("module")
    shutil.copy(MODULE / "main.lua", folder)
    build(MODULE / "counter.c", folder / "counter.so")
    return serve_module(folder, workers=1)


@pytest.mark.parametrize("name", CHAPTERS)
def test_commands_print_what_is_shown(tour, embedded, counter, name, tmp_path):
    for kind, text in load(tour, f"/{name}").blocks:
        if kind != "shell":
            continue
        text = text.replace("127.0.0.1:8081", f"127.0.0.1:{embedded.port}")
        text = text.replace("127.0.0.1:8082", f"127.0.0.1:{counter.port}")
        for command, shown in dialogue(text):
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=tmp_path,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=GUARD,
                check=False,
            )
            output = done.stdout.decode().replace("\r\n", "\n")
            assert pattern(shown).fullmatch(output.rstrip("\n") + "\n"), (
                f"{command}\n{output}\n---- shown:\n{shown}"
            )


def test_failure_is_in_the_log_as_shown(tour):
    tour.get("/errors/land?height=-1")
    shown = [t for kind, t in load(tour, "/errors").blocks if kind == "log"]
    assert len(shown) == 1
    tour.wait_log(pattern(shown[0]).pattern)


@pytest.mark.skipif(TSAN, reason="see above")
def test_the_watchdog_is_in_the_log_as_shown(tour):
    tour.get("/watchdog/loop")
    shown = [t for kind, t in load(tour, "/watchdog").blocks if kind == "log"]
    assert len(shown) == 1
    for line in shown[0].splitlines()[:2]:
        tour.wait_log(pattern(line).pattern)


# ---- the examples ----------------------------------------------------------


def test_waits_take_as_long_as_they_should(tour):
    def seconds(path):
        text = tour.get(path).text
        return float(re.search(r"([\d.]+) s\Z", text).group(1))

    assert seconds("/waiting/sleep") >= 0.5
    assert seconds("/waiting/all") >= 0.5
    assert seconds("/waiting/one-by-one") >= 1.2
    assert seconds("/waiting/race") >= 0.2
    assert seconds("/waiting/timeout") >= 0.3
    assert "number 2, the hare" in tour.get("/waiting/race").text


def test_countdown_comes_in_pieces(tour):
    with tour.connect() as wire:
        wire.send(b"GET /streaming/countdown HTTP/1.1\r\nHost: a\r\n\r\n")
        data = wire.read_until(b"lift-off!")
    sizes = re.findall(rb"\r\n([0-9a-f]+)\r\n", data)
    assert len(sizes) >= 7
    assert re.search(rb"5 .*4 .*3 .*2 .*1 ", data, re.DOTALL)


def test_upload_is_counted(tour):
    body = bytes(3_000_000)
    text = tour.request("POST", "/bodies/count", body=body).text
    assert text.startswith("3000000 bytes in ")


def test_cookie_counts_visits(tour):
    first = tour.get("/input/cookie")
    cookie = first.header("set-cookie").split(";")[0]
    assert first.text.endswith(": 1") and cookie == "visits=1"
    again = tour.get("/input/cookie", {"Cookie": cookie})
    assert again.text.endswith(": 2")


def test_query_is_decoded(tour):
    text = tour.get("/input/query?crew=%C3%89milie%20%26%20Co&crew=a+b").text
    assert text.splitlines() == [
        "crew = Émilie & Co",
        "1. Émilie & Co",
        "2. a b",
    ]


def test_json_form_is_tidied(tour):
    body = urlencode({"text": '{"b":[1,2.50],"a":null}'}).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    response = tour.request("POST", "/json/tidy", kind, body)
    assert response.json() == {"a": None, "b": [1, 2.5]}
    assert response.text.index('"a"') < response.text.index('"b"')
    assert tour.request("POST", "/json/tidy", kind, b"text=[").status == 400


def test_tasks_and_defers(tour):
    text = tour.get("/tasks/spawn").text
    assert text == "running; then Columbia is back; done"
    assert "canceled" in tour.get("/tasks/cancel").text
    lines = tour.get("/tasks/defer").text.splitlines()
    assert lines[:3] == ["walk on the moon", "fold the ladder", lines[2]]
    assert lines[2] == "close the hatch" and "a torn glove" in lines[3]


def test_task_goes_on_after_the_answer(tour):
    response = tour.request("POST", "/tasks/beyond", body=b"")
    assert response.status == 202
    tour.wait_log("a second after the answer")


def test_timers_count_on_each_worker(tour):
    def counts():
        count = tour.get("/schedule/count").json()
        if count["worker"] != 0:
            assert count["process"] == 0
        elif count["mine"] > 0:
            assert count["process"] > 0
        return count["mine"] > 1

    wait_for(counts, "a timer of each second to count to two")


def test_browser_revalidates_the_style_sheet(tour):
    first = tour.get("/tour.css")
    assert first.header("cache-control") == "no-cache"
    tag = {"If-None-Match": first.header("etag")}
    assert tour.get("/tour.css", tag).status == 304


def test_options_of_the_command_line_exist(tour, command):
    text = command("--help").stdout
    page = tour.get("/command").text
    options = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", page))
    options = {o for o in options if re.search(f"<code>[^<]*{o}", page)}
    assert {"-p", "--log", "--access-log"} <= options
    for option in options:
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", text), option


# ---- reloads and modules ----------------------------------------------------


@pytest.fixture
def copied(serve, tmp_path):
    """A tour whose files may be edited, and what comes with it."""
    shutil.copytree(TOP / "examples", tmp_path / "examples")
    return serve(tmp_path / "examples/tour", "--pid", "a.pid", workers=1)


def edit(path: Path, was: str, now: str):
    text = path.read_text()
    assert text.count(was) == 1
    new = path.with_suffix(".new")
    new.write_text(text.replace(was, now))
    new.rename(path)


def shown_in(tour, name: str, start: str) -> str:
    """The block of a chapter that begins with it."""
    blocks = load(tour, f"/{name}").blocks
    (text,) = [t for _, t in blocks if t.startswith(start)]
    return text


def test_an_edited_file_is_live_after_a_reload(copied, command, tmp_path):
    chapter = tmp_path / "examples/tour/chapters/reload.lua"
    assert copied.get("/reload/generation").text == "generation 1 of worker 0"
    edit(chapter, '"Save the file, reload', '"Save it, reload')
    done = command("reload", "--pid", "a.pid")
    assert done.returncode == 0, done.stderr
    assert copied.get("/reload/motto").text.startswith("Save it, reload")
    assert copied.get("/reload/generation").text == "generation 2 of worker 0"
    assert copied.request("POST", "/reload/now").status == 200
    assert copied.get("/reload/generation").text == "generation 3 of worker 0"


def test_a_mistake_is_shown_as_the_tour_says(copied, command, tmp_path):
    shown = shown_in(copied, "reload", "perilune: not reloaded")
    chapter = tmp_path / "examples/tour/chapters/reload.lua"
    edit(chapter, "local motto =", "local = motto")
    done = command("reload", "--pid", "a.pid")
    assert done.returncode == 3
    said = done.stderr.replace("'motto'", "'='")
    where, what = shown.split("chapters/")[0], shown.split("chapters/")[1]
    assert said.startswith(where) and "chapters/reload.lua:6: " in said, said
    assert what.startswith("reload.lua:6: ")
    assert copied.get("/reload/motto").text.startswith("Save the file")


def test_what_runs_ends_in_its_generation(copied, command):
    """And the status says so, as the tour shows it."""
    shown = shown_in(copied, "reload", "reload  generation")
    with copied.connect() as wire:
        wire.send(b"GET /reload/orbit HTTP/1.1\r\nHost: a\r\n\r\n")
        wire.read_until(b"lap 1")
        assert command("reload", "--pid", "a.pid").returncode == 0
        said = command("status", "--pid", "a.pid").stdout
        wire.read_until(b"lap 6 in generation 1")
    words = [re.sub(r"\d+(\.\d+)?|…", "N", t) for t in (shown, said)]
    for line in words[0].splitlines():
        pieces = re.split(r"  +|N", line)
        assert any(
            all(piece in other for piece in pieces)
            for other in words[1].splitlines()
        ), (line, said)


def test_a_module_is_replaced_while_its_counter_goes_on(
    serve, command, tmp_path
):
    """As the chapter says."""
    site = tmp_path / "counter"
    site.mkdir()
    shutil.copy(MODULE / "main.lua", site)
    build(MODULE / "counter.c", site / "counter.so")
    server = serve(site, "--pid", "a.pid", workers=1)
    assert server.get("/").text == "visit 101 of worker 0\n"
    build(MODULE / "counter.c", site / "counter.so", '-DGREETING="orbit"')
    assert command("reload", "--pid", "a.pid").returncode == 0
    assert server.get("/").text == "orbit 102 of worker 0\n"
    assert re.search(
        r"^module .*counter\.so +copy \d  used 1$",
        command("status", "--pid", "a.pid").stdout,
        re.MULTILINE,
    )


# ---- in a browser ----------------------------------------------------------


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: tools/setup check")
    with Browser() as browser:
        yield browser


# The smallest contrast of any text of the page with what is behind it, and
# that text (WCAG 2.2, 1.4.3). Where a gradient is behind, its darker end is
# known to be dark enough: .hero is left out.
CONTRAST = """(() => {
  const luminance = rgb => {
    const part = rgb.slice(0, 3).map(v => (v /= 255) <= 0.04045
      ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
  };
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const rgb = numbers(getComputedStyle(node).backgroundColor);
      if (rgb.length === 3 || rgb[3] === 1) return rgb;
    }
  };
  let least = [21, ""];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode, node = text.parentElement;
    if (!text.data.trim() || node.closest(".hero")) continue;
    const a = luminance(numbers(getComputedStyle(node).color));
    const b = luminance(behind(node));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < least[0]) least = [ratio, text.data];
  }
  return least;
})()"""

LOOKS = [(360, False), (1280, False), (1280, True)]
# A frame of the page shows what the endless link answers.
LOOKED_AT = [path for path in PAGES if not (TSAN and path == "/watchdog")]


@pytest.mark.parametrize("path", LOOKED_AT)
def test_page_in_a_browser(tour, browser, path):
    for width, dark in LOOKS:
        page = browser.page(width, dark=dark)
        page.open(tour.url(path))
        size = page.value("document.documentElement.scrollWidth")
        assert size <= width, f"{path} is {size} wide at {width}"
        ratio, text = page.value(CONTRAST)
        assert ratio >= 4.5, f"{path}: contrast {ratio:.2f} of {text!r}"
        for url in page.requests():
            assert url.startswith((tour.url(), "about:")), url
        page.close()


def test_form_answers_into_its_frame_without_a_script(tour, browser):
    page = browser.page(360)
    page.open(tour.url("/input"))
    page.value(
        "document.querySelector('form[action=\"/input/form\"]').requestSubmit()"
    )
    answer = (
        "document.querySelector('form + iframe').contentDocument"
        ".body.textContent"
    )
    wait_for(
        lambda: "lands in the Sea" in (page.value(answer) or ""),
        "the answer of the form in its frame",
    )
    assert page.value("location.pathname") == "/input"
    page.close()


def test_picture_has_the_width_of_the_window(tour, browser, tmp_path):
    page = browser.page(360)
    page.open(tour.url("/"))
    path = Path(tmp_path / "cover.png")
    page.screenshot(path, whole=False)
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(head[16:20], "big") == 360
    page.close()

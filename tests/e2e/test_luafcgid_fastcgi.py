"""perilune --dialect luafcgid behind a web server, which the test plays: the
scripts and the configuration as luafcgid's users have them."""

import pytest

from harness.fcgi import Front, pairs, record, request, stream
from harness.fcgi import BEGIN_REQUEST, PARAMS, STDIN, begin
from harness.wait import wait_for
from harness.wire import Closed
from test_luafcgid import (
    CONFIG, CONFIGURED, CONTROL, EARLY, FINAL, KABOOM, OLDEST, main,
)  # fmt: skip

LISTEN = 'listen = "127.0.0.1:0"\nsweep = 20\n'


@pytest.fixture
def fcgi(serve, tmp_path):
    """A server by FastCGI, as its own configuration says."""

    def run(files, config="", *args, **options):
        if isinstance(files, str):
            files = {"x.lua": files}
        named = {f"www/{name}": text for name, text in files.items()}
        named[CONFIG] = LISTEN + config
        options = {"workers": 1, "listen": False, **options}
        return serve(tmp_path / CONFIG, "--dialect", "luafcgid", *args,
                     files=named, **options)

    return run


def ask(server, script="x.lua", query="", body=b"", method="GET", **params):
    path = params.pop("path", None) or str(server.folder / "www" / script)
    with Front(server.connect()) as front:
        return front.ask(method, f"/{script}?{query}", body,
                         SCRIPT_FILENAME=path, QUERY_STRING=query, **params)


def lines_of(answer):
    head = answer.stdout.partition(b"\r\n\r\n")[0].decode()
    return head.split("\r\n")


# ---- the scripts of old ----


def test_the_final_form(fcgi):
    server = fcgi(FINAL)
    for count in "12":
        answer = ask(server, query="q=1")
        assert [line for line in lines_of(answer)
                if not line.startswith("Content-Length:")] == [
            "Status: 200 OK", "Content-Type: text/html", "X-Powered-By: Lua",
            f"X-Served: {count}", "X-Raw: yes"]
        assert answer.text == "method=GET\nquery=q=1\nbody=nil\n"
        assert (answer.app_status, answer.status) == (0, "REQUEST_COMPLETE")
    answer = ask(server, body=b"x=1&y=2", method="POST")
    assert answer.text.endswith("body=x=1&y=2\n")
    path = server.folder / "www/x.lua"
    path.write_text(FINAL.replace("method=", "new="))
    wait_for(lambda: "new=" in ask(server).text, "the new text")


def test_with_no_more_than_must_be_said(fcgi):
    server = fcgi(FINAL)
    params = {"REQUEST_METHOD": "GET", "QUERY_STRING": "q=1",
              "SCRIPT_FILENAME": str(server.folder / "www/x.lua")}
    with Front(server.connect()) as front:
        for count in "12":
            front.send(request(params))
            answer = front.answer()
            assert answer.header("x-served") == count
            assert answer.text == "method=GET\nquery=q=1\nbody=nil\n"


def test_buffering_control(fcgi):
    answer = ask(fcgi(CONTROL))
    assert answer.text == "secondthird"
    assert answer.header("x-late") is None


def test_errors(fcgi):
    server = fcgi({"kaboom.lua": KABOOM, "empty.lua": "x = 1",
                   "bad.lua": "x = = 1"})
    answer = ask(server, "kaboom.lua")
    assert (answer.code, answer.header("content-type")) == (500, "text/html")
    assert "Runtime Error" in answer.text and "kaboom" in answer.text
    assert "partial" not in answer.text
    answer = ask(server, "empty.lua")
    assert answer.code == 500
    assert "main() function not found" in answer.text
    answer = ask(server, "bad.lua")
    assert answer.code == 500 and "Syntax Error" in answer.text
    answer = ask(server, "gone.lua")
    assert answer.code == 404 and "gone.lua" in answer.text


def test_errors_that_are_not_shown(fcgi):
    server = fcgi(KABOOM, "showerrors = false\n")
    answer = ask(server)
    assert (answer.code, answer.body) == (500, b"")


def test_the_early_form(fcgi):
    answer = ask(fcgi(EARLY), query="name=a%20b+c&empty=")
    assert answer.text == "hits=1 name=a b c\n"


def test_the_oldest_form(fcgi):
    answer = ask(fcgi(OLDEST))
    assert (answer.code, answer.body) == (200, b"Hello World")
    assert answer.header("content-type") == "text/html"


def test_the_configuration(fcgi):
    config = CONFIGURED.replace(":9000", ":0")
    server = fcgi({"x.lua": FINAL, "bad.lua": "x = = 1"}, config, workers=None)
    for script in ("x.lua", "bad.lua", "gone.lua"):
        answer = ask(server, script)
        assert answer.header("x-powered-by") == "Lua"
        assert answer.header("x-site") == "test"


# ---- what the web server says ----


def test_variables(fcgi):
    server = fcgi(main("""
      con:puts(tostring(env.LUAFCGID_VERSION) .. type(env.LUAFCGID_VERSION))
      con:puts("|" .. env.FCGI_ROLE .. "|" .. env.OWN .. "|")
      con:puts(env.SCRIPT_NAME .. "|" .. tostring(env.PATH_INFO))"""))
    answer = ask(server, OWN="mine", SCRIPT_NAME="/x.lua", PATH_INFO="/more")
    assert answer.text == "1number|RESPONDER|mine|/x.lua|/more"


def test_a_root_keeps_others_out(fcgi):
    server = fcgi({"x.lua": FINAL, "../y.lua": FINAL, "../www2/z.lua": FINAL},
                  "root = 'www'\n")
    www = server.folder / "www"
    assert ask(server).code == 200
    for path in ("../y.lua", "../www2/z.lua", "sub/../x.lua", "./x.lua"):
        assert ask(server, path=f"{www}/{path}").code == 404, path
    for path in (server.folder / "y.lua", server.folder / "www2/z.lua",
                 "/etc/passwd", "x.lua", f"{www}/", f"{www}"):
        assert ask(server, path=str(path)).code == 404, path


def test_a_root_that_is_a_link(fcgi, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/x.lua").write_text(FINAL)
    (tmp_path / "link").symlink_to("real")
    server = fcgi({}, "root = 'link'\n")
    for folder in ("real", "link"):
        path = str(tmp_path / folder / "x.lua")
        assert ask(server, path=path).code == 200, folder


def test_without_a_root_a_script_may_be_anywhere(fcgi, tmp_path):
    server = fcgi({"x.lua": FINAL, "sub/.hidden/y.lua": FINAL})
    assert ask(server).code == 200
    assert ask(server, "sub/.hidden/y.lua").code == 200
    assert ask(server, path=str(tmp_path / CONFIG)).code == 500
    assert "may run any file" not in server.log()


def test_an_open_address_without_a_root_is_told(fcgi):
    server = fcgi(FINAL, "listen = ':0'\n")
    server.wait_log("whoever reaches :0 may run any file")


def test_paths_as_apache_says_them(fcgi):
    server = fcgi(FINAL)
    path = f"{server.folder}/www/x.lua"
    for said in (f"proxy:fcgi://127.0.0.1:9000{path}",
                 f"proxy:fcgi://localhost{path}?q=1",
                 f"proxy:unix:/run/a.sock|fcgi://localhost{path}"):
        assert ask(server, path=said).code == 200, said


def test_no_script_is_named(fcgi):
    server = fcgi(FINAL)
    with Front(server.connect()) as front:
        answer = front.get("/x.lua")
        assert answer.code == 500
        assert "SCRIPT_FILENAME" in answer.text
        answer = front.get("/x.lua", SCRIPT_FILENAME="")
        assert answer.code in (404, 500)


def test_a_unix_socket(fcgi, tmp_path):
    server = fcgi(FINAL, "listen = 'own.sock'\n")
    assert server.addresses() == [str(tmp_path / "own.sock")]
    assert ask(server).code == 200


def test_the_command_line_wins(fcgi, tmp_path):
    server = fcgi(FINAL, "listen = '127.0.0.1:1'\n", "--fastcgi",
                  f"unix:{tmp_path}/other.sock")
    assert server.addresses() == [f"{tmp_path}/other.sock"]
    assert ask(server).code == 200


# ---- connections ----


def test_many_requests_at_once(fcgi):
    server = fcgi(SLOW_BODY, "states = 20\nclones = 20\n")
    path = str(server.folder / "www/x.lua")
    with Front(server.connect()) as front:
        for number in range(1, 11):  # none of their bodies has come yet
            params = {"REQUEST_METHOD": "POST", "SCRIPT_FILENAME": path,
                      "CONTENT_LENGTH": "2"}
            front.send(begin(number)
                       + stream(PARAMS, number, pairs(params)))
        for number in range(10, 0, -1):
            front.send(stream(STDIN, number, b"%2d" % number))
            assert front.answer(number).text == f"1 {number:2}", "own states"


SLOW_BODY = "n = 0\n" + main("n = n + 1 con:puts(n .. ' ' .. con:gets())")


def test_who_goes_away_frees_the_state(fcgi):
    server = fcgi(SLOW_BODY, "states = 1\nwait = 20000\n")
    path = str(server.folder / "www/x.lua")
    params = {"REQUEST_METHOD": "POST", "SCRIPT_FILENAME": path,
              "CONTENT_LENGTH": "2"}
    with Front(server.connect()) as front:
        front.send(begin() + stream(PARAMS, 1, pairs(params)))
        front.send(record(BEGIN_REQUEST + 1, 1))  # ABORT_REQUEST
        front.answer()
    answer = ask(server, body=b"ab", method="POST")
    assert answer.text.endswith(" ab")


def test_an_error_after_the_head_cuts_the_answer_off(fcgi):
    server = fcgi(main("con:puts('one') con:flush() error('late')"))
    with pytest.raises(Closed):
        ask(server)
    server.wait_log("x.lua:2: late")

"""pl.set and pl.listen, with the real program."""

import socket


def test_settings_hold(serve):
    server = serve(
        """
        local pl = require "perilune"
        pl.set {
          server = "moon/1", max_body = "1k", max_line = 100,
          headers = { ["x-frame-options"] = "DENY", ["x-number"] = 1 },
        }
        pl.post("/", function(req) return req:body() end)
        """
    )
    response = server.request("POST", "/", body=b"x")
    assert response.header("server") == "moon/1"
    assert response.header("x-frame-options") == "DENY"
    assert response.header("x-number") == "1"
    assert server.request("POST", "/", body=b"x" * 1025).status == 413
    assert server.get("/" + "y" * 200).status == 414


def test_a_site_listens_where_it_says(serve, tmp_path):
    path = tmp_path / "site.sock"
    server = serve(
        f"""
        local pl = require "perilune"
        pl.listen {{ "127.0.0.1:0", "unix:{path}", mode = "600" }}
        pl.get("/", function(req) return req.remote .. "!" end)
        """,
        listen=False,
    )
    assert server.get("/").text == "127.0.0.1!"
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert client.makefile("rb").read().endswith(b"\r\n\r\n!")
    assert path.stat().st_mode & 0o777 == 0o600


def test_each_address_may_have_options_of_its_own(serve, tmp_path):
    server = serve(
        f"""
        local pl = require "perilune"
        pl.listen {{ "127.0.0.1:0", protocol = "http/1.1", backlog = 7 }}
        pl.listen {{ "unix:{tmp_path}/a.sock", mode = "600" }}
        pl.listen {{ "unix:{tmp_path}/b.sock", mode = "666" }}
        pl.get("/", function() return "here" end)
        """,
        listen=False,
    )
    assert server.get("/").text == "here"
    for name, mode in (("a", 0o600), ("b", 0o666)):
        assert (tmp_path / f"{name}.sock").stat().st_mode & 0o777 == mode


def test_values_come_from_the_environment(serve):
    server = serve(
        """
        local pl = require "perilune"
        local name = pl.env "SITE_NAME"
        local other = pl.env("NO_SUCH_VARIABLE", "default")
        pl.get("/", function() return name .. " " .. other end)
        """,
        env={"SITE_NAME": "moon"},
    )
    assert server.get("/").text == "moon default"

"""examples/login: people join, log in and out; nobody forges or guesses."""

import re

import pytest

from harness.server import TOP

LOGIN = TOP / "examples/login"
PASSWORD = "one small step"


class Visitor:
    """A browser: keeps cookies, follows redirects, fills in the form."""

    def __init__(self, server):
        self.server, self.cookies = server, {}
        self.page = None
        self.open()

    def ask(self, method, path, body=None, headers=None):
        fields = {"Cookie": "; ".join(f"{k}={v}" for k, v in
                                      self.cookies.items()), **(headers or {})}
        if body is not None:
            fields["Content-Type"] = "application/x-www-form-urlencoded"
        answer = self.server.request(method, path, fields,
                                     None if body is None else body.encode())
        for cookie in answer.all("set-cookie"):
            name, value = cookie.split(";")[0].split("=", 1)
            self.cookies[name] = value
        if answer.status == 303:
            return self.ask("GET", answer.header("location"))
        self.page = answer
        return answer

    def open(self):
        return self.ask("GET", "/")

    @property
    def token(self):
        return re.search(r'name="_csrf" value="([^"]+)"', self.page.text)[1]

    def send(self, action, name="", password="", token=None, headers=None):
        token = self.token if token is None else token
        body = f"_csrf={token}&name={name}&password={password}"
        return self.ask("POST", f"/{action}", body, headers)


@pytest.fixture
def server(serve):
    return serve(LOGIN, workers=2)


def test_a_visit(server):
    one, two = Visitor(server), Visitor(server)
    assert "Welcome, sally." in one.send("join", "sally", PASSWORD).text
    assert "Welcome" not in one.open().text  # shown once
    assert "Hello, sally" in one.page.text
    assert "Who is there?" in two.open().text
    assert two.send("join", "sally", PASSWORD).status == 409
    assert two.send("in", "sally", "another one").status == 403
    assert two.send("in", "nobody", PASSWORD).status == 403
    assert "Welcome, sally." in two.send("in", "sally", PASSWORD).text
    assert "Goodbye." in one.send("out").text
    assert "Who is there?" in one.open().text
    assert "Hello, sally" in two.open().text


def test_what_is_no_account(server):
    visitor = Visitor(server)
    for name, password in (("", PASSWORD), ("a b", PASSWORD),
                           ("%3Cscript%3E", PASSWORD), ("a" * 41, PASSWORD),
                           ("sally", "short")):
        assert visitor.send("join", name, password).status == 422, name
        assert "<script>" not in visitor.page.text


def test_forms_are_not_forged(server):
    visitor, other = Visitor(server), Visitor(server)
    assert visitor.send("join", "sally", PASSWORD, token="").status == 403
    visitor.open()
    assert visitor.send("join", "sally", PASSWORD,
                        token=other.token).status == 403
    visitor.open()
    assert visitor.send("join", "sally", PASSWORD, headers={
        "Origin": "https://evil.example"}).status == 403
    visitor.open()
    before = visitor.token
    assert "Welcome" in visitor.send("join", "sally", PASSWORD).text
    assert visitor.send("out", token=before).status == 403
    assert "Hello, sally" in visitor.open().text


def test_guessing_is_slowed_down(server):
    visitor = Visitor(server)
    codes = [visitor.send("in", "sally", f"guess {n}", token=visitor.token)
             .status for n in range(12)]
    assert codes == [403] * 10 + [429] * 2


def test_a_session_of_another_is_not_had(server):
    visitor, thief = Visitor(server), Visitor(server)
    visitor.send("join", "sally", PASSWORD)
    token = visitor.cookies["login"]
    for i in range(0, len(token), 5):
        thief.cookies["login"] = token[:i] + "_" + token[i + 1:]
        if thief.cookies["login"] != token:
            assert "Who is there?" in thief.open().text, i

"""Header fields that a site gives to every answer."""

NAMES = [f"x-{letter}" for letter in "abcdefgh"]
FIELDS = ", ".join(f'["{name}"] = "1"' for name in reversed(NAMES))


def test_bug_order_of_headers_differs_between_workers(serve):
    site = f"""
        local pl = require "perilune"
        pl.set {{ headers = {{ {FIELDS} }} }}
        pl.get("/", function() return "" end)
    """
    response = serve(site).get("/")
    sent = [name for name, _ in response.headers if name.startswith("x-")]
    assert sent == NAMES

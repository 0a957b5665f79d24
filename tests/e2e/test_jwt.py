"""pl.jwt: tokens of others are verified, ours are verified by others."""

import base64
import json
import time

import pytest

jwt = pytest.importorskip("jwt")
from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import (  # noqa: E402
    ec,
    ed25519,
    rsa,
)

SECRET = "s" * 64
PRIVATE = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "p-256": ec.generate_private_key(ec.SECP256R1()),
    "p-384": ec.generate_private_key(ec.SECP384R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate(),
}
FAMILY = {"HS256": "secret", "HS384": "secret", "HS512": "secret",
          "RS256": "rsa", "RS512": "rsa", "PS256": "rsa", "ES256": "p-256",
          "ES384": "p-384", "EdDSA": "ed25519"}


def pem(key, private=False) -> str:
    form = serialization.Encoding.PEM
    if private:
        return key.private_bytes(form, serialization.PrivateFormat.PKCS8,
                                 serialization.NoEncryption()).decode()
    return key.public_key().public_bytes(
        form, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def sign(claims, algorithm, headers=None, key=None):
    family = FAMILY[algorithm]
    key = key or (SECRET if family == "secret" else PRIVATE[family])
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers)


def b64(data) -> str:
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


FILES = {f"{name}.pem": pem(key) for name, key in PRIVATE.items()}
FILES |= {f"{name}.key": pem(key, True) for name, key in PRIVATE.items()}

SITE = """
local pl = require "perilune"
local function file(name)
  local f = assert(io.open(name))
  local text = f:read "*a"
  f:close()
  return text
end
local secret = ("s"):rep(64)
local keys = { secret, file "rsa.pem", file "p-256.pem", file "p-384.pem",
  file "ed25519.pem" }
local function show(req) return { user = req.user, claims = req.claims } end
pl.get("/any", { auth = pl.jwt { keys = keys, algorithms = { "HS256", "HS384",
  "HS512", "RS256", "RS512", "PS256", "ES256", "ES384", "EdDSA" } } }, show)
pl.get("/usual", { auth = pl.jwt { keys = keys } }, show)
pl.get("/secret", { auth = pl.jwt { key = secret } }, show)
pl.get("/rsa", { auth = pl.jwt { key = file "rsa.pem",
  algorithms = { "RS256", "HS256" } } }, show)
pl.get("/rules", { auth = pl.jwt { key = secret, audience = { "moon", "mars" },
  issuer = "earth", leeway = "5s" } }, show)
pl.get("/optional", { auth = pl.jwt { key = secret, optional = true,
  cookie = "token" } }, show)
pl.get("/check", { auth = pl.jwt { key = secret, check = function(claims)
  return claims.admin
end } }, show)
pl.get("/kid", { auth = pl.jwt { keys = { one = secret,
  two = ("t"):rep(64) } } }, show)
pl.get("/jwks", { auth = pl.jwt { jwks = pl.json.decode(file "jwks.json") } },
  show)
pl.get("/sign/:name", function(req)
  local names = { HS256 = secret, RS256 = file "rsa.key",
    PS256 = file "rsa.key", ES256 = file "p-256.key", ES384 = file "p-384.key",
    EdDSA = file "ed25519.key" }
  return pl.jwt.sign({ sub = "sally", list = { 1, 2 } }, {
    key = names[req.params.name], algorithm = req.params.name, kid = "k",
    expires = "1h" })
end)
pl.get("/stats", function() return pl.workers.stats().auth end)
"""


def number(n: int) -> str:
    return b64(n.to_bytes((n.bit_length() + 7) // 8, "big"))


def jwks():
    r = PRIVATE["rsa"].public_key().public_numbers()
    keys = [
        {"kty": "RSA", "kid": "r", "use": "sig", "alg": "RS256",
         "n": number(r.n), "e": number(r.e)},
        {"kty": "oct", "kid": "o", "k": b64(SECRET.encode()), "alg": "HS256"},
        {"kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB"},
        {"kty": "unheard of"}, {"kty": "EC", "crv": "P-256", "x": "AA"},
        {"kty": "OKP", "kid": "e", "crv": "Ed25519", "x": b64(
            PRIVATE["ed25519"].public_key().public_bytes(
                serialization.Encoding.Raw, serialization.PublicFormat.Raw))},
    ]
    for name, curve, size in (("p-256", "P-256", 32), ("p-384", "P-384", 48)):
        p = PRIVATE[name].public_key().public_numbers()
        keys.append({"kty": "EC", "kid": name, "crv": curve,
                     "x": b64(p.x.to_bytes(size, "big")),
                     "y": b64(p.y.to_bytes(size, "big"))})
    return {"keys": keys}


@pytest.fixture(scope="module")
def site(serve_module):
    return serve_module(SITE, files={**FILES, "jwks.json": json.dumps(jwks())})


def test_the_algorithms(site):
    for name in FAMILY:
        token = sign({"sub": "sally", "exp": int(time.time()) + 60}, name)
        good = site.get("/any", bearer(token))
        assert good.status == 200, name
        assert good.json()["user"] == "sally"
        assert good.json()["claims"]["sub"] == "sally"
        assert site.get("/usual", bearer(token)).status == (
            200 if name in ("HS256", "RS256", "ES256", "ES384", "EdDSA")
            else 401), name
        head, body, tail = token.split(".")
        other = b64({"sub": "neil"})
        for bad in (f"{head}.{other}.{tail}", f"{head}.{body}.{b64(b'x')}",
                    f"{head}.{body}.", f"{head}.{body}", token + "A",
                    f"{head}..{tail}", f".{body}.{tail}", token + ".x"):
            assert site.get("/any", bearer(bad)).status == 401, (name, bad)


def test_every_byte_counts(site):
    for name in ("HS256", "EdDSA", "ES256"):
        token = sign({"sub": "sally"}, name)
        with site.connect() as wire:
            for i, c in enumerate(token):
                bad = token[:i] + ("A" if c != "A" else "B") + token[i + 1:]
                wire.send(f"GET /any HTTP/1.1\r\nHost: a\r\nAuthorization: "
                          f"Bearer {bad}\r\n\r\n".encode())
                assert wire.response().status == 401, (name, i)


def test_a_token_does_not_choose(site):
    """The oldest attacks: `none`, and a public key as a shared secret."""
    public = FILES["rsa.pem"].encode()
    body = b64({"sub": "sally"})
    for alg in ("none", "None", "NONE", "", None, 5, [], {}):
        head = b64({"alg": alg})
        for tail in ("", "x", b64(b"")):
            for path in ("/any", "/usual", "/secret", "/rsa", "/jwks"):
                bad = site.get(path, bearer(f"{head}.{body}.{tail}"))
                assert bad.status == 401, (alg, path)
    import hashlib
    import hmac
    text = b64({"alg": "HS256", "typ": "JWT"}) + "." + body
    forged = text + "." + b64(
        hmac.new(public, text.encode(), hashlib.sha256).digest())
    for path in ("/rsa", "/any", "/usual", "/jwks"):
        assert site.get(path, bearer(forged)).status == 401, path
    crit = jwt.encode({"sub": "a"}, SECRET, algorithm="HS256",
                      headers={"crit": ["b64"], "b64": False})
    assert site.get("/secret", bearer(crit)).status == 401
    assert site.get("/secret", bearer(sign({}, "HS512"))).status == 401


@pytest.mark.parametrize(
    "claims, status",
    [
        ({}, 401),
        ({"aud": "moon"}, 401),
        ({"aud": "moon", "iss": "earth"}, 200),
        ({"aud": ["sun", "mars"], "iss": "earth"}, 200),
        ({"aud": "sun", "iss": "earth"}, 401),
        ({"aud": [], "iss": "earth"}, 401),
        ({"aud": 5, "iss": "earth"}, 401),
        ({"aud": "moon", "iss": "venus"}, 401),
        ({"aud": "moon", "iss": ["earth"]}, 401),
        ({"aud": "moon", "iss": "earth", "exp": -60}, 401),
        ({"aud": "moon", "iss": "earth", "exp": -1}, 200),  # leeway
        ({"aud": "moon", "iss": "earth", "exp": 60}, 200),
        ({"aud": "moon", "iss": "earth", "nbf": 60}, 401),
        ({"aud": "moon", "iss": "earth", "nbf": -60, "iat": -9}, 200),
        ({"aud": "moon", "iss": "earth", "exp": "soon"}, 401),
        ({"aud": "moon", "iss": "earth", "nbf": True}, 401),
    ],
)
def test_claims(site, claims, status):
    now = int(time.time())
    claims = {k: now + v if k in ("exp", "nbf", "iat") and type(v) is int
              else v for k, v in claims.items()}
    text = b64({"alg": "HS256"}) + "." + b64(claims)
    import hashlib
    import hmac
    token = text + "." + b64(
        hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest())
    answer = site.get("/rules", bearer(token))
    assert answer.status == status
    said = answer.header("www-authenticate") or ""
    assert ('error="invalid_token"' in said) == (status == 401)


def test_an_audience_that_nobody_expects(site):
    token = sign({"aud": "somebody"}, "HS256")
    assert site.get("/secret", bearer(token)).status == 401


def test_what_is_no_token(site):
    assert site.get("/secret").header("www-authenticate") == (
        'Bearer realm="perilune"')
    for field in ("Bearer", "Basic eDp5", "Token a.b.c"):
        bad = site.get("/secret", {"Authorization": field})
        assert bad.status == 401
        assert "error" not in bad.header("www-authenticate")
    for token in ("x", "a.b.c", "....", "a" * 20000, "é.ü.ö", b64([1]) + ".a.b",
                  "!!.!!.!!"):
        bad = site.get("/secret", bearer(token))
        assert bad.status == 401
        assert "invalid_token" in bad.header("www-authenticate"), token


def test_options(site):
    token = sign({"sub": "sally"}, "HS256")
    assert site.get("/optional").json() in ({}, [])
    assert site.get("/optional", bearer("bad")).status == 401
    assert site.get("/optional", {"Cookie": f"token={token}"}).json()[
        "user"] == "sally"
    assert site.get("/check", bearer(token)).status == 401
    admin = sign({"admin": True}, "HS256")
    assert site.get("/check", bearer(admin)).status == 200


def test_key_ids(site):
    other = "t" * 64
    for key, kid, status in ((SECRET, "one", 200), (SECRET, "two", 401),
                             (other, "two", 200), (other, "three", 401),
                             (other, None, 200)):
        token = sign({}, "HS256", {"kid": kid} if kid else None, key)
        assert site.get("/kid", bearer(token)).status == status, kid


def test_sets_of_keys(site):
    for name, kid in (("RS256", "r"), ("HS256", "o"), ("ES256", "p-256"),
                      ("ES384", "p-384"), ("EdDSA", "e")):
        assert site.get("/jwks", bearer(
            sign({}, name, {"kid": kid}))).status == 200, name
        assert site.get("/jwks", bearer(
            sign({}, name, {"kid": "x"}))).status == 401, name
    assert site.get("/jwks", bearer(sign({}, "PS256"))).status == 401


@pytest.mark.parametrize(
    "name", ["HS256", "RS256", "PS256", "ES256", "ES384", "EdDSA"])
def test_others_verify_ours(site, name):
    token = site.get(f"/sign/{name}").text
    family = FAMILY[name]
    key = SECRET if family == "secret" else PRIVATE[family].public_key()
    claims = jwt.decode(token, key, algorithms=[name])
    assert claims["sub"] == "sally" and claims["list"] == [1, 2]
    assert claims["exp"] - claims["iat"] == 3600
    assert jwt.get_unverified_header(token) == {
        "alg": name, "typ": "JWT", "kid": "k"}
    assert site.get("/any", bearer(token)).status == 200


# RFC 7515, A.1, A.2, A.3; RFC 8037, A.4
RFC = """
local pl = require "perilune"
local k = pl.base64.decode_url(
  "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0i"
  .. "PS4hcgUuTwjAzZr1Z9CAow")
local token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
  .. "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
  .. "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
  .. "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
local claims, err = pl.jwt.verify(token, { key = k })
assert(not claims and err.code == "denied")
assert(tostring(err):find "has expired", tostring(err))
claims = assert(pl.jwt.verify(token, { key = k, leeway = 2 ^ 30 }))
assert(claims.iss == "joe" and claims["http://example.com/is_root"] == true)

local es = { keys = { { kty = "EC", crv = "P-256",
  x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
  y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" } } }
claims = assert(pl.jwt.verify("eyJhbGciOiJFUzI1NiJ9."
  .. "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
  .. "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
  .. "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
  .. "pmWQxfKTUJqPP3-Kg6NU1Q", { jwks = es, leeway = 2 ^ 30 }))
assert(claims.iss == "joe")

for text, wrong in pairs {
  ["pl.jwt.verify('a.b.c', {})"] = "one of the options key, keys, jwks",
  ["pl.jwt.verify('a.b.c', { key = 'short' })"] = "has 5 bytes; HS256 needs 32",
  ["pl.jwt.verify('a', { key = 5 })"] = "a key is a secret",
  ["pl.jwt.verify('a', { key = ('k'):rep(32), algorithms = 'none' })"] =
    "there is no 'none'",
  ["pl.jwt.sign({}, { key = ('k'):rep(32), algorithm = 'RS256' })"] =
    "'RS256' is no algorithm for this key",
  ["pl.jwt.sign({}, { key = '-----BEGIN PUBLIC KEY-----' })"] = "pl.jwt.sign: ",
  ["pl.jwt.sign(5)"] = "the claims must be a table",
  ["pl.jwt.verify('a', { jwks = {} })"] = "option 'jwks' must be a table",
} do
  local ok, why = pcall(assert((loadstring or load)(
    "local pl = require 'perilune' " .. text, "=chunk")))
  assert(not ok and tostring(why):find(wrong, 1, true), text .. ": "
    .. tostring(why))
end
print "ok"
"""


def test_vectors_and_misuse(command):
    done = command("run", "rfc.lua", files={"rfc.lua": RFC})
    assert done.stdout == "ok\n", done.stderr


def test_counts(serve):
    server = serve(SITE, workers=1,
                   files={**FILES, "jwks.json": json.dumps(jwks())})
    server.get("/secret", bearer("a.b.c"))
    server.get("/secret")
    assert server.get("/stats").json() == {"denied": 1, "forged": 1}

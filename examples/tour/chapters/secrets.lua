-- secrets.lua - chapter: passwords, signatures, encryption.

local pl = require "perilune"
local crypto = pl.crypto

-- example: passwords
local password = crypto.password
local hashes = {}

pl.post("/secrets/join", function(req)
  local form = req:form() or {}
  local hash, err = password.hash(form.password or "")
  if not hash then
    return 400, err.message
  end
  hashes[form.name or ""] = hash
  return hash
end)

pl.post("/secrets/login", function(req)
  local form = req:form() or {}
  local hash = hashes[form.name or ""]
  if not hash then
    return "nobody of that name on this worker\n"
  end
  local good = password.verify(form.password or "", hash)
  return good and "welcome\n" or "no\n"
end)
-- end

-- example: hash
pl.post("/secrets/hash", function(req)
  local hash = crypto.hash_new "sha256"
  for piece in req:chunks() do
    hash:update(piece)
  end
  return hash:final "hex" .. "\n"
end)
-- end

-- example: seal
local key = crypto.random(32)

pl.get("/secrets/seal", function(req)
  local text = req:arg "text" or "one small step"
  local sealed = crypto.encrypt("aes-256-gcm", key, text)
  local changed = sealed:sub(1, -2) .. "?"
  local _, err = crypto.decrypt("aes-256-gcm", key, changed)
  return {
    sealed = pl.base64.encode_url(sealed),
    opened = crypto.decrypt("aes-256-gcm", key, sealed),
    changed = err and err.message,
  }
end)
-- end

-- example: sign
pl.get("/secrets/token", function()
  local pair = crypto.generate_key "ed25519"
  local encode = pl.base64.encode_url
  local text = encode(pl.json.encode { alg = "EdDSA" }) .. "."
    .. encode(pl.json.encode { sub = "Buzz" })
  local signature = pair:sign(text)
  return {
    token = text .. "." .. encode(signature),
    good = pair:verify(text, signature),
    forged = pair:verify(text .. "x", signature),
  }
end)
-- end

return {
  title = "Passwords and secrets",
  summary = "Hashes, signatures and encryption that are hard to get wrong.",
  sections = {
    {
      title = "Passwords",
      text = [[
<p>Argon2id takes some hundredths of a second and 19&nbsp;MiB, on purpose. It
runs on a thread made for that: the call waits, the worker does not.
<code>verify</code> also knows what other programs have stored.</p>]],
      example = "passwords",
      form = {
        action = "/secrets/join", button = "Join",
        fields = [[
<label>Name <input name="name" value="Michael"></label>
<label>Password <input name="password" value="columbia"></label>]],
      },
    },
    {
      title = "Hashes",
      text = [[
<p>Whole, or piece by piece as a body arrives, however long it is.</p>]],
      example = "hash",
      shell = [[
$ printf moon | curl -s @origin@/secrets/hash --data-binary @-
9e78b43ea00edcac8299e0cc8df7f6f913078171335f733a21d5d911b6999132]],
    },
    {
      title = "Encryption",
      text = [[
<p>Each text gets a nonce of its own, and any change is noticed. There are no
modes to choose from that would not.</p>]],
      example = "seal",
      links = { "/secrets/seal", "/secrets/seal?text=for+your+eyes" },
    },
    {
      title = "Signatures",
      text = [[
<p>Ed25519, ECDSA and RSA, with keys in PEM; the raw forms that JSON Web Tokens
want are an option.</p>]],
      example = "sign",
      links = { "/secrets/token" },
    },
  },
}

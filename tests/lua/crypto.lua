-- crypto.lua - pl.crypto: vectors of the documents that define the algorithms,
-- and what happens to those who hold them wrongly.

local pl = require "perilune"
local check = require "check"
local equal, fails, raises, yes, hex =
  check.equal, check.fails, check.raises, check.yes, check.hex
local crypto = pl.crypto
local unpack = table.unpack or unpack

-- ---- without the plug-in ---------------------------------------------------

equal(0, #crypto.random(0))
equal(1000, #crypto.random(1000))
yes(crypto.random(16) ~= crypto.random(16), "random")
equal(43, #crypto.token())
yes(crypto.token():match "^[%w_-]+$", "a token")
equal(22, #crypto.token(16))
raises({ "whole number from 16 to 256" }, crypto.token, 8)
raises({ "crypto.lua:", "pl.crypto.random: the number must be a whole number" },
  function() return (crypto.random(-1)) end)
local counts = {}
for _ = 1, 6000 do
  local n = crypto.random_int(1, 6)
  counts[n] = (counts[n] or 0) + 1
end
equal(6, #counts)
for i = 1, 6 do -- 1000 expected; 8 standard deviations are 231
  yes(counts[i] > 769 and counts[i] < 1231, "fair: " .. counts[i])
end
equal(7, crypto.random_int(7, 7))
yes(crypto.random_int(-2 ^ 52, 2 ^ 52) ~= crypto.random_int(-2 ^ 52, 2 ^ 52))
raises({ "the highest must be a whole number" }, crypto.random_int, 2, 1)
yes(crypto.equal("a\0b", "a\0b") and crypto.equal("", ""), "equal")
yes(not crypto.equal("a", "b") and not crypto.equal("a", "ab"), "not equal")
yes(not crypto.equal("\0a", "\0b"), "after a NUL")
raises({ "the second must be a string" }, crypto.equal, "a")
equal(nil, rawget(crypto, "hash"), "loaded when first used")

-- ---- hashes ----------------------------------------------------------------

-- FIPS 180-4 and 202, RFC 7693 (A), RFC 1321 (A.5): of "abc"
local abc = {
  sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  sha1 = "a9993e364706816aba3e25717850c26c9cd0d89d",
  md5 = "900150983cd24fb0d6963f7d28e17f72",
  sha384 = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"
    .. "1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
  sha512 = "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    .. "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
  ["sha3-256"] =
    "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
  ["sha3-384"] = "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c25"
    .. "96da7cf0e49be4b298d88cea927ac7f539f1edf228376d25",
  ["sha3-512"] =
    "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
    .. "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",
  blake2b512 =
    "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
    .. "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
  blake2s256 =
    "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982",
}
for name, want in pairs(abc) do
  equal(want, crypto.hash(name, "abc", "hex"), name)
  local hash = crypto.hash_new(name)
  equal(hash, hash:update "a")
  equal(want, hash:update(""):update "bc":final "hex", name .. " in pieces")
  raises({ "hash:final: the hash was finished" }, hash.final, hash)
  raises({ "hash:update: the hash was finished" }, hash.update, hash, "x")
end
equal("ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
  crypto.hash("sha256", "abc", "base64"))
equal("ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0",
  crypto.hash("sha256", "abc", "base64url"))
equal(32, #crypto.hash("sha256", ""))
raises({ "crypto.lua:",
  "pl.crypto.hash: no such hash: 'sha255' (there are sha256" },
  function() return (crypto.hash("sha255", "")) end)
raises({ "the form must be hex, base64 or base64url" }, crypto.hash, "md5", "",
  "HEX")
raises({ "the data must be a string, not nil" }, crypto.hash, "md5")

-- RFC 4231, 4.2 to 4.8: key, data, sha256 and sha512 (the first 16 bytes)
local hmacs = {
  { ("\11"):rep(20), "Hi There",
    "b0344c61d8db38535ca8afceaf0bf12b", "87aa7cdea5ef619d4ff0b4241a1d6cb0" },
  { "Jefe", "what do ya want for nothing?",
    "5bdcc146bf60754e6a042426089575c7", "164b7a7bfcf819e2e395fbe73b56e0a3" },
  { ("\170"):rep(20), ("\221"):rep(50),
    "773ea91e36800e46854db8ebd09181a7", "fa73b0089d56a284efb0f0756c890be9" },
  { hex "0102030405060708090a0b0c0d0e0f10111213141516171819",
    ("\205"):rep(50),
    "82558a389a443c0ea4cc819899f2083a", "b0ba465637458c6990e5a8c5f61d4af7" },
  { ("\12"):rep(20), "Test With Truncation",
    "a3b6167473100ee06e0c796c2955552b", "415fad6271580a531d4179bc891d87a6" },
  { ("\170"):rep(131), "Test Using Larger Than Block-Size Key - Hash Key First",
    "60e431591ee0b67f0d8a26aacbf5b77f", "80b24263c7c1a3ebb71493c1dd7be8b4" },
  { ("\170"):rep(131), "This is a test using a larger than block-size key and a"
    .. " larger than block-size data. The key needs to be hashed before being"
    .. " used by the HMAC algorithm.",
    "9b09ffa71b942fcb27635fbcd5b0e944", "e37b6a775dc87dbaa4dfa9f96e5e3ffd" },
}
for i, case in ipairs(hmacs) do
  local key, data = case[1], case[2]
  equal(case[3], crypto.hmac("sha256", key, data, "hex"):sub(1, 32), i)
  equal(case[4], crypto.hmac("sha512", key, data, "hex"):sub(1, 32), i)
  equal(crypto.hmac("sha256", key, data),
    crypto.hmac_new("sha256", key):update(data:sub(1, 3)):update(data:sub(4))
      :final())
end
equal("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad",
  crypto.hmac("sha256", "", "", "hex"), "an empty key is a key")

-- ---- encryption ------------------------------------------------------------

-- The GCM specification (McGrew and Viega), B, test cases 13 to 16
local gcm_key = hex [[feffe9928665731c6d6a8f9467308308
  feffe9928665731c6d6a8f9467308308]]
local gcm_nonce = hex "cafebabefacedbaddecaf888"
local gcm_text = hex [[d9313225f88406e5a55909c5aff5269a
  86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525
  b16aedf5aa0de657ba637b391aafd255]]
local gcm_out = hex [[522dc1f099567d07f47f37a32a84427d
  643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838
  c5f61e6393ba7a0abcc9f662898015ad]]
local zero32, zero12 = ("\0"):rep(32), ("\0"):rep(12)
local aead = {
  { "aes-256-gcm", zero32, zero12, "", "",
    hex "530f8afbc74536b9a963b4f1c4cb738b" },
  { "aes-256-gcm", zero32, zero12, ("\0"):rep(16), "",
    hex "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919" },
  { "aes-256-gcm", gcm_key, gcm_nonce, gcm_text, "",
    gcm_out .. hex "b094dac5d93471bdec1a502270e3cc6c" },
  { "aes-256-gcm", gcm_key, gcm_nonce, gcm_text:sub(1, 60),
    hex "feedfacedeadbeeffeedfacedeadbeefabaddad2",
    gcm_out:sub(1, 60) .. hex "76fc6ece0f4e1768cddf8853bb2d551b" },
  -- RFC 8439, 2.8.2
  { "chacha20-poly1305",
    hex [[808182838485868788898a8b8c8d8e8f
      909192939495969798999a9b9c9d9e9f]], hex "070000004041424344454647",
    "Ladies and Gentlemen of the class of '99: If I could offer you only one "
      .. "tip for the future, sunscreen would be it.",
    hex "50515253c0c1c2c3c4c5c6c7",
    hex [[d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6
      3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36
      92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc
      3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd060
      0691]] },
}
for i, case in ipairs(aead) do
  local cipher, key, nonce, text, aad, want = unpack(case)
  local options = { nonce = nonce, aad = aad }
  equal(pl.hex.encode(want),
    pl.hex.encode(crypto.encrypt(cipher, key, text, options)), i)
  equal(text, crypto.decrypt(cipher, key, want, options), i)
end

for _, cipher in ipairs { "aes-256-gcm", "chacha20-poly1305" } do
  local key, text = crypto.random(32), "the text"
  local sealed = crypto.encrypt(cipher, key, text)
  equal(12 + #text + 16, #sealed)
  yes(sealed ~= crypto.encrypt(cipher, key, text), "a nonce of its own")
  equal(text, crypto.decrypt(cipher, key, sealed))
  equal("", crypto.decrypt(cipher, key, crypto.encrypt(cipher, key, "")))
  -- every bit counts: never rubbish, always an error
  for at = 1, #sealed do
    local bad = sealed:sub(1, at - 1)
      .. string.char((sealed:byte(at) + 1) % 256) .. sealed:sub(at + 1)
    fails("denied", crypto.decrypt, cipher, key, bad)
    fails("denied", crypto.decrypt, cipher, key, sealed:sub(1, at - 1))
  end
  fails("denied", crypto.decrypt, cipher, crypto.random(32), sealed)
  fails("denied", crypto.decrypt, cipher, key, sealed, { aad = "x" })
  local bound = crypto.encrypt(cipher, key, text, { aad = "user 1" })
  fails("denied", crypto.decrypt, cipher, key, bound)
  equal(text, crypto.decrypt(cipher, key, bound, { aad = "user 1" }))
  raises({ "crypto.lua:",
    "pl.crypto.encrypt: the key must have 32 bytes, not 31" },
    function() return (crypto.encrypt(cipher, key:sub(2), text)) end)
  raises({ "option 'nonce' must have 12 bytes, not 11" }, crypto.encrypt,
    cipher, key, text, { nonce = ("x"):rep(11) })
end
raises({ "no such cipher: 'aes-128-ecb'" }, crypto.encrypt, "aes-128-ecb",
  zero32, "")
raises({ "unknown option 'add'; did you mean 'aad'?" }, crypto.encrypt,
  "aes-256-gcm", zero32, "", { add = "x" })

-- ---- derivation ------------------------------------------------------------

-- RFC 5869, A.1 to A.3
equal([[3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf]]
  .. "34007208d5b887185865",
  pl.hex.encode(crypto.hkdf("sha256", ("\11"):rep(22), 42, {
    salt = hex "000102030405060708090a0b0c",
    info = hex "f0f1f2f3f4f5f6f7f8f9",
  })))
local function series(from, to)
  local out = {}
  for byte = from, to do
    out[#out + 1] = string.char(byte)
  end
  return table.concat(out)
end
equal("b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
  .. "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
  .. "cc30c58179ec3e87c14c01d5c1f3434f1d87",
  pl.hex.encode(crypto.hkdf("sha256", series(0, 0x4f), 82, {
    salt = series(0x60, 0xaf), info = series(0xb0, 0xff) })))
equal("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
  .. "9d201395faa4b61a96c8",
  pl.hex.encode(crypto.hkdf("sha256", ("\11"):rep(22), 42)))
raises({ "the length must be a whole number from 1 to 8160" }, crypto.hkdf,
  "sha256", "x", 8161)
raises({ "the secret is empty" }, crypto.hkdf, "sha256", "", 32)

-- RFC 6070 (SHA-1), RFC 7914, 11 (SHA-256) and 12
equal("4b007901b765489abead49d926f721d065a429c1", pl.hex.encode(
  crypto.pbkdf2("sha1", "password", "salt", 4096, 20)))
equal("56fa6aa75548099dcc37d7f03425e0c3", pl.hex.encode(
  crypto.pbkdf2("sha1", "pass\0word", "sa\0lt", 4096, 16)))
equal("55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc",
  pl.hex.encode(crypto.pbkdf2("sha256", "passwd", "salt", 1, 32)))
equal("77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
  .. "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906",
  pl.hex.encode(crypto.scrypt("", "", 64, { n = 16, r = 1, p = 1 })))
equal("fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
  .. "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640",
  pl.hex.encode(crypto.scrypt("password", "NaCl", 64,
    { n = 1024, r = 8, p = 16 })))
raises({ "crypto.lua:", "pl.crypto.scrypt: option 'n' must be a power of two" },
  function() return (crypto.scrypt("", "", 32, { n = 1000 })) end)
raises({ "more than 256 MiB" }, crypto.scrypt, "", "", 32,
  { n = 2 ^ 22, r = 8 })
raises({ "the iterations must be a whole number from 1" }, crypto.pbkdf2,
  "sha256", "", "", 0, 32)

-- ---- signatures ------------------------------------------------------------

-- RFC 8032, 7.1: PKCS #8 and X.509 are a fixed head and the key
local function pem(kind, der)
  return ("-----BEGIN %s KEY-----\n%s\n-----END %s KEY-----\n"):format(kind,
    pl.base64.encode(der), kind)
end
local ed_head = hex "302e020100300506032b657004220420"
local ed_public_head = hex "302a300506032b6570032100"
local eds = {
  { "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
      .. "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
  { "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
      .. "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
  { "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
      .. "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" },
}
for i, case in ipairs(eds) do
  local key = assert(crypto.key(pem("PRIVATE", ed_head .. hex(case[1]))))
  local public = pem("PUBLIC", ed_public_head .. hex(case[2]))
  equal({ "ed25519", true }, { key:kind(), key:is_private() })
  equal(public, key:public_pem())
  local message = hex(case[3])
  equal(case[4], pl.hex.encode(key:sign(message)), i)
  yes(crypto.verify(public, message, hex(case[4])), i)
  yes(not crypto.verify(public, message .. "x", hex(case[4])), i)
end

local kinds = {
  { crypto.generate_key "ed25519", {} },
  { crypto.generate_key "p-256", {} },
  { crypto.generate_key "p-256", { format = "raw", hash = "sha256" } },
  { crypto.generate_key "p-384", { format = "raw", hash = "sha384" } },
  { crypto.generate_key("rsa", { bits = 2048 }), {} },
  { crypto.generate_key("rsa", { bits = 2048 }),
    { padding = "pkcs1", hash = "sha512" } },
}
for i, case in ipairs(kinds) do
  local key, options = case[1], case[2]
  local signature = assert(key:sign("data", options))
  if options.format == "raw" then
    equal(key:bits() / 4, #signature)
  end
  local again = assert(crypto.key(key:private_pem()))
  local public = assert(crypto.key(key:public_pem()))
  yes(again:is_private() and not public:is_private(), i)
  equal(key:kind(), public:kind())
  yes(public:verify("data", signature, options), i)
  yes(again:verify("data", again:sign("data", options), options), i)
  for at = 1, #signature, 7 do
    local bad = signature:sub(1, at - 1)
      .. string.char((signature:byte(at) + 1) % 256) .. signature:sub(at + 1)
    equal(false, public:verify("data", bad, options), i)
    equal(false, public:verify("data", signature:sub(1, at - 1), options), i)
  end
  equal(false, public:verify("date", signature, options), i)
  equal(false, public:verify("data", signature .. "x", options), i)
  fails("invalid", crypto.sign, public, "data", options)
  raises({ "key:private_pem: this is a public key" }, public.private_pem,
    public)
end
-- one scheme of a key is not another one
local rsa = kinds[5][1]
equal(false, rsa:verify("x", rsa:sign("x"), { padding = "pkcs1" }))
equal(false, rsa:verify("x", rsa:sign("x", { hash = "sha384" })))

for _, bad in ipairs { "", "x", "-----BEGIN PUBLIC KEY-----\nAAAA\n"
  .. "-----END PUBLIC KEY-----\n", ("-----BEGIN PRIVATE KEY-----\n"):rep(9) } do
  fails("syntax", crypto.key, bad)
end
fails("limit", crypto.key, ("x"):rep(70000))
-- RFC 8410, 7: a key of OpenSSL's genpkey with a password, and no terminal
raises({ "crypto.lua:", "pl.crypto.sign: pl.crypto.key: no key in PEM" },
  function() return (crypto.sign("nonsense", "data")) end)
raises({ "Ed25519 has its own hash" }, crypto.sign, kinds[1][1], "",
  { hash = "sha256" })
raises({ "padding is for keys of RSA" }, crypto.sign, kinds[2][1], "",
  { padding = "pkcs1" })
raises({ "format is for keys of curves" }, crypto.sign, rsa, "",
  { format = "raw" })
raises({ "option 'padding' must be pss or pkcs1" }, crypto.sign, rsa, "",
  { padding = "none" })
raises({ "no such kind: 'dsa'" }, crypto.generate_key, "dsa")
raises({ "option 'bits' must be a whole number from 2048" },
  crypto.generate_key, "rsa", { bits = 1024 })
raises({ "option 'bits' is for rsa" }, crypto.generate_key, "p-256",
  { bits = 256 })
raises({ "crypto" }, crypto.sign, {}, "data")

-- JWS: RFC 7515, A.1 (HS256)
local jwt_key = assert(pl.base64.decode_url(
  "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwj"
  .. "AzZr1Z9CAow"))
equal("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", crypto.hmac("sha256",
  jwt_key, "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJle"
  .. "HAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ",
  "base64url"))

-- ---- passwords -------------------------------------------------------------

local password = crypto.password
local cheap = { memory = "64k", iterations = 1 }
local hash = assert(password.hash("moon", cheap))
yes(hash:match "^%$argon2id%$v=19%$m=64,t=1,p=1%$[^$]+%$[^$]+$", hash)
yes(hash ~= password.hash("moon", cheap), "a salt of its own")
equal(true, password.verify("moon", hash))
equal(false, password.verify("Moon", hash))
equal(false, password.verify("", hash))
equal(true, password.verify("", password.hash("", cheap)))
equal(true, password.verify("a\0b", password.hash("a\0b", cheap)))
equal(false, password.verify("a\0c", password.hash("a\0b", cheap)))
equal(true, password.needs_rehash(hash))
equal(false, password.needs_rehash(hash, cheap))
equal(false, password.needs_rehash("$argon2id$v=19$m=19456,t=2,p=1$x$y"))
equal(true, password.needs_rehash "$6$x$y")
yes(password.verify("moon", assert(password.hash("moon"))), "default costs")
fails("too_long", password.hash, ("x"):rep(4097))
fails("too_long", password.verify, ("x"):rep(4097), hash)
raises({ "option 'memory' must be a size like" }, password.hash, "x",
  { memory = "much" })
raises({ "option 'memory' must be a whole number from 8" }, password.hash, "x",
  { memory = 1024 })
raises({ "the password must be a string" }, password.hash)

-- The reference implementation's own (phc-winner-argon2, src/test.c), version
-- 1.3 with a salt of text; RFC 9106's vectors need a secret and associated
-- data, which encoded hashes do not have.
equal(true, password.verify("password",
  "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ"
  .. "$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"))
equal(true, password.verify("password",
  "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ"
  .. "$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA"))
-- crypt(3): SHA-crypt as another implementation makes it (openssl passwd), and
-- a vector of bcrypt's tests
equal(true, password.verify("Hello world!", "$6$saltstring$svn8UoSVapNtMuq1ukKS"
  .. "4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"))
equal(true, password.verify("Hello world!",
  "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"))
equal(true, password.verify("U*U",
  "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"))
equal(false, password.verify("U*u",
  "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"))
equal(false, password.verify("Hello\0world!",
  "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"))
-- what is no hash of ours, or not worth the day it takes
for _, bad in ipairs { "", "plain", "*", "!", "$", "$99$x$y", "rEK1ecacw.7.c",
  "$2b$05$", ("$6$" .. ("x"):rep(600)), "$6$a\0b" } do
  fails("unsupported", password.verify, "x", bad)
end
fails("syntax", password.verify, "x", "$argon2id$v=19$m=64,t=1,p=1$!$!")
fails("limit", password.verify, "x",
  "$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$AAAA")
fails("limit", password.verify, "x",
  "$argon2id$v=19$m=64,t=4294967295,p=1$c29tZXNhbHQ$AAAA")
fails("limit", password.verify, "x", "$argon2id$")

-- The worker goes on meanwhile; a task that gives up does not wait for the
-- thread.
local order = {}
pl.all {
  function()
    password.hash("moon")
    order[#order + 1] = "hash"
  end,
  function()
    order[#order + 1] = "other"
  end,
}
equal({ "other", "hash" }, order)
local value, err = pl.timeout(0.0001, function()
  return password.hash("moon", { memory = "64m", iterations = 3 })
end)
equal({ value, "timeout" }, { nil, err.code })
local ok, message = pcall(string.gsub, "x", "x", function()
  password.hash("moon")
end)
yes(not ok and tostring(message):find("pl.crypto.password.hash: cannot wait", 1,
  true), message)

---@meta _
-- crypto.lua - pl.crypto, of the plug-in: hashes, keys, passwords.

---@class pl
local pl = {}

---@alias pl.TextForm "hex"|"base64"|"base64url"

---@class pl.Crypto
pl.crypto = {}

---@param n integer
---@return string bytes
function pl.crypto.random(n) end

---@param low integer
---@param high integer
---@return integer
function pl.crypto.random_int(low, high) end

---@param n? integer bytes of randomness
---@return string
function pl.crypto.token(n) end

---@param a string
---@param b string
---@return boolean
function pl.crypto.equal(a, b) end

---@param name string `"sha256"`, ...
---@param data string
---@param form? pl.TextForm
---@return string
function pl.crypto.hash(name, data, form) end

---@param name string
---@param key string
---@param data string
---@param form? pl.TextForm
---@return string
function pl.crypto.hmac(name, key, data, form) end

---@class pl.Hash
local Hash = {}

---@param data string
---@return pl.Hash
function Hash:update(data) end

---@param form? pl.TextForm
---@return string
function Hash:final(form) end

---@param name string
---@return pl.Hash
function pl.crypto.hash_new(name) end

---@param name string
---@param key string
---@return pl.Hash
function pl.crypto.hmac_new(name, key) end

---@class pl.SealOptions
---@field nonce? string
---@field aad? string

---@alias pl.Cipher "aes-256-gcm"|"chacha20-poly1305"

---@param cipher pl.Cipher
---@param key string 32 bytes
---@param text string
---@param options? pl.SealOptions
---@return string bytes
function pl.crypto.encrypt(cipher, key, text, options) end

---@param cipher pl.Cipher
---@param key string 32 bytes
---@param bytes string
---@param options? pl.SealOptions
---@return string? text, pl.Error? err
function pl.crypto.decrypt(cipher, key, bytes, options) end

---@param hash string
---@param secret string
---@param length integer
---@param options? { salt?: string, info?: string }
---@return string bytes
function pl.crypto.hkdf(hash, secret, length, options) end

---@async
---@param hash string
---@param password string
---@param salt string
---@param iterations integer
---@param length integer
---@return string? bytes, pl.Error? err
function pl.crypto.pbkdf2(hash, password, salt, iterations, length) end

---@async
---@param password string
---@param salt string
---@param length integer
---@param options? { n?: integer, r?: integer, p?: integer }
---@return string? bytes, pl.Error? err
function pl.crypto.scrypt(password, salt, length, options) end

---@class pl.SignOptions
---@field hash? string
---@field padding? "pss"|"pkcs1"
---@field format? "der"|"raw"

---@class pl.Key
local Key = {}

---@return "ed25519"|"ec"|"rsa"
function Key:kind() end

---@return integer
function Key:bits() end

---@return boolean
function Key:is_private() end

---@return string
function Key:private_pem() end

---@return string
function Key:public_pem() end

---@param data string
---@param options? pl.SignOptions
---@return string? signature, pl.Error? err
function Key:sign(data, options) end

---@param data string
---@param signature string
---@param options? pl.SignOptions
---@return boolean
function Key:verify(data, signature, options) end

---@param pem string
---@param password? string
---@return pl.Key? key, pl.Error? err
function pl.crypto.key(pem, password) end

---Waits for "rsa".
---@async
---@param kind "ed25519"|"p-256"|"p-384"|"rsa"
---@param options? { bits?: integer }
---@return pl.Key? key, pl.Error? err
function pl.crypto.generate_key(kind, options) end

---@param key pl.Key|string
---@param data string
---@param options? pl.SignOptions
---@return string? signature, pl.Error? err
function pl.crypto.sign(key, data, options) end

---@param key pl.Key|string
---@param data string
---@param signature string
---@param options? pl.SignOptions
---@return boolean
function pl.crypto.verify(key, data, signature, options) end

---@class pl.PasswordOptions
---@field memory? string|integer
---@field iterations? integer
---@field parallelism? integer

pl.crypto.password = {}

---@async
---@param text string
---@param options? pl.PasswordOptions
---@return string? hash, pl.Error? err
function pl.crypto.password.hash(text, options) end

---@async
---@param text string
---@param hash string
---@return boolean? good, pl.Error? err
function pl.crypto.password.verify(text, hash) end

---@param hash string
---@param options? pl.PasswordOptions
---@return boolean
function pl.crypto.password.needs_rehash(hash, options) end

-- aio.lua - require "aio.aio": `aio` and its globals, as scripts of 80s have
-- them.

aio = require "perilune".aio
codec, crypto = aio.codec, aio.crypto
iserror, make_error = aio.iserror, aio.make_error

return aio

-- aio.lua - require "aio.aio": the global `aio`, as scripts of 80s have it.

aio = require "perilune".aio

return aio

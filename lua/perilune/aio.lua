-- aio.lua - require "perilune.aio": promises, queries of pages (lib/aio.lua).

return require "perilune".aio

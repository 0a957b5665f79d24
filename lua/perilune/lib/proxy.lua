-- proxy.lua - req.proxy: what a PROXY header said. Loaded when first asked for.

local core, _, proxy = ...

core.request_getters.proxy = proxy.info

-- signal.lua - one task waits for another (src/lua/signal.c), for parts of the
-- library: core.signal(), core.await_signal(signal, call), core.fire(signal).

local core, _, c = ...

c.open()
core.signal, core.await_signal, core.fire = c.signal, c.await, c.fire

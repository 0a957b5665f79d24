-- persist.lua - pl.persist: plain data of a worker that outlive a reload.

local _, pl, c = ...

--- A table of each worker. What is in it when a reload takes over is in that
--- of the new generation before its pl.on("start"): booleans, numbers, strings,
--- and tables of these, at most 1 MiB. Other fields stay behind.
pl.persist = {}
c.keep(pl)

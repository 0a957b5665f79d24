-- identity.lua - who a request is from: what the filters of pl.basic, pl.jwt,
-- pl.session and pl.csrf have in common. Loaded with the first of them.

local core, _, c = ...

core.auth = c

-- Who has logged in, unless a script says something else.
core.request_defaults.user = c.user

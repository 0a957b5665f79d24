-- cgi.lua - req.env: the variables of CGI. Loaded when first asked for.

local core, _, cgi = ...

core.request_getters.env = cgi.env

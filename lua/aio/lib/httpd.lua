-- httpd.lua - require "aio.lib.httpd": the content server, as scripts of 80s
-- start it.

return require "perilune".content.httpd

-- A site of PHP: php-fpm runs the scripts, the rest is served from here.
--
--     build/perilune examples/php -p 8080
--
-- PHP_FPM says where php-fpm listens, if not where Debian's does.

local pl = require "perilune"

pl.get("/health", function()
  return "well"
end)

pl.fastcgi("/", {
  to = pl.env("PHP_FPM", "unix:/run/php/php-fpm.sock"),
  root = "public",
  static = true,             -- files that are no scripts
  fallback = "index.php",    -- the front controller
  no_scripts = "uploads",    -- what visitors have sent us is never run
  request_id = true,
})

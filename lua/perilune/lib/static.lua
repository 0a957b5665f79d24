-- static.lua - pl.static: the files of a folder.

local core, pl, c = ...
local mount, in_folder = c.mount, core.in_folder
local check_loading, check_string, check_options =
  core.check_loading, core.check_string, core.check_options
local setmetatable, type = setmetatable, type

local static_options = {
  root = "text", index = "names", fallback = "text", not_found = "text",
  symlinks = "text", cache = "duration", preload = "flag_or_size",
  precompressed = "flag", dot_files = "flag", expires = "duration",
  cache_control = "text", listing = "flag_or_text",
}
for i = 1, #core.filter_options do
  static_options[core.filter_options[i]] = "any"
end

--- pl.static(prefix, { root = "public", index = "index.html", fallback,
--- not_found, symlinks = "inside", cache = "1s", preload = false,
--- precompressed = true, dot_files = false, listing = false, expires,
--- cache_control }), and filters as routes have them.
--- index: a name or a list of names; false: no index files. cache = false: the
--- disk is asked each time.
function pl.static(prefix, options)
  check_loading("pl.static")
  check_string("pl.static", "the prefix", prefix)
  options = check_options("pl.static", static_options, options)
  check_string("pl.static", "option 'root'", options.root)
  local index, cache, listing =
    options.index, options.cache, options.listing
  if type(listing) == "string" then
    listing = in_folder(listing)
  end
  setmetatable(options, { __index = core.inherited })
  core.around("pl.static", options, mount, "pl.static", prefix,
    in_folder(options.root),
    index == false and "" or index, options.fallback or nil,
    options.not_found or nil, options.symlinks or nil,
    cache == false and "0" or cache, options.preload, options.dot_files,
    options.precompressed == false, options.expires, options.cache_control,
    listing)
end

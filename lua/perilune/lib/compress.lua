-- compress.lua - pl.compress, and pl.set { compress = ... }.

local core, pl, c = ...
local new, around = c.new, c.around
local check_loading, check_options = core.check_loading, core.check_options

local known = {
  types = "words", encodings = "names", min = "size", level = "count",
  requests = "flag",
}

--- pl.compress([options]): a filter that sends what the routes inside of it
--- answer in a coding that the client takes: { types = { "text/*", ... }, min =
--- "1k", level = 1 to 9, encodings = { "br", "zstd", "gzip" }, requests =
--- true }. requests: bodies of requests may be coded, too. false: answers are
--- sent as they are, also where a filter outside of it says otherwise.
function pl.compress(options)
  check_loading("pl.compress")
  if options == false then
    return new(nil, nil, nil, nil, true, true)
  elseif options == true then -- of pl.set
    options = nil
  end
  options = check_options("pl.compress", known, options)
  return new(options.types or nil, options.encodings or nil,
    options.min or nil, options.level or nil, false,
    options.requests == false)
end

function core.set_compress(filter)
  around(filter)
end

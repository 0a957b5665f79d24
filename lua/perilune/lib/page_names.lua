-- page_names.lua - what the code of a page sees beside globals. Each name has a
-- maker, which gets the rendering (lib/page.lua); only names that a page's code
-- mentions are made.

local core, pl, c = ...
local load_part, fail = core.load_part, core.fail
local raw, leave = c.raw, c.leave
local error, pairs, pcall, select, setmetatable, tonumber, tostring, type =
  error, pairs, pcall, select, setmetatable, tonumber, tostring, type
local format, lower, match = string.format, string.lower, string.match
local unpack = table.unpack or unpack

local page = core.page
local names = {}
page.names = names

-- ---- output ----------------------------------------------------------------

local escape_html -- pl.escape.html, which is a part of its own

--- Strings are escaped, other values are left as they are.
local function escape(value)
  if type(value) ~= "string" then
    return value
  end
  escape_html = escape_html or pl.escape.html
  return (escape_html(value))
end

page.escape = escape

local function escaped(value, ...)
  value = escape(value)
  if select("#", ...) == 0 then
    return value
  end
  return value, escaped(...)
end

--- write(fmt, ...) of 80s: with values string.format(), strings among them
--- escaped; without, text as it is and a table as JSON. put(out, text).
function page.writer(put, out)
  return function(text, ...)
    if select("#", ...) > 0 then
      local ok, result = pcall(format, text, escaped(...))
      if not ok then
        fail("write: " .. tostring(result))
      end
      put(out, result)
    elseif type(text) == "table" then
      put(out, pl.json.encode(text))
    else
      put(out, text)
    end
  end
end

function names.write(run)
  return page.writer(raw, run.res)
end

function names.escape()
  return escape
end

--- flush(): what has been put out leaves now, and the page is streamed.
function names.flush(run)
  local res, kind = run.res, run.page.type
  if run.forks then
    return function()
      fail("flush: the blocks of this page run at the same time")
    end
  end
  load_part "response"
  return function()
    if core.before_head then
      core.before_head(res) -- a session leaves with the head
    end
    return core.res_send("flush", res, leave(res, kind))
  end
end

--- post_render(fn): fn(page) -> page, when all of it has been rendered.
function names.post_render(run)
  return function(fn)
    core.check_function("post_render", fn)
    local list = run[1] or {}
    run[1] = list
    list[#list + 1] = fn
  end
end

--- layout(name): another page goes around this one; false: none does.
function names.layout(run)
  local folder = run.page.folder
  return function(name)
    if not name then
      run[2] = false
      return
    end
    core.check_string("layout", "the name", name)
    if not folder then
      fail("layout: this page is in no folder")
    end
    local found, err = folder:get(name, run.page.dialect)
    if not found then
      fail(("layout: %s: %s"):format(name, tostring(err)))
    end
    run[2] = found
  end
end

-- ---- request ---------------------------------------------------------------

local function nothing()
end

names.req, names.res, names.content = nothing, nothing, nothing

function names.pl()
  return pl
end

function names.locals()
  return {}
end

--- That of pl.session, if there is one around the page.
function names.session(run)
  return run.req.session or {}
end

function names.endpoint(run)
  return run.req.path
end

function names.method(run)
  return run.req.method
end

function names.headers(run)
  return run.req.headers
end

function names.body(run)
  return run.req:body()
end

--- The values of the query; query.e is for encrypted ones.
function names.query(run)
  local query = {}
  for name, value in pairs(run.req.args) do
    query[name] = value
  end
  query.e = {}
  return query
end

-- ---- response --------------------------------------------------------------

--- status("404 Not Found") or status(404)
function names.status(run)
  local res = run.res
  return function(text)
    local code = tonumber(match(tostring(text), "^%d+"))
    if not code then
      fail("status: \"404 Not Found\" or 404, not " .. tostring(text))
    end
    res:status(code)
  end
end

--- header(name, value): one value for each name.
function names.header(run)
  local res = run.res
  return function(name, value)
    core.check_string("header", "the name", name)
    res:header(lower(name), value)
  end
end

--- to_url("/path", { name = value })
function names.to_url()
  return function(endpoint, params)
    core.check_string("to_url", "the endpoint", endpoint)
    local query = params and pl.url.encode_query(params) or ""
    return query == "" and endpoint or endpoint .. "?" .. query
  end
end

-- ---- waiting ---------------------------------------------------------------

-- How long a <?lua block may take to call done().
local PATIENCE = 30

local function wait_for(state, call)
  load_part "signal"
  state.signal = core.signal()
  local result = core.await_signal(state.signal, call)
  if result < 0 then
    core.raise(call, result)
  end
end

local function settle(state)
  state.done = true
  if state.signal then
    core.fire(state.signal)
  end
end

--- A <?lua block: fn(done), which is over when done() has been called, now or
--- by what the block has begun.
function page.async(run, fn, line)
  local state = {}
  fn(function()
    if state.done then
      fail("done: called a second time")
    end
    settle(state)
  end)
  if not state.done then
    local _, err = pl.timeout(PATIENCE, wait_for, state, "done")
    if err then
      error(("%s:%d: done() was not called in %d seconds"):format(
        run.page.name, line, PATIENCE), 0)
    end
  end
end

--- await(promise): a promise is a function that takes a callback; or a task.
function names.await()
  return function(promise)
    if type(promise) == "table" and type(promise.join) == "function" then
      return promise:join()
    end
    core.check_function("await", promise)
    local state = {}
    promise(function(...)
      state.values = core.pack(...)
      settle(state)
    end)
    if not state.done then
      wait_for(state, "await")
    end
    return unpack(state.values, 1, state.values.n)
  end
end

-- ---- Lua Server Pages ------------------------------------------------------

local function get_var(req)
  return function(text, name)
    if name ~= nil then
      return pl.url.decode_query(text)[name]
    end
    local value = req.args[text]
    if value == nil and req.method == "POST" then
      local form = req:form()
      value = form and form[text]
    end
    return value
  end
end

local function request_info(req)
  local headers, count = req.headers, 0
  for _ in pairs(headers) do
    count = count + 1
  end
  return {
    https = req.scheme == "https",
    http_version = tostring(req.version),
    request_method = req.method,
    http_headers = headers,
    num_headers = count,
    remote_addr = req.remote,
    uri = req.path,
    query_string = req.query,
  }
end

-- Of the table mg: each is made when it is first used.
local server = {
  write = function(run)
    local res = run.res
    return function(...)
      raw(res, ...)
    end
  end,
  read = function(run)
    local req = run.req
    return function(n)
      return req:read(n)
    end
  end,
  cry = function()
    return function(text)
      pl.log.warn(tostring(text))
    end
  end,
  version = function()
    return pl.version
  end,
  system = function()
    return "Linux"
  end,
  get_mime_type = function()
    return function(name)
      return c.type_of(name)
    end
  end,
  base64_encode = function()
    return function(text)
      return pl.base64.encode(text)
    end
  end,
  base64_decode = function()
    return function(text)
      return (pl.base64.decode(text))
    end
  end,
  get_var = function(run)
    return get_var(run.req)
  end,
  random = function()
    return math.random
  end,
  get_response_code_text = function()
    return c.reason
  end,
  keep_alive = function(run)
    local res = run.res
    return function(on)
      c.keep_alive(res, on ~= false)
    end
  end,
  request_info = function(run)
    return request_info(run.req)
  end,
}

--- The table of Lwan and CivetWeb.
function names.mg(run)
  return setmetatable({}, {
    __index = function(mg, name)
      local make = server[name]
      local value = make and make(run)
      mg[name] = value
      return value
    end,
  })
end

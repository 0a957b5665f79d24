-- luafcgid_serve.lua - which script answers a request, and what becomes of it.
--
-- A request that came by FastCGI says by SCRIPT_FILENAME which script it wants;
-- of one that came by HTTP it is the path.

local core, pl, c = ...
local new_con, conclude, clear =
  core.luafcgid_con, core.luafcgid_end, core.luafcgid_clear
local describe, report, traced, is_canceled =
  core.describe, core.report, core.traced, core.is_canceled
local clean, run_fault = core.luafcgid_clean, core.luafcgid_run_fault
local reset, script_of, variables = c.reset, c.script, c.variables
local getinfo = debug.getinfo
local error, rawget, tostring, type, xpcall =
  error, rawget, tostring, type, xpcall
local find, gsub, match, sub =
  string.find, string.gsub, string.match, string.sub

core.luafcgid_is_over = c.is_over

local MESSAGE_MAX = 1024 -- bytes that are shown of an error

-- ---- answers without a script ----------------------------------------------

local function add_headers(self, res)
  for i = 1, #self.names do
    res:add_header(self.names[i], self.values[i])
  end
end

local function page(title, text)
  title, text = pl.escape(title), pl.escape(sub(text, 1, MESSAGE_MAX))
  return "<html><head><title>" .. title .. "</title></head><body><h1>" .. title
    .. "</h1><p>" .. text .. "</p></body></html>\n"
end

-- Nothing has been sent. Without pages there is no body at all.
local function refuse(self, res, status, title, text, headers)
  clear(res)
  reset(res)
  add_headers(self, res)
  res:header("content-type", "text/html")
  if not self.show_errors then
    return status, "", headers
  end
  return status, page(title, text), headers
end

local function text_of(err)
  local text = tostring(err)
  return type(text) == "string" and text or "an error without a text"
end

-- Said in the log, and shown to who develops.
local function answer_fault(self, res, fault)
  if fault == "busy" then
    pl.log.error "luafcgid: no state became free in time (states, clones, wait)"
    return refuse(self, res, 503, "Overloaded", "all states are busy",
      { ["retry-after"] = "1" })
  end
  local text = text_of(fault.err)
  if fault.status == 404 then
    return refuse(self, res, 404, fault.kind, text .. " was not found")
  end
  report(fault.kind .. ": " .. describe(fault.err))
  return refuse(self, res, fault.status, fault.kind, text)
end

-- A script has raised err.
local function answer_error(self, con, err)
  local told = type(err) ~= "string" and not is_canceled(err)
    and type(err) == "table" and err.status
  if is_canceled(err) or told or con.started then
    error(err, 0) -- the server says, or cuts off, what there is to say
  end
  return answer_fault(self, con.res, run_fault(err))
end

-- ---- running ---------------------------------------------------------------

-- The function that answers, and whether it takes nothing. handler() is the
-- oldest form: what it returns is said. Looked for each time: a script may set
-- another one.
local function entry_of(self, state)
  local env, name = state.env, self.handler
  local fn = rawget(env, name)
  if type(fn) ~= "function" then
    name = "main"
    fn = rawget(env, name)
  end
  if type(fn) ~= "function" then
    name = "handler"
    fn = rawget(env, name)
  end
  if type(fn) ~= "function" then
    return nil
  end
  if state.fn ~= fn then
    local info = getinfo(fn, "u")
    state.fn, state.says = fn, name == "handler"
    state.bare = state.says and info.nparams == 0 and not info.isvararg
  end
  return fn
end

local function give_result(self, state, con, ok, result)
  local says = state.says
  self.pool:give(state)
  if not ok then
    return answer_error(self, con, result)
  end
  return conclude(con, says and result or nil)
end

-- variables: makes those of the request.
local function run(self, state, req, res, make, ...)
  local fn = entry_of(self, state)
  if not fn then
    self.pool:give(state)
    return answer_fault(self, res, { kind = "Runtime Error", status = 500,
      err = self.handler .. "() function not found" })
  end
  local con = new_con(req, res, self)
  local env = not state.bare and make(req, ...) or nil
  return give_result(self, state, con, xpcall(fn, traced, env, con))
end

-- ---- which script ----------------------------------------------------------

local function serve_fastcgi(self, req, res, name)
  local state, fault = self.pool:take(clean(name), req)
  if not state then
    return answer_fault(self, res, fault)
  end
  return run(self, state, req, res, variables)
end

local function http_variables(req, self, script, info)
  local path = req.path
  local name = info and sub(path, 1, #path - #info) or path
  if not find(name, "%.lua$") then -- an index
    name = gsub(name, "/?$", "/", 1) .. match(script, "[^/]*$")
  end
  local env = variables(req)
  env.DOCUMENT_ROOT, env.SCRIPT_FILENAME = self.document_root,
    self.root .. script
  env.SCRIPT_NAME, env.PATH_INFO = name, info
  return env
end

-- "dir/a.lua/info" -> "dir/a.lua", "/info"
local function split(path)
  local script, info = match(path, "^(.-%.lua)(/.*)$")
  if script then
    return script, info
  end
  return find(path, "%.lua$") and path or nil
end

local function serve_script(self, req, res, script, info)
  local state, fault = self.pool:take(self.root .. script, req)
  if not state then
    return nil, fault
  end
  return true, run(self, state, req, res, http_variables, self, script, info)
end

-- What is neither a script nor the index of a folder: a file, if there is one.
-- Sources of scripts are never sent, nor what editors leave beside them.
local function serve_file(self, req, res, path)
  if req.method ~= "GET" and req.method ~= "HEAD" then
    return 405, "", { allow = "GET, HEAD" }
  end
  local names = path ~= "" and not find(path, "/$") and { path } or {}
  for i = 1, names[1] and 0 or #self.index do
    names[i] = path .. self.index[i]
  end
  for i = 1, #names do
    if not find(names[i], "%.lua[^/]*$")
      and res:send_file(names[i], self.root) then
      return nil
    end
  end
  return refuse(self, res, 404, "Not Found", req.path .. " was not found")
end

-- Gives what a script has answered, unless there was none.
local function or_else(self, req, res, fallback, found, ...)
  if found then
    return ...
  end
  local fault = ...
  if fault ~= "busy" and fault.status == 404 then
    return fallback(self, req, res)
  end
  return answer_fault(self, res, fault)
end

local function not_found(self, req, res)
  return refuse(self, res, 404, "Not Found", req.path .. " was not found")
end

local function serve_http(self, req, res)
  local path = req.rest or ""
  local script, info = split(path)
  if find(path, "^%.") or find(path, "/%.") then -- not for clients
    return not_found(self, req, res)
  elseif script then
    return or_else(self, req, res, not_found,
      serve_script(self, req, res, script, info))
  end
  local index = self.index[1]
  if (path == "" or find(path, "/$")) and index and find(index, "%.lua$") then
    return or_else(self, req, res, function()
      return serve_file(self, req, res, path)
    end, serve_script(self, req, res, path .. index))
  end
  return serve_file(self, req, res, path)
end

--- A handler for a folder of scripts (luafcgid.lua).
function core.luafcgid_handler(self)
  return function(req, res)
    local name = script_of(req)
    if name then
      return serve_fastcgi(self, req, res, name)
    elseif self.anywhere then
      return answer_fault(self, res, { kind = "File Error", status = 500,
        err = "neither SCRIPT_FILENAME (of FastCGI) nor root (for HTTP) is "
          .. "there" })
    end
    return serve_http(self, req, res)
  end
end

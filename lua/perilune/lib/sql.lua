-- sql.lua - pl.sql: databases in straight lines. Migrations are in
-- lib/sql_migrate.lua.
--
-- A database and a transaction have the same methods; a transaction has a lease
-- of one connection, a database takes any for each call.

local core, pl, c = ...
c.open_types()
local ask, begin, end_query, new_query = c.ask, c.begin, c.end_query, c.query
local failure_of, rows_of, first_of, value_of, changes_of, more_of =
  c.failure, c.rows, c.first, c.value, c.changes, c.more
local new_lease, release, inside = c.lease, c.release, c.inside
local check_function, check_options, check_string =
  core.check_function, core.check_options, core.check_string
local fail, failed = core.fail, core.failed
local pack, traced = core.pack, core.traced
local parse_seconds, parse_size = core.parse_seconds, core.parse_size
local array = pl.json.array
local error, pairs, setmetatable, tostring, type, xpcall =
  error, pairs, setmetatable, tostring, type, xpcall
local concat, random, sort = table.concat, math.random, table.sort
local unpack = table.unpack or unpack

local RUN, FETCH, FINISH, SCRIPT = 1, 2, 3, 4 -- enum pl_sql_kind
local BATCH = 100
local SPARE_MAX = 64

local sql = { blob = c.blob, null = pl.json.null }
local methods = {}

-- ---- calls -----------------------------------------------------------------

local spare, spares = {}, 0

-- Runs one call. Returns the query, which give() takes back, and the result.
local function run(db, call, kind, batch, text, ...)
  local query = spare[spares]
  if not query then
    query = new_query()
  else
    spare[spares], spares = nil, spares - 1
  end
  ask(query, db.base, db.lease, call, kind, batch, text, ...)
  local result = begin(query, call)
  end_query(query)
  return query, result
end

local function give(query)
  if spares < SPARE_MAX then
    spares = spares + 1
    spare[spares] = query
  end
end

-- What is worth trying again from the start.
local conflicts = { ["40001"] = true, ["40P01"] = true }

-- nil and the error; raises what is the program's own fault.
local function refuse(db, query, call, result)
  local text, state, misuse = failure_of(query)
  give(query)
  if misuse then
    fail(call .. ": " .. text)
  end
  local _, err = failed(call, result, text)
  if state and state ~= "" then
    err.state = state
  end
  if conflicts[state] then
    db.conflict = true
  end
  return nil, err
end

-- ---- rows ------------------------------------------------------------------

--- A list of all rows, each a table by the names of the columns; and the list
--- of those names. Or nil, err.
function methods:query(text, ...)
  local query, result = run(self, "db:query", RUN, 0, text, ...)
  if result < 0 then
    return refuse(self, query, "db:query", result)
  end
  local list, n, columns = rows_of(query, self.base, self.null)
  give(query)
  return n == 0 and array(list) or list, columns
end

--- The first row; nil if there is none; or nil, err.
function methods:first(text, ...)
  local query, result = run(self, "db:first", RUN, 0, text, ...)
  if result < 0 then
    return refuse(self, query, "db:first", result)
  end
  local row = first_of(query, self.base, self.null)
  give(query)
  return row
end

--- The first column of the first row; nil if there is none; or nil, err.
function methods:value(text, ...)
  local query, result = run(self, "db:value", RUN, 0, text, ...)
  if result < 0 then
    return refuse(self, query, "db:value", result)
  end
  local value = value_of(query, self.base, self.null)
  give(query)
  return value
end

--- How many rows were changed, and the id of the last that was inserted (if
--- the engine tells it); or nil, err.
function methods:exec(text, ...)
  local query, result = run(self, "db:exec", RUN, 0, text, ...)
  if result < 0 then
    return refuse(self, query, "db:exec", result)
  end
  local changes, id = changes_of(query)
  give(query)
  return changes, id
end

--- Any number of statements, without values; true, or nil, err.
function methods:script(text)
  local query, result = run(self, "db:script", SCRIPT, 0, text)
  if result < 0 then
    return refuse(self, query, "db:script", result)
  end
  give(query)
  return true
end

-- ---- cursors ---------------------------------------------------------------

local Cursor = {}
Cursor.__index = Cursor

-- Ends it: there are no more rows, or nobody wants them.
local function finish(cursor)
  local db = cursor.db
  cursor.db, cursor.list, db.cursor = nil, nil, nil
  if cursor.own then
    release(db.lease)
  elseif cursor.more and inside(db.lease) then
    give((run(db, "cursor:close", FINISH, 0, "")))
  end
end

-- Takes the rows that a call has brought; raises if it has failed.
local function take(cursor, query, result)
  local db = cursor.db
  if result < 0 then
    local _, err = refuse(db, query, "db:rows", result)
    cursor.more = false
    finish(cursor)
    error(err, 0)
  end
  cursor.list, cursor.n = rows_of(query, db.base, db.null)
  cursor.at, cursor.more = 0, more_of(query)
  give(query)
end

local function next_row(cursor)
  if not cursor.db then
    return nil
  end
  while cursor.at == cursor.n do
    if not cursor.more then
      finish(cursor)
      return nil
    end
    take(cursor, run(cursor.db, "db:rows", FETCH, BATCH, ""))
  end
  cursor.at = cursor.at + 1
  return cursor.list[cursor.at]
end

--- for row in db:rows(text, ...) do: rows as they are needed. Errors are
--- raised. The connection is taken until the last row, or the end of the task.
function methods:rows(text, ...)
  local cursor = setmetatable({ db = self, at = 0, n = 0 }, Cursor)
  if not self.lease then
    cursor.own = true
    cursor.db = { base = self.base, null = self.null, lease = new_lease() }
  end
  take(cursor, run(cursor.db, "db:rows", RUN, BATCH, text, ...))
  cursor.db.cursor = cursor
  return next_row, cursor, nil, cursor
end

--- Gives its connection back before the last row.
function Cursor:close()
  if self.db then
    finish(self)
  end
end

Cursor.__close = Cursor.close

-- ---- transactions ----------------------------------------------------------

local Transaction = { __index = methods }

-- Did fn(tx) give up? It has raised, or returned nil and an error.
local function gave_up(results)
  return not results[1] or results[2] == nil and results[3] ~= nil
end

-- What transaction() is to give: raises what fn has raised.
local function outcome(results)
  if not results[1] then
    error(results[2], 0)
  end
  return unpack(results, 2, results.n)
end

-- One try: the results of fn, or of the call that has failed, as xpcall's.
local function try(db, start, fn)
  local tx = setmetatable({ base = db.base, null = db.null, depth = 0,
    dialect = db.dialect, lease = new_lease() }, Transaction)
  local ok, err = tx:exec(start)
  local results
  if ok then
    results = pack(xpcall(fn, traced, tx))
    if not gave_up(results) then
      if tx.cursor then
        tx.cursor:close()
      end
      ok, err = tx:exec("commit")
    end
  end
  release(tx.lease) -- which rolls back what is not committed
  if not ok then
    results = { true, nil, err, n = 3 }
  end
  return results, tx.conflict
end

-- A part of a transaction that can fail on its own.
local function nested(tx, fn)
  tx.depth = tx.depth + 1
  local name = "pl_" .. tx.depth
  local ok, err = tx:exec("savepoint " .. name)
  if not ok then
    tx.depth = tx.depth - 1
    return nil, err
  end
  local results = pack(xpcall(fn, traced, tx))
  tx.depth = tx.depth - 1
  if gave_up(results) then
    tx:exec("rollback to " .. name)
  end
  ok, err = tx:exec("release " .. name)
  if not ok and results[1] and not gave_up(results) then
    return nil, err
  end
  return outcome(results)
end

local levels = {
  ["read committed"] = true, ["repeatable read"] = true, serializable = true,
}
local known_transaction = {
  read_only = "flag", isolation = "text", retries = "count",
}

local function start_of(db, options)
  local dialect, level = db.dialect, options.isolation
  if level and not levels[level] then
    fail("db:transaction: option 'isolation' must be \"read committed\", "
      .. "\"repeatable read\" or \"serializable\"")
  end
  local start = options.read_only and dialect.begin_read or dialect.begin
  return level and dialect.begin_level
    and start .. dialect.begin_level .. level or start
end

--- db:transaction([options,] fn): calls fn(tx), and commits unless it raises or
--- returns nil, err; then all is rolled back. Gives what fn returns. A conflict
--- with another transaction lets fn run again, so it must do nothing else that
--- cannot be done twice. Within a transaction: a savepoint.
function methods:transaction(options, fn)
  if fn == nil then
    options, fn = nil, options
  end
  check_function("db:transaction", fn)
  if self.lease then
    return nested(self, fn)
  end
  options = check_options("db:transaction", known_transaction, options)
  local start = start_of(self, options)
  local left, pause = options.retries or 5, 0.005
  while true do
    local results, conflict = try(self, start, fn)
    if not conflict or not gave_up(results) or left == 0 then
      return outcome(results)
    end
    pl.sleep(pause * (0.5 + random()))
    left, pause = left - 1, pause * 2
  end
end

-- ---- databases -------------------------------------------------------------

local Database = { __name = "pl.sql" }
local of_database = setmetatable({}, { __index = methods })
Database.__index = of_database

function Database:__tostring()
  return "pl.sql (" .. self.name .. ")"
end

--- Figures of this worker.
function of_database:stats()
  return c.stats(self.base)
end

--- Calls that are under way go on; new ones raise an error.
function of_database:close()
  c.close(self.base)
end

--- db:migrate([folder [, tell]]): see lib/sql_migrate.lua. Waits.
function of_database:migrate(folder, tell)
  core.load_part("sql_migrate")
  return core.migrate(self, folder, tell)
end

-- ---- opening ---------------------------------------------------------------

local known = {
  connections = "count", queue = "count", statements = "count",
  queue_timeout = "duration", timeout = "duration", busy_timeout = "duration",
  connect_timeout = "duration", idle_timeout = "duration", slow = "duration",
  max_result = "size", read_only = "flag", durable = "flag", offload = "flag",
  setup = "text", name = "text", int64 = "text", decimal = "text",
  null = "any", migrations = "text",
}
local defaults = {
  queue = 1000, statements = 100, queue_timeout = "5s", timeout = "30s",
  busy_timeout = "5s", connect_timeout = "10s", idle_timeout = "5m",
  max_result = "16m", int64 = "string", decimal = "string",
}
local seconds = { "queue_timeout", "timeout", "busy_timeout",
  "connect_timeout", "idle_timeout", "slow" }

local function one_of(options, name, first, second)
  local value = options[name]
  if value ~= first and value ~= second then
    fail(("pl.sql.open: option '%s' must be \"%s\" or \"%s\"")
      :format(name, first, second))
  end
  return value == first
end

local function read_options(given)
  local options = check_options("pl.sql.open", known, given)
  for name, value in pairs(defaults) do
    if options[name] == nil then
      options[name] = value
    end
  end
  for i = 1, #seconds do
    local name = seconds[i]
    options[name] = options[name] and parse_seconds(options[name])
      or options[name] and fail("pl.sql.open: option '" .. name
        .. "' must be a time like \"5s\"") or 0
  end
  options.max_result = options.max_result
    and (parse_size(options.max_result)
      or fail "pl.sql.open: option 'max_result' must be a size like \"16m\"")
    or 0
  options.text_integers = one_of(options, "int64", "string", "number")
  options.decimals = one_of(options, "decimal", "number", "string")
  if options.connections == 0 or options.connect_timeout == 0 then
    fail("pl.sql.open: connections and connect_timeout must be above 0")
  end
  return options
end

-- Of a site, paths are relative to it; a script is where it is.
function core.in_site(path)
  return core.in_folder and core.in_folder(path) or path
end

-- A file. It and its neighbours are read and written.
local function find_file(url, options)
  local path = url:match("^sqlite:/*(/.*)$") or url:match("^sqlite:(.*)$")
  if path == ":memory:" then
    options.connections, options.idle_timeout = 1, 0
    return url
  elseif path == "" then
    fail "pl.sql.open: the URL must be like \"sqlite:site.db\""
  end
  path = core.in_site(path)
  c.name_folder(path:match("^(.*)/[^/]*$") or ".")
  options.connections = options.connections or 4
  return "sqlite:" .. path
end

-- The URL without what nobody should read in a log.
local function public_name(url)
  return (url:gsub("^(%w+://)[^@/]*@", "%1"):gsub("%?.*$", ""))
end

-- All that makes one pool different from another.
local function key_of(url, options)
  local parts = {}
  for name, value in pairs(options) do
    if name ~= "null" and name ~= "migrations" then
      parts[#parts + 1] = name .. "=" .. tostring(value)
    end
  end
  sort(parts)
  return url .. "\n" .. concat(parts, "\n")
end

local opened = {}

--- pl.sql.open(url [, options]): "sqlite:site.db", "sqlite::memory:",
--- "postgres://user@host/name". It connects when first needed.
function sql.open(url, options)
  check_string("pl.sql.open", "the URL", url)
  options = read_options(options)
  if url:find("^sqlite:") then
    url = find_file(url, options)
  end
  options.connections = options.connections or 10
  options.name = options.name or public_name(url)
  options.key = key_of(url, options)
  local base = c.open(url, options)
  local db = setmetatable({ base = base, null = options.null or nil,
    name = options.name, migrations = options.migrations or nil,
    dialect = c.dialect(base) }, Database)
  opened[#opened + 1] = db
  return db
end

--- pl.sql.migrate([tell]): see lib/sql_migrate.lua. Waits.
function sql.migrate(tell)
  core.load_part("sql_migrate")
  return sql.migrate(tell)
end

--- Those of this site that have migrations, in the order of opening.
function core.migrated_databases()
  local list = {}
  for i = 1, #opened do
    if opened[i].migrations then
      list[#list + 1] = opened[i]
    end
  end
  return list
end

pl.sql = sql

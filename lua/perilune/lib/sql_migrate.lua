-- sql_migrate.lua - numbered files of SQL that are run once each: db:migrate,
-- pl.sql.migrate, and so `perilune migrate`.
--
-- What has been run is in the table perilune_migrations. Each file is run in a
-- transaction of its own, in which nobody else migrates, and with which its row
-- comes or does not.

local core, pl, c = ...
local check_function, check_string = core.check_function, core.check_string
local failure, in_site = core.failure, core.in_site
local inside, hash_of = c.inside, c.hash
local INVALID, STATE = core.INVALID, core.STATE
local ipairs, tonumber = ipairs, tonumber
local sort = table.sort

local sql = pl.sql

local CREATE = [[
create table if not exists perilune_migrations (
  version bigint not null primary key,
  name varchar(255) not null,
  hash varchar(40) not null,
  applied_at varchar(32) not null
)]]

local function refused(code, text, ...)
  return nil, failure(code, "db:migrate", text:format(...))
end

-- ---- the folder ------------------------------------------------------------

-- The files, by their numbers.
local function list_files(folder)
  local names, err = pl.fs.list(folder)
  if not names then
    return nil, err
  end
  local files, by_version = {}, {}
  for _, entry in ipairs(names) do
    local name = entry.name
    local number = name:match("^(%d+)[_-].*%.sql$")
      or name:match("^(%d+)%.sql$")
    if number then
      local version = tonumber(number)
      if by_version[version] then
        return refused(INVALID, "%s and %s have the same number",
          by_version[version].name, name)
      end
      local file = { version = version, name = name,
        path = folder .. "/" .. name }
      files[#files + 1], by_version[version] = file, file
    elseif name:find("%.sql$") then
      return refused(INVALID, "%s has no number: 001_%s", name, name)
    end
  end
  sort(files, function(a, b) return a.version < b.version end)
  return files, by_version
end

local function read_file(file)
  local text, err = pl.fs.read(file.path)
  if not text then
    return nil, err
  end
  file.text, file.hash = text, hash_of(text)
  file.alone = text:find("^%s*%-%-%s*no transaction%s") ~= nil
  return true
end

-- ---- what was done ---------------------------------------------------------

-- nil, err if the files are not those that were run.
local function check_done(rows, by_version)
  local done = {}
  for _, row in ipairs(rows) do
    local file = by_version[tonumber(row.version)]
    if not file then
      return refused(STATE, "%s was run, and is not there any more", row.name)
    end
    local ok, err = read_file(file)
    if not ok then
      return nil, err
    elseif file.hash ~= row.hash then
      return refused(STATE, "%s has been changed since it was run", file.name)
    end
    done[file.version] = true
  end
  return done
end

-- Nobody else migrates until the transaction is over. What begins it may have
-- seen to that.
local function lock(tx)
  if not tx.dialect.lock then
    return true
  end
  return tx:query(tx.dialect.lock)
end

local function is_done(db, file)
  return db:value("select 1 from perilune_migrations where version = ?",
    file.version)
end

local function note(db, file)
  return db:exec("insert into perilune_migrations values (?, ?, ?, ?)",
    file.version, file.name, file.hash, os.date("!%Y-%m-%dT%H:%M:%SZ"))
end

-- ---- one file --------------------------------------------------------------

local function in_file(file, err)
  return refused(err[1], "%s: %s", file.name, err.message)
end

-- true if it was run, false if somebody else has done that.
local function run_inside(tx, file)
  local locked, problem = lock(tx)
  if not locked then
    return nil, problem
  end
  local done, err = is_done(tx, file)
  if done or err then
    return done and false, err
  end
  local ok
  ok, err = tx:script(file.text)
  if not ok then
    return in_file(file, err)
  elseif not inside(tx.lease) then
    return refused(STATE, "%s ends the transaction that it is run in",
      file.name)
  end
  ok, err = note(tx, file)
  return ok and true, err
end

-- What an engine does not do in a transaction: half of it may stay.
local function run_alone(db, file)
  local done, err = is_done(db, file)
  if done or err then
    return done and false, err
  end
  local ok
  ok, err = db:script(file.text)
  if not ok then
    return in_file(file, err)
  end
  ok, err = note(db, file)
  return ok and true, err
end

local function run_file(db, file)
  local ok, err = read_file(file)
  if not ok then
    return nil, err
  elseif file.alone then
    return run_alone(db, file)
  end
  return db:transaction(function(tx)
    return run_inside(tx, file)
  end)
end

-- ---- all of them -----------------------------------------------------------

-- The files, and which of them have been run.
local function look(db, folder)
  local files, by_version = list_files(in_site(folder))
  if not files then
    return nil, by_version
  end
  local rows, err = db:transaction(function(tx)
    local ok, problem = lock(tx)
    if ok then
      ok, problem = tx:exec(CREATE)
    end
    if not ok then
      return nil, problem
    end
    return tx:query "select version, name, hash from perilune_migrations"
  end)
  if not rows then
    return nil, err
  end
  local done
  done, err = check_done(rows, by_version)
  if not done then
    return nil, err
  end
  return files, done
end

--- Runs the files of folder that have not been run, in the order of their
--- numbers. Gives the list of their names, or nil, err: those before have been
--- run then. tell(name), if given, is called after each. Waits.
function core.migrate(db, folder, tell)
  folder = folder or db.migrations
  check_string("db:migrate", "the folder", folder)
  if tell ~= nil then
    check_function("db:migrate", tell)
  end
  local files, done = look(db, folder)
  if not files then
    return nil, done
  end
  local names = pl.json.array {}
  for _, file in ipairs(files) do
    local ran, err = false, nil
    if not done[file.version] then
      ran, err = run_file(db, file)
    end
    if ran == nil then
      return nil, err
    elseif ran then
      names[#names + 1] = file.name
      if tell then
        tell(file.name)
      end
    end
  end
  return names
end

--- pl.sql.migrate([tell]): does that for each database that was opened with the
--- option `migrations`. Gives how many files were run. tell(name, database).
function sql.migrate(tell)
  local count = 0
  for _, db in ipairs(core.migrated_databases()) do
    local names, err = core.migrate(db, nil, tell and function(name)
      tell(name, db)
    end)
    if not names then
      return nil, err
    end
    count = count + #names
  end
  return count
end

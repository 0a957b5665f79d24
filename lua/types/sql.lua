---@meta perilune
-- sql.lua - pl.sql: databases. docs/sql.md is its manual.

---@class pl
local pl = {}

---@class pl.sql
---@field null lightuserdata NULL, as a value
pl.sql = {}

---@alias pl.sql.Value nil|boolean|number|string|lightuserdata|pl.sql.Blob

---@class pl.sql.Blob

---@class pl.sql.Error: pl.Error
---@field state? string an SQLSTATE: `"23505"`

---@class pl.sql.OpenOptions
---@field connections? integer most of each worker; 4 for SQLite, else 10
---@field queue? integer calls that may wait for one [1000]
---@field queue_timeout? string|number|false ["5s"]
---@field timeout? string|number|false of one call ["30s"]
---@field connect_timeout? string|number ["10s"]
---@field busy_timeout? string|number|false SQLite: for locks ["5s"]
---@field idle_timeout? string|number|false ["5m"]
---@field statements? integer prepared ones of each connection [100]
---@field max_result? string|integer|false bytes of one answer ["16m"]
---@field slow? string|number calls that take so long are logged
---@field setup? string statements for each new connection
---@field read_only? boolean
---@field durable? boolean SQLite: commits are on the disk
---@field offload? boolean SQLite: nothing runs on the worker
---@field int64? "string"|"number" those beyond 2^53, in LuaJIT
---@field decimal? "string"|"number"
---@field null? any what stands for NULL in rows
---@field name? string as the log calls it
---@field migrations? string a folder

---`"sqlite:site.db"`, `"sqlite::memory:"`, `"postgres://user@host/name"`. It
---connects when first needed.
---@param url string
---@param options? pl.sql.OpenOptions
---@return pl.sql.Database
function pl.sql.open(url, options) end

---A value that is bytes, not text.
---@param bytes string
---@return pl.sql.Blob
function pl.sql.blob(bytes) end

---Runs the migrations of all databases of the site that have some.
---@async
---@param tell? fun(name: string, db: pl.sql.Database)
---@return integer? count, pl.sql.Error? err
function pl.sql.migrate(tell) end

---What a database and a transaction can do.
---@class pl.sql.Handle
local Handle = {}

---All rows, and the names of their columns.
---@async
---@param text string
---@param ... pl.sql.Value
---@return table<string, any>[]? rows, string[]|pl.sql.Error columns
function Handle:query(text, ...) end

---The first row; nil if there is none.
---@async
---@param text string
---@param ... pl.sql.Value
---@return table<string, any>? row, pl.sql.Error? err
function Handle:first(text, ...) end

---The first column of the first row; nil if there is none.
---@async
---@param text string
---@param ... pl.sql.Value
---@return any value, pl.sql.Error? err
function Handle:value(text, ...) end

---How many rows were changed, and the id of the one that was inserted (SQLite).
---@async
---@param text string
---@param ... pl.sql.Value
---@return integer? changes, any id_or_err
function Handle:exec(text, ...) end

---Any number of statements, without values.
---@async
---@param text string
---@return true? ok, pl.sql.Error? err
function Handle:script(text) end

---Rows as they are needed; raises errors.
---@async
---@param text string
---@param ... pl.sql.Value
---@return fun(cursor: pl.sql.Cursor): table<string, any>? next_row
---@return pl.sql.Cursor cursor
function Handle:rows(text, ...) end

---@class pl.sql.TransactionOptions
---@field retries? integer after conflicts [5]
---@field read_only? boolean
---@field isolation? "read committed"|"repeatable read"|"serializable"

---Commits what fn(tx) has done, unless it raises or returns nil and an error.
---In a transaction: a savepoint.
---@async
---@param options pl.sql.TransactionOptions
---@param fn fun(tx: pl.sql.Handle): ...
---@return any ...
---@overload fun(self: pl.sql.Handle, fn: fun(tx: pl.sql.Handle): ...): ...
function Handle:transaction(options, fn) end

---@class pl.sql.Cursor
local Cursor = {}

---Gives its connection back before the last row.
---@async
function Cursor:close() end

---@class pl.sql.Stats
---@field calls integer
---@field failed integer
---@field slow integer
---@field timeouts integer
---@field at_once integer that did not wait
---@field offloaded integer works of other threads
---@field connects integer
---@field failed_connects integer
---@field connections integer now
---@field idle integer now
---@field waiting integer now

---@class pl.sql.Database: pl.sql.Handle
---@field name string
local Database = {}

---Figures of this worker.
---@return pl.sql.Stats
function Database:stats() end

---Calls that are under way go on; later ones raise an error.
function Database:close() end

---Runs the files of the folder that have not been run.
---@async
---@param folder? string that of the option `migrations`
---@param tell? fun(name: string)
---@return string[]? names, pl.sql.Error? err
function Database:migrate(folder, tell) end

return pl

---@meta _
-- process.lua - child processes (docs/lua-files.md).

---@class pl
local pl = {}

---@class pl.ProcessOptions
---@field [integer] string|number the program and its arguments
---@field shell? string
---@field cwd? string
---@field env? table<string, string|number|false>
---@field clear_env? boolean
---@field stdin? string run: what it reads; spawn: "capture", "null", "inherit"
---@field stdout? "capture"|"null"|"inherit"
---@field stderr? "capture"|"null"|"inherit"|"merge"
---@field grace? number|string
---@field timeout? number|string of run
---@field max_output? integer|string of run

---@class pl.ProcessResult
---@field status integer
---@field signal? string|integer
---@field stdout string
---@field stderr string

---@class pl.Process
---@field pid integer
local Process = {}

---@async
---@param data string
---@return true? ok, pl.Error? err
function Process:write(data) end

function Process:close_stdin() end

---@async
---@param n? integer
---@return string? data, pl.Error? err
function Process:read(n) end

---@async
---@param n? integer
---@return string? data, pl.Error? err
function Process:read_error(n) end

---@param options? { max?: integer|string }
---@return fun(): string?
function Process:lines(options) end

---@async
---@return { status: integer, signal?: string|integer }? ended, pl.Error? err
function Process:wait() end

---@param signal? string|integer
---@return true? ok, pl.Error? err
function Process:kill(signal) end

function Process:close() end

pl.process = {}

---@async
---@param what pl.ProcessOptions
---@return pl.ProcessResult? result, pl.Error? err
function pl.process.run(what) end

---@async
---@param what pl.ProcessOptions
---@return pl.Process? process, pl.Error? err
function pl.process.spawn(what) end

---@meta _
-- task.lua - tasks: what waits, side by side or later.

---@class pl
local pl = {}

---@class pl.Task
local Task = {}

---Waits until the task is over. Gives its results, or raises its error.
---@async
---@return any ...
function Task:join() end

---Asks the task to end: its waits fail from now on.
function Task:cancel() end

---@return "pending"|"running"|"done"|"failed"|"canceled"
function Task:status() end

---@class pl.Timer
local Timer = {}

function Timer:cancel() end

---@async
---@param seconds number
function pl.sleep(seconds) end

---@param fn async fun(...)
---@param ... any
---@return pl.Task
function pl.spawn(fn, ...) end

---The first result of each, in their order.
---@async
---@param fns (async fun(): any)[]
---@return any ...
function pl.all(fns) end

---@async
---@param fns (async fun(): ...)[]
---@return integer index, any ...
function pl.race(fns) end

---@async
---@param seconds number
---@param fn async fun(...): ...
---@param ... any
---@return any ... the results of fn, or nil and an error
function pl.timeout(seconds, fn, ...) end

---@param fn async fun()
function pl.defer(fn) end

---@class pl.EveryOptions
---@field name? string
---@field each_worker? boolean

---@param seconds number
---@param fn async fun()
---@param options? pl.EveryOptions
---@return pl.Timer
function pl.every(seconds, fn, options) end

---@param event "start"|"stop"|"reload"|"message"
---@param fn async fun(...)
function pl.on(event, fn) end

---@param status? integer
function pl.stop(status) end

---Of each worker. Plain data in it are there after a reload, before
---pl.on("start"); docs/reload.md.
---@type table<any, pl.Plain>
pl.persist = {}

---Loads the site anew while it is served (docs/reload.md). true when all
---workers serve it; nil, err: nothing has changed.
---@async
---@return true? ok
---@return pl.Error? err
function pl.reload() end

---Has the server begun to stop? With seconds: waits for that, so long at most.
---@async
---@param seconds? number
---@return boolean
function pl.stopping(seconds) end

---Seconds that only go forwards.
---@return number
function pl.now() end

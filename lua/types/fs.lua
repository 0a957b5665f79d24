---@meta _
-- fs.lua - files, folders, and their changes (docs/lua-files.md).

---@class pl
local pl = {}

---@class pl.FileReadOptions
---@field offset? integer
---@field length? integer|string
---@field max? integer|string more is an error; pl.fs.max_read unless said

---@class pl.FileWriteOptions
---@field mode? string `"644"`
---@field sync? boolean it is on the disk
---@field exclusive? boolean an error if it is there
---@field append? boolean
---@field atomic? boolean false: the file itself is overwritten

---@class pl.FileStat
---@field type "file"|"directory"|"link"|"pipe"|"socket"|"other"
---@field size integer
---@field mode string `"644"`
---@field mtime number
---@field atime number
---@field ctime number
---@field uid integer
---@field gid integer
---@field links integer
---@field inode integer
---@field device integer

---@class pl.File
local File = {}

---@async
---@param n? integer
---@return string? data, pl.Error? err
function File:read(n) end

---@async
---@param data string
---@return true? ok, pl.Error? err
function File:write(data) end

---@async
---@param origin? "set"|"cur"|"end"
---@param offset? integer
---@return integer? position, pl.Error? err
function File:seek(origin, offset) end

---@param options? { max?: integer|string }
---@return fun(): string?
function File:lines(options) end

---@async
---@return pl.FileStat? stat, pl.Error? err
function File:stat() end

---@async
---@return true? ok, pl.Error? err
function File:sync() end

---@async
---@return true? ok, pl.Error? err
function File:close() end

---@class pl.WatchEvent
---@field type "create"|"write"|"remove"|"rename"|"overflow"
---@field path? string below what is watched
---@field from? string
---@field directory? true

---@class pl.Watcher
---@overload fun(): pl.WatchEvent?
local Watcher = {}

---@async
---@return pl.WatchEvent?
function Watcher:next() end

function Watcher:close() end

---@class pl.Fs
---@field max_read integer|string
pl.fs = {}

---@async
---@param path string
---@param options? pl.FileReadOptions
---@return string? data, pl.Error? err
function pl.fs.read(path, options) end

---@async
---@param path string
---@param data string
---@param options? pl.FileWriteOptions
---@return true? ok, pl.Error? err
function pl.fs.write(path, data, options) end

---@async
---@param path string
---@param data string
---@param options? pl.FileWriteOptions
---@return true? ok, pl.Error? err
function pl.fs.append(path, data, options) end

---@async
---@param from string
---@param to string
---@param options? { mode?: string, sync?: boolean, exclusive?: boolean }
---@return true? ok, pl.Error? err
function pl.fs.copy(from, to, options) end

---@async
---@param options? { directory?: boolean, folder?: string }
---@return string? path, pl.Error? err
function pl.fs.temp(options) end

---@async
---@param path string
---@param options? { link?: boolean }
---@return pl.FileStat? stat, pl.Error? err
function pl.fs.stat(path, options) end

---@async
---@param path string
---@return boolean? there, pl.Error? err
function pl.fs.exists(path) end

---@async
---@param path string
---@param options? { recursive?: boolean, match?: string, max?: integer }
---@return { name: string, type: string }[]? entries, pl.Error? err
function pl.fs.list(path, options) end

---@async
---@param path string
---@param options? { parents?: boolean, mode?: string }
---@return true? ok, pl.Error? err
function pl.fs.mkdir(path, options) end

---@async
---@param path string
---@param options? { recursive?: boolean }
---@return true? ok, pl.Error? err
function pl.fs.remove(path, options) end

---@async
---@param from string
---@param to string
---@return true? ok, pl.Error? err
function pl.fs.rename(from, to) end

---@async
---@param path string
---@param name string
---@return true? ok, pl.Error? err
function pl.fs.link(path, name) end

---@async
---@param target string
---@param name string
---@return true? ok, pl.Error? err
function pl.fs.symlink(target, name) end

---@async
---@param path string
---@return string? target, pl.Error? err
function pl.fs.readlink(path) end

---@async
---@param path string
---@return string? path, pl.Error? err
function pl.fs.realpath(path) end

---@async
---@param path string
---@param mode string `"644"`
---@return true? ok, pl.Error? err
function pl.fs.chmod(path, mode) end

---@async
---@param path string
---@param time? number
---@return true? ok, pl.Error? err
function pl.fs.touch(path, time) end

---@async
---@param path string
---@param options? { max?: integer|string }
---@return fun(): string?
function pl.fs.lines(path, options) end

---@async
---@param path string
---@param mode? "r"|"r+"|"w"|"w+"|"wx"|"a"|"a+"
---@param options? { mode?: string }
---@return pl.File? file, pl.Error? err
function pl.fs.open(path, mode, options) end

---@async
---@param path string
---@param options? { recursive?: boolean, debounce?: number|string,
---  modify?: boolean }
---@return pl.Watcher? watcher, pl.Error? err
function pl.fs.watch(path, options) end

---@class pl.FsPath
---@field join fun(...: string): string
---@field basename fun(path: string): string
---@field dirname fun(path: string): string
---@field extension fun(path: string): string
---@field is_absolute fun(path: string): boolean
---@field normalize fun(path: string): string
pl.fs.path = {}

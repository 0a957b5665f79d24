-- sandbox.lua - pl.set { sandbox = ... }. Loaded when a site has it.

local core, _, c = ...
local name_path, in_folder = c.name_path, core.in_folder
local check_string, fail = core.check_string, core.fail
local pairs, type = pairs, type

local READ, WRITE, RUN = 1, 2, 4 -- enum pl_path_access

local function name_paths(option, paths, access)
  if type(paths) == "string" then
    paths = { paths }
  elseif type(paths) ~= "table" then
    fail("pl.set: sandbox: " .. option .. " must be a list of paths")
  end
  for i = 1, #paths do
    check_string("pl.set: sandbox: " .. option, "a path", paths[i])
    name_path(in_folder(paths[i]), access)
  end
end

-- What is more than a setting with a plain value.
local options = {
  read = function(paths)
    name_paths("read", paths, READ)
  end,
  write = function(paths)
    name_paths("write", paths, READ + WRITE)
  end,
  processes = function(paths, set)
    local listed = type(paths) == "table"
    set("sandbox_processes", listed or paths)
    if listed then
      name_paths("processes", paths, READ + RUN)
    end
  end,
  chroot = function(path, set)
    set("sandbox_chroot", type(path) == "string" and in_folder(path) or path)
  end,
  seccomp = function(action, set)
    set("sandbox_seccomp", action == true and "refuse" or action)
  end,
}

--- sandbox = true, or { read = {}, write = {}, processes, chroot, seccomp,
--- landlock, no_new_privs, drop_capabilities, strict }
function core.set_sandbox(settings, set)
  if type(settings) ~= "table" then
    return set("sandbox", settings)
  end
  set("sandbox", true)
  for name, value in pairs(settings) do
    check_string("pl.set: sandbox", "the name of a setting", name)
    if options[name] then
      options[name](value, set)
    else
      set("sandbox_" .. name, value)
    end
  end
end

-- login.lua - accounts with passwords, a session, and forms that nobody forges.
-- The accounts are in a dictionary, for want of a database.

local pl = require "perilune"
local page = require "login_page"
local password = pl.crypto.password

local accounts = pl.shared("login.accounts", { max = "1m" })
local tries = pl.shared("login.tries", { max = "1m", evict = true })
local TRIES = 10 -- of one address, in a minute

local stranger -- the hash of a password that nobody knows

-- Takes as long for a name that nobody has.
local function is_right(name, text)
  local hash = name and accounts:get(name)
  stranger = stranger or password.hash(pl.crypto.token())
  return password.verify(text or "", hash or stranger) and hash ~= nil
end

-- Guessing costs time: an address has so many tries.
local function too_often(req)
  return tries:incr(req.remote, 1, 0, 60) > TRIES
end

local function check_form(form)
  local name = form.name or ""
  if not name:find "^[%w_.-]+$" or #name > 40 then
    return nil, "A name is letters, digits, dots, up to 40 of them."
  elseif #(form.password or "") < 8 then
    return nil, "A password has 8 characters or more."
  end
  return name
end

-- The name is new to this browser's session, and so must the session's be.
local function enter(req, res, prefix, name)
  req.session:regenerate()
  req.session.user = name
  req.session:flash("notice", "Welcome, " .. name .. ".")
  return res:redirect(prefix .. "/", 303)
end

local function leave(req, res, prefix)
  req.session:destroy()
  req.session:flash("notice", "Goodbye.")
  return res:redirect(prefix .. "/", 303)
end

return function(prefix)
  local function show(req, status, notice)
    return status, page(req, prefix, notice)
  end

  pl.group(prefix, {
    session = pl.session { ttl = "1h", name = "login", path = prefix .. "/" },
    csrf = pl.csrf { cookie = "login_csrf" },
  }, function()
    pl.use(function(req, res, next)
      req.user = req.session.user
      next()
      res:header("cache-control", "no-store")
    end)

    pl.get("/", function(req)
      return show(req, 200, req.session:flash "notice")
    end)

    pl.post("/join", function(req, res)
      local form = req:form()
      local name, why = check_form(form)
      if not name then
        return show(req, 422, why)
      elseif too_often(req) then
        return show(req, 429, "Too many tries: come back in a minute.")
      elseif not accounts:add(name, password.hash(form.password)) then
        return show(req, 409, "That name is taken.")
      end
      return enter(req, res, prefix, name)
    end)

    pl.post("/in", function(req, res)
      local form = req:form()
      if too_often(req) then
        return show(req, 429, "Too many tries: come back in a minute.")
      elseif not is_right(form.name, form.password) then
        return show(req, 403, "Wrong name or password.")
      end
      return enter(req, res, prefix, form.name)
    end)

    pl.post("/out", function(req, res)
      return leave(req, res, prefix)
    end)
  end)
end

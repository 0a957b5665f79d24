-- site.lua - what the conformance cases talk to.
local pl = require "perilune"

pl.set { max_body = "16k" }

pl.get("/", function()
  return "hello"
end)

-- What the server understood, for cases about targets.
pl.any("/show/*rest", function(req)
  return ("method=%s path=%s query=%s host=%s"):format(
    req.method, req.path, req.query or "none", req.host or "none")
end)

pl.get("/header", function(req)
  return "[" .. (req.headers["x-test"] or "none") .. "]"
end)

pl.post("/body", function(req)
  return "[" .. req:body() .. "]"
end)

pl.post("/unread", function()
  return "unread"
end)

-- Its length is not known before it ends.
pl.get("/stream", function(_, res)
  res:write("one ")
  res:write("two")
end)

pl.get("/empty", function()
  return 204
end)

pl.get("/versioned", function(_, res)
  res:header("etag", '"v1"')
  return "versioned"
end)

pl.put("/only-put", function()
  return "put"
end)

pl.static("/files", { root = "public" })

-- What the script is told of a request.

function main(env, con)
  con:header("Content-Type", "text/plain")
  local names = {}
  for name in pairs(env) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    con:puts(("%s = %s\n"):format(name, env[name]))
  end
end

-- hello.lua - a script in the manner of CGI: a head, an empty line, a body.

_G.visits = (_G.visits or 0) + 1

print("Content-Type: text/plain\r\n\r\n")
print("Hello from ", os.getenv("SCRIPT_NAME"), (os.getenv("PATH_INFO") or ""),
  ", visitor number ", _G.visits, "\n")

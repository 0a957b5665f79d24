-- As luafcgid has it, with two keys of perilune's: root and sweep in a hurry.

listen = "127.0.0.1:9000" -- FastCGI, for the web server in front
root = "www"              -- scripts are below it; needed for HTTP

states = 16
clones = states / 2
sweep = 500 -- ms: how soon a changed script is seen
showerrors = true
headers = "X-Powered-By: Lua\r\nX-Site: moon\r\n"

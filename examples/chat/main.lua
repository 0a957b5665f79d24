-- main.lua - a chat: one WebSocket for each browser, one topic for each room,
-- any number of workers. perilune examples/chat, then http://localhost:8080/

require "chat" ("", "public")

// ws.js - the peer in Node.js: the library ws, without compression.
"use strict";

const { WebSocketServer } = require("ws");
const http = require("http");

const server = http.createServer();
const echo = new WebSocketServer({ noServer: true });
const room = new WebSocketServer({ noServer: true });

echo.on("connection", (socket) => {
  socket.on("message", (data, binary) => socket.send(data, { binary }));
});
room.on("connection", (socket) => {
  socket.on("message", (data, binary) => {
    for (const one of room.clients) {
      one.send(data, { binary });
    }
  });
});
server.on("upgrade", (request, socket, head) => {
  const to = request.url === "/room" ? room : echo;
  to.handleUpgrade(request, socket, head, (ws) => to.emit("connection", ws));
});
server.listen({ port: Number(process.argv[2]), host: "127.0.0.1",
  backlog: 4096 });

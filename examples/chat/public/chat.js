"use strict";

// One socket for the room; when it breaks, another one a little later.
const log = document.getElementById("log");
const state = document.getElementById("state");
const say = document.getElementById("say");
let socket;

function show(message) {
  const line = document.createElement("li");
  if (message.from) {
    const name = document.createElement("b");
    name.textContent = message.from;
    line.append(name, message.text);
  } else {
    line.className = "notice";
    line.textContent = message.notice;
  }
  log.append(line);
  line.scrollIntoView();
}

function connect(name, room, wait) {
  const url = new URL("rooms/" + room, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  url.search = new URLSearchParams({ name });
  socket = new WebSocket(url);
  socket.onopen = () => {
    log.replaceChildren(); // the room tells again what was said
    state.textContent = "";
    say.hidden = false;
    wait = 500;
  };
  socket.onmessage = (event) => show(JSON.parse(event.data));
  socket.onclose = (event) => {
    if (event.code >= 4000) {
      state.textContent = event.reason;
      return;
    }
    state.textContent = "The line is down; trying again.";
    setTimeout(connect, wait, name, room, Math.min(wait * 2, 10000));
  };
}

document.getElementById("enter").onsubmit = (event) => {
  event.preventDefault();
  const fields = new FormData(event.target);
  event.target.hidden = true;
  connect(fields.get("name"), fields.get("room"), 500);
};

say.onsubmit = (event) => {
  event.preventDefault();
  const field = say.elements.text;
  if (socket.readyState === WebSocket.OPEN) {
    socket.send(field.value);
    field.value = "";
  }
};

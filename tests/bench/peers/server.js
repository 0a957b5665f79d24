// server.js - the peer Node.js: its own http module, one process. It has no
// static files of its own.
'use strict';
const http = require('http');

function upload(request, response) {
  let size = 0;
  request.on('data', (piece) => { size += piece.length; });
  request.on('end', () => response.end(String(size)));
}

function echo(request, response) {
  const query = new URLSearchParams(request.url.slice('/echo?'.length));
  response.setHeader('Content-Type', 'text/plain');
  response.end(`Hello, ${query.get('name')}!`);
}

function json(request, response) {
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ message: 'Hello, World!' }));
}

http.createServer((request, response) => {
  if (request.url === '/upload') return upload(request, response);
  if (request.url === '/json') return json(request, response);
  if (request.url.startsWith('/echo?')) return echo(request, response);
  response.setHeader('Content-Type', 'text/plain');
  return response.end('Hello, World!');
}).listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });

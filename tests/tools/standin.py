"""standin - a tiny HTTP server in perilune's place, to test the harness."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from signal import SIGTERM, signal


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"3\r\none\r\n4;x=y\r\n two\r\n0\r\nT: 1\r\n\r\n")
        elif self.path == "/both":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/bare":
            self.wfile.write(b"HTTP/1.1 200 OK\n\n")
        elif self.path == "/report":
            print("ERROR: AddressSanitizer: heap-use-after-free", flush=True)
            self.answer(b"broken")
        elif self.path == "/old":
            self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\nuntil the end")
            self.close_connection = True
        else:
            self.answer(b"hello")

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()

    def answer(self, body: bytes):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    code = 3 if "--fails" in sys.argv else 0
    signal(SIGTERM, lambda *_: sys.exit(code))
    if "--silent" in sys.argv:
        sys.exit("no such file: site.lua")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(f"listening on http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()

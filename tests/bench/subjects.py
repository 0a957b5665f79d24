"""subjects - who is measured, and how each is started: one worker each.

The configuration of the peers is in peers/; @name@ in it is filled in here.
"""

import base64
import getpass
import gzip
import hashlib
import html
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from load import BUILD, TOP, Failed
from servers import Command, Server, free_port

HERE = Path(__file__).resolve().parent
PEERS = TOP / "build-bench/peers"  # by tools/bench-peers

C, LUA, FILES, FLOOR = "perilune C", "perilune Lua", "perilune", "floor"
NGINX, NGINX_LUA, H2O = "nginx", "nginx+Lua", "h2o"
LIGHTTPD, MAGNET = "lighttpd", "lighttpd+Lua"
CADDY, NODE, GO = "Caddy", "Node.js", "Go"
# With TLS, and the certificate of all of them; without tickets, so that a new
# connection is a whole handshake.
C_TLS, NGINX_TLS = "perilune C, TLS", "nginx, TLS"
H2O_TLS, LIGHTTPD_TLS = "h2o, TLS", "lighttpd, TLS"
TLS = (C_TLS, NGINX_TLS, H2O_TLS, LIGHTTPD_TLS)
# The same with tickets, for clients that come again.
C_AGAIN, NGINX_AGAIN = "perilune C, tickets", "nginx, tickets"
H2O_AGAIN, LIGHTTPD_AGAIN = "h2o, tickets", "lighttpd, tickets"
AGAIN = (C_AGAIN, NGINX_AGAIN, H2O_AGAIN, LIGHTTPD_AGAIN)
# What has to be set up for HTTP/2 in clear text.
NGINX_H2 = "nginx, HTTP/2"
# Another site than the others, so that these need not load what it has.
PAGES = "perilune page"
# Before another server, nginx for both, on connections that are kept.
PROXY, NGINX_PROXY = "perilune, proxy", "nginx, proxy_pass"
# Behind nginx (backends.py); of kept connections libfcgi would serve one.
FCGI, FCGI_C, FCGI_PHP = "perilune, FastCGI", "libfcgi C", "php-fpm"
FCGI_KEPT, FCGI_PHP_KEPT = "perilune, kept", "php-fpm, kept"
FCGI_SCRIPT = "perilune, luafcgid" # its dialect: a script by its file
BACKENDS = (FCGI, FCGI_SCRIPT, FCGI_C, FCGI_PHP, FCGI_KEPT, FCGI_PHP_KEPT)
OURS = (C, LUA, FILES, PAGES, C_TLS, C_AGAIN, PROXY, FCGI, FCGI_SCRIPT,
        FCGI_KEPT)
# The same servers once more, or none of their own.
VARIANTS = (FILES, PAGES, *TLS, *AGAIN, NGINX_H2, PROXY, NGINX_PROXY, *BACKENDS)

FILE_SIZES = (100, 1000, 6150, 10_000, 100_000, 1 << 20)
ECHO, JSON, UPLOAD = "/echo?name=moon", "/json", "/upload"
DIGEST = "/digest?name=moon"
PAGE = "/page?name=moon"
FORTUNES, FORTUNES_PAGE = "/fortunes", "/pages/fortunes"
UPLOAD_SIZE = 1 << 20
PACKED, PACKED_ANEW = "/packed/page.html", "/gzip/page.html"


def file_path(size: int) -> str:
    return f"/files/{size}.html"


def make_certificate(folder: Path):
    """RSA of 2048 bits, as most sites still have."""
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes"]
    words += ["-subj", "/CN=localhost", "-keyout", folder / "site.key"]
    words += ["-out", folder / "site.crt"]
    subprocess.run(words, check=True, capture_output=True)


def make_site(folder: Path):
    """What all serve: public/ with files of each size, and our site.lua."""
    public = folder / "public"
    public.mkdir()
    text = "<!doctype html>" + "perilune " * (max(FILE_SIZES) // 9)
    for size in FILE_SIZES:
        (public / f"{size}.html").write_text(text[:size])
    (public / "hello.txt").write_text("Hello, World!")
    make_page(folder / "packed")
    shutil.copy(HERE / "site.lua", folder)
    shutil.copy(HERE / "pages.lua", folder)
    shutil.copytree(HERE / "pages", folder / "pages")
    shutil.copy(HERE / "page.lsp", folder / "pages")
    make_certificate(folder)


def escaped(text: str) -> str:
    return html.escape(text).replace("&#x27;", "&#39;")


def fortunes() -> bytes:
    """The table that the rows of site.lua make."""
    rows = re.findall(r"(?m)^  \[\[(.*)\]\],$", (HERE / "site.lua").read_text())
    cells = "".join(
        f"<tr><td>{number}</td><td>{escaped(row)}</td></tr>"
        for number, row in enumerate(rows, 1)
    )
    head = "<tr><th>id</th><th>message</th></tr>"
    return (
        "<!doctype html><title>Fortunes</title>"
        f"<table>{head}{cells}</table>\n"
    ).encode()


def make_page(folder: Path):
    """A page of 32 KiB that becomes a fifth, and what others find beside it."""
    folder.mkdir()
    lines = (
        f"<p class=row id=r{i}>Row {i}: {i * i % 9973} of {i * 7919 % 10007}"
        for i in range(10_000)
    )
    text = ("<!doctype html>\n" + "\n".join(lines))[: 32 * 1024].encode()
    (folder / "page.html").write_bytes(text)
    (folder / "page.html.gz").write_bytes(gzip.compress(text, 9, mtime=0))


def digest(text: bytes) -> bytes:
    return base64.b64encode(hashlib.md5(text).hexdigest().encode())


def expected(target: str, site: Path) -> bytes:
    """The body that every server has to answer."""
    if target.startswith("/files/"):
        return (site / "public" / target.removeprefix("/files/")).read_bytes()
    if target in (PACKED, PACKED_ANEW):
        return (site / "packed/page.html").read_bytes()
    if target in (UPLOAD, "/lua-upload"):
        return str(UPLOAD_SIZE).encode()
    if target in (FORTUNES, FORTUNES_PAGE):
        return fortunes()
    known = {ECHO: b"Hello, moon!", DIGEST: digest(b"moon"),
             JSON: b'{"message":"Hello, World!"}',
             PAGE: (HERE / "page.html").read_bytes()}  # fmt: skip
    return known.get(target, b"Hello, World!")


# ---- commands ----


@dataclass
class Place:
    """What a command may use: the folder that all serve, one of its own."""

    site: Path
    own: Path
    port: int

    def configure(self, name: str, **values: str) -> Path:
        """Fills in peers/<name> and gives the path of what came out."""
        values = {"site": self.site, "folder": self.own, "port": self.port,
                  "user": getpass.getuser(), **values}  # fmt: skip
        text = re.sub(
            r"@(\w+)@",
            lambda match: str(values[match[1]]),
            (HERE / "peers" / name).read_text(),
        )
        path = self.own / name
        path.write_text(text)
        return path


def built(path: Path) -> Path:
    if not path.exists():
        raise Failed(f"{path} is not there")
    return path


def installed(name: str) -> str:
    path = shutil.which(name, path="/usr/sbin:/usr/bin")
    if path is None:
        raise Failed(f"{name} is not installed (tools/setup bench)")
    return path


def perilune(place: Place, site="site.lua") -> Command:
    """Without a supervisor, as nginx runs without a master."""
    words = [built(BUILD / "perilune"), place.site / site]
    words += ["--no-supervisor", "-h", "127.0.0.1", "-p", place.port, "-c", 1]
    return Command(words, place.port)


def perilune_c(place: Place) -> Command:
    hello = built(BUILD / "tests/bench/hello")
    return Command([hello, place.port], place.port)


def nginx(place: Place, tls="", speaks="") -> Command:
    values = {"modules": "", "http": "", "locations": "", "tls": tls}
    values["speaks"] = "ssl" if tls else speaks
    conf = place.configure("nginx.conf", **values)
    words = [installed("nginx"), "-p", place.own, "-c", conf]
    return Command(words, place.port)


def nginx_lua(place: Place) -> Command:
    built(PEERS / "complete")
    modules = PEERS / "usr/lib/nginx/modules"
    library = PEERS / "usr/lib/x86_64-linux-gnu"
    conf = place.configure(
        "nginx.conf",
        tls="",
        speaks="",
        modules=f"load_module {modules}/ndk_http_module.so;\n"
        f"load_module {modules}/ngx_http_lua_module.so;",
        http=f'lua_package_path "{HERE}/peers/?.lua;'
        f'{PEERS}/usr/share/lua/5.1/?.lua;;";\n'
        f'lua_package_cpath "{library}/lua/5.1/?.so;;";',
        locations=(HERE / "peers/nginx-lua.conf").read_text(),
    )
    words = [installed("nginx"), "-p", place.own, "-c", conf]
    env = {"LD_LIBRARY_PATH": str(library)}
    return Command(words, place.port, env)


def behind(place: Place) -> Command:
    """nginx with its constant answer, on a port of its own."""
    folder = place.own / "behind"
    folder.mkdir()
    return nginx(Place(place.site, folder, free_port()))


def perilune_proxy(place: Place) -> Command:
    server = behind(place)
    site = place.own / "proxy.lua"
    site.write_text(
        'local pl = require "perilune"\n'
        f'pl.proxy("/", {{ to = "http://127.0.0.1:{server.port}", '
        "keepalive = 128 })\n"
    )
    words = [built(BUILD / "perilune"), site, "--no-supervisor"]
    words += ["-h", "127.0.0.1", "-p", place.port, "-c", 1]
    return Command(words, place.port, beside=server)


def nginx_front(place: Place, http: str, locations: str) -> Command:
    """nginx before another server."""
    conf = place.configure("nginx.conf", modules="", speaks="", tls="",
                           http=http, locations=locations)  # fmt: skip
    words = [installed("nginx"), "-p", place.own, "-c", conf]
    return Command(words, place.port)


def nginx_proxy(place: Place) -> Command:
    server = behind(place)
    command = nginx_front(
        place,
        http=f"""upstream behind {{
        server 127.0.0.1:{server.port};
        keepalive 128;
        keepalive_requests 1000000000;
    }}""",
        locations="""location = /proxied {
            proxy_pass http://behind/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }""",
    )
    command.beside = server
    return command


def nginx_h2(place: Place) -> Command:
    """In clear text it speaks HTTP/2 only where it speaks nothing else."""
    command = nginx(place, speaks="http2")
    command.only_h2 = True
    return command


def h2o(place: Place, tls="") -> Command:
    conf = place.configure("h2o.conf", tls=tls)
    words = [installed("h2o"), "-c", conf]
    return Command(words, place.port)


def lighttpd(place: Place, modules="", magnet="", tls="") -> Command:
    conf = place.configure(
        "lighttpd.conf", modules=modules, magnet=magnet, tls=tls
    )
    return Command([installed("lighttpd"), "-D", "-f", conf], place.port)


def lighttpd_lua(place: Place) -> Command:
    built(Path("/usr/lib/lighttpd/mod_magnet.so"))
    script = HERE / "peers/lighttpd-magnet.lua"
    attract = f'magnet.attract-raw-url-to = ("{script}")'
    return lighttpd(place, ', "mod_magnet"', attract)


# ---- with TLS ----


def pair(place: Place) -> tuple[Path, Path]:
    return place.site / "site.crt", place.site / "site.key"


def secure(command: Command) -> Command:
    command.tls = True
    return command


def perilune_c_tls(place: Place, tickets=False) -> Command:
    command = perilune_c(place)
    command.words += [*pair(place), *["tickets"] * tickets]
    command.env["PERILUNE_PLUGINS"] = str(BUILD)
    return secure(command)


def nginx_tls(place: Place, tickets=False) -> Command:
    cert, key = pair(place)
    return secure(nginx(place, tls=f"""
        ssl_certificate {cert};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_tickets {"on" if tickets else "off"};
        ssl_session_cache off;"""))


def h2o_tls(place: Place, tickets=False) -> Command:
    cert, key = pair(place)
    return secure(h2o(place, f"""
  ssl:
    certificate-file: {cert}
    key-file: {key}
ssl-session-resumption:
  mode: {"ticket" if tickets else "off"}"""))


def lighttpd_tls(place: Place, tickets=False) -> Command:
    built(Path("/usr/lib/lighttpd/mod_openssl.so"))
    cert, key = pair(place)
    sign = "" if tickets else "-"
    return secure(lighttpd(place, ', "mod_openssl"', tls=f"""
ssl.engine = "enable"
ssl.pemfile = "{cert}"
ssl.privkey = "{key}"
ssl.openssl.ssl-conf-cmd = ("Options" => "{sign}SessionTicket")"""))


# ---- others ----


def caddy(place: Place) -> Command:
    conf = place.configure("Caddyfile")
    words = [installed("caddy"), "run", "--adapter", "caddyfile"]
    env = {"GOMAXPROCS": "1", "HOME": str(place.own)}
    return Command([*words, "--config", conf], place.port, env)


def node(place: Place) -> Command:
    words = [installed("node"), HERE / "peers/server.js", place.port]
    return Command(words, place.port)


def go(place: Place) -> Command:
    words = [built(PEERS / "server-go"), place.port, place.site / "public"]
    return Command(words, place.port, {"GOMAXPROCS": "1"})


# ---- subjects ----


@dataclass
class Subject:
    command: object  # Place -> Command
    # Where it serves what others serve elsewhere.
    paths: dict[str, str] = field(default_factory=dict)

    def path(self, target: str) -> str:
        return self.paths.get(target, target)


FILE_FOR_HELLO = {"/": "/hello.txt"}

SUBJECTS = {
    C: Subject(perilune_c, {ECHO: "/"}),  # hello, beside the Lua of others
    LUA: Subject(perilune),
    FILES: Subject(perilune),
    PAGES: Subject(partial(perilune, site="pages.lua")),
    NGINX: Subject(nginx),
    NGINX_LUA: Subject(
        nginx_lua,
        {UPLOAD: "/lua-upload", FORTUNES_PAGE: FORTUNES},
    ),
    H2O: Subject(h2o, FILE_FOR_HELLO),
    LIGHTTPD: Subject(lighttpd, FILE_FOR_HELLO),
    MAGNET: Subject(lighttpd_lua),
    CADDY: Subject(caddy),
    NODE: Subject(node),
    GO: Subject(go),
    C_TLS: Subject(perilune_c_tls),
    NGINX_TLS: Subject(nginx_tls),
    H2O_TLS: Subject(h2o_tls, FILE_FOR_HELLO),
    LIGHTTPD_TLS: Subject(lighttpd_tls, FILE_FOR_HELLO),
    C_AGAIN: Subject(partial(perilune_c_tls, tickets=True)),
    NGINX_AGAIN: Subject(partial(nginx_tls, tickets=True)),
    H2O_AGAIN: Subject(partial(h2o_tls, tickets=True), FILE_FOR_HELLO),
    LIGHTTPD_AGAIN: Subject(
        partial(lighttpd_tls, tickets=True), FILE_FOR_HELLO
    ),
    NGINX_H2: Subject(nginx_h2),
    PROXY: Subject(perilune_proxy),
    NGINX_PROXY: Subject(nginx_proxy, {"/": "/proxied"}),
}


class Stable:
    """Starts subjects, each in a folder of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.count = 0
        make_site(folder)

    def place(self) -> Place:
        self.count += 1
        own = self.folder / f"{self.count}"
        own.mkdir()
        return Place(self.folder, own, free_port())

    def command(self, name: str) -> tuple[Command, Place]:
        place = self.place()
        return SUBJECTS[name].command(place), place

    def start(self, name: str, env: dict | None = None) -> Server:
        command, place = self.command(name)
        command.env.update(env or {})
        return Server(name, command, place.own)

    def floor(self, answer: bytes, close: bool) -> Server:
        """A floor that answers so."""
        place = self.place()
        response = place.own / "response"
        response.write_bytes(answer)
        words = [built(BUILD / "tests/bench/floor"), place.port, response]
        if close:
            words.append("close")
        return Server(FLOOR, Command(words, place.port), place.own)

"""backends - who is measured behind a web server, by FastCGI.

nginx in front is the same for all, and shares the processor of the load; what
is measured is the process behind it.
"""

from functools import partial
from pathlib import Path

from servers import Command
from subjects import (
    BUILD, FCGI, FCGI_C, FCGI_KEPT, FCGI_PHP, FCGI_PHP_KEPT, FCGI_SCRIPT, HERE,
    PEERS, SUBJECTS, Place, Subject, built, installed, nginx_front,
)  # fmt: skip

LOCATION = """location / {
            include /etc/nginx/fastcgi_params;
            fastcgi_param SCRIPT_FILENAME @script@;
            fastcgi_pass @to@;
            fastcgi_keep_conn @keep@;
        }"""
UPSTREAM = """upstream behind {
        server unix:@socket@;
        keepalive 128;
        keepalive_requests 1000000000;
    }"""


def front(place: Place, socket: Path, kept: bool, script: str) -> Command:
    """nginx on place.port; what it asks for listens on socket."""
    values = {
        "@socket@": socket,
        "@to@": "behind" if kept else f"unix:{socket}",
        "@keep@": "on" if kept else "off",
        "@script@": HERE / script,
    }
    texts = {"http": UPSTREAM * kept, "locations": LOCATION}
    for what in texts:
        for name, value in values.items():
            texts[what] = texts[what].replace(name, str(value))
    return nginx_front(place, **texts)


def backend(words, place: Place, kept: bool, env=None,
            script="peers/fastcgi.php") -> Command:  # fmt: skip
    socket = place.own / "socket"
    return Command(words, place.port, env or {}, socket=socket,
                   beside=front(place, socket, kept, script))  # fmt: skip


def perilune(place: Place, kept=False) -> Command:
    words = [built(BUILD / "perilune"), HERE / "fastcgi.lua", "-c", 1,
             "--no-supervisor"]  # fmt: skip
    return backend(words, place, kept,
                   {"BENCH_ADDRESS": f"unix:{place.own}/socket"})  # fmt: skip


def perilune_script(place: Place) -> Command:
    config = place.own / "config.lua"
    config.write_text(f'listen = "{place.own}/socket"\nroot = "{HERE}"\n')
    words = [built(BUILD / "perilune"), "--dialect", "luafcgid", config,
             "-c", 1, "--no-supervisor"]  # fmt: skip
    return backend(words, place, False, script="luafcgid.lua")


def libfcgi(place: Place) -> Command:
    program = built(PEERS / "fastcgi-c")
    words = [installed("spawn-fcgi"), "-n", "-s", place.own / "socket",
             "-b", 4096, "--", program]  # fmt: skip
    return backend(words, place, False)


def php_fpm(place: Place, kept=False) -> Command:
    conf = place.configure("php-fpm.conf")
    # as root it wants to be told twice
    words = [installed("php-fpm8.2"), "-R", "-y", conf]
    return backend(words, place, kept)


SUBJECTS |= {
    FCGI: Subject(perilune),
    FCGI_SCRIPT: Subject(perilune_script),
    FCGI_C: Subject(libfcgi),
    FCGI_PHP: Subject(php_fpm),
    FCGI_KEPT: Subject(partial(perilune, kept=True)),
    FCGI_PHP_KEPT: Subject(partial(php_fpm, kept=True)),
}

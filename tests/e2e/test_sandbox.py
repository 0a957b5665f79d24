"""The sandbox: what is refused inside of it, and that the rest goes on."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from signal import SIGHUP, SIGKILL, SIGSYS, SIGUSR1, SIGUSR2

import pytest

from harness.certs import Authority
from harness.modules import build
from harness.ports import listens
from harness.server import TOP, program, sanitized
from harness.wait import GUARD, wait_for

LAYERS = ["user", "chroot", "capabilities", "no_new_privs", "landlock",
          "seccomp"]
USER = "www-data"
LANDLOCK_CREATE_RULESET, SECCOMP = 444, 317

root_only = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can become another user"
)
own_processes = pytest.mark.skipif(
    sanitized(), reason="the leak checker is a process: they may be made"
)
without_tsan = pytest.mark.skipif(
    b"__tsan_init" in program().read_bytes(),
    reason="TSan has threads, and handlers of signals, of its own",
)
pytestmark = pytest.mark.skipif(
    os.uname().machine != "x86_64", reason="numbers of system calls are its"
)

# What a handler that somebody has taken over might try, past Lua.
ATTACKS = r"""
#include <errno.h>
#include <fcntl.h>
#include <lua.h>
#include <lauxlib.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#define TRY(label, expr) \
    if (strcmp(name, label) == 0) { errno = 0; done = (long)(expr); }
static int try(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    char *words[] = {"/bin/true", NULL};
    long done = -2;

    TRY("ptrace", ptrace(PTRACE_TRACEME, 0, 0, 0))
    TRY("mount", mount("none", "/mnt", "tmpfs", 0, ""))
    TRY("umount", umount2("/proc", MNT_DETACH))
    TRY("setuid", setuid(0))
    TRY("setgid", setgid(0))
    TRY("chroot", chroot("/"))
    TRY("unshare", unshare(CLONE_NEWUSER))
    TRY("execve", execve("/bin/true", words, words))
    TRY("fork", fork())
    TRY("raw socket", socket(AF_INET, SOCK_RAW, 1))
    TRY("packet socket", socket(AF_PACKET, SOCK_RAW, 0))
    TRY("bpf", syscall(SYS_bpf, 0, 0, 0))
    TRY("io_uring", syscall(SYS_io_uring_setup, 1, 0))
    TRY("kill", syscall(SYS_kill, getppid(), 0))
    TRY("tgkill", syscall(SYS_tgkill, 1, 1, 0))
    TRY("personality", syscall(SYS_personality, 0xffffffff))
    TRY("keyctl", syscall(SYS_keyctl, 0, 0, 0))
    TRY("reboot", syscall(SYS_reboot, 0, 0, 0, 0))
    TRY("stuff a terminal", syscall(SYS_ioctl, 0, 0x5412, "x"))
    TRY("open to write", open("/etc/perilune-test", O_WRONLY | O_CREAT, 0600))
    TRY("getpid", getpid())
    TRY("socket", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    if (done == -2)
        return luaL_error(L, "no attack: %s", name);
    lua_pushstring(L, done < 0 ? strerrorname_np(errno) : "done");
    return 1;
}
int luaopen_attacks(lua_State *L) { lua_pushcfunction(L, try); return 1; }
"""
REFUSED = re.findall(r'TRY\("([^"]+)"', ATTACKS)[:-2]

SITE = """
local pl = require "perilune"
pl.set { %s }
package.cpath = "@HERE@/?.so;" .. package.cpath
local function told(ok, value, err)
  if not ok then return { raised = tostring(value) } end
  return { ok = not not value, value = value or nil,
    code = type(err) == "table" and err.code or nil,
    err = err and tostring(err) or nil }
end
pl.static("/static", { root = "public" })
pl.get("/", function() return pl.env("GREETING", "hello") end)
pl.get("/read", function(req) return told(pcall(pl.fs.read, req.args.p)) end)
pl.get("/write", function(req)
  return told(pcall(pl.fs.write, req.args.p, "new"))
end)
pl.get("/run", function(req)
  local ok, done, err = pcall(pl.process.run, { req.args.p })
  return told(ok, done and done.output or done, err)
end)
pl.get("/try", function(req) return (require "attacks")(req.args.p) end)
pl.get("/io", function(req)
  local file, err = io.open(req.args.p, req.args.mode or "r")
  return file and "opened" or err
end)
pl.get("/more", function() return require "more" end)
pl.post("/upload", { max_upload = "8m", body_spool = "16k" }, function(req)
  return tostring(#req:body())
end)
pl.get("/hash", function()
  return pl.hex.encode(pl.crypto.hash("sha256", "a"))
end)
pl.get("/hosts", function(req)
  local socket, err = pl.connect(req.args.p)
  return socket and "connected" or tostring(err)
end)
pl.get("/jit", function()
  local sum = 0
  for i = 1, 1e6 do sum = sum + i %% 7 end
  return tostring(sum)
end)
pl.get("/page", function() error "broken" end)
pl.post("/reload", function()
  local ok, err = pl.reload()
  return told(true, ok, err)
end)
"""
FILES = {
    "public/a.txt": "a static file",
    "more.lua": "return 'a module in Lua'",
    "errors.mustache": "<h1>{{status}} of ours</h1>",
}


@pytest.fixture
def tmp_path():
    """One that other users reach, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="perilune-sandbox-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture
def place(tmp_path):
    """spool and log are the user's."""
    for name in ["spool", "log", "outside"]:
        (tmp_path / name).mkdir()
        if os.geteuid() == 0 and name != "outside":
            shutil.chown(tmp_path / name, USER)
    (tmp_path / "outside/secret").write_text("a secret")
    return tmp_path


@pytest.fixture
def start(serve, place):
    def begin(settings, *args, site=SITE, who=USER, supervisor=True, **more):
        if who and os.geteuid() == 0:
            settings = f'user = "{who}", {settings}'
        extra = {"TMPDIR": str(place / "spool"), **more.pop("env", {})}
        if "chroot" in settings:  # without /proc there is no looking for leaks
            extra["ASAN_OPTIONS"] = "detect_leaks=0"
        text = (site % settings).replace("@HERE@", str(place / "code"))
        (place / "code").mkdir(exist_ok=True)
        server = serve(
            write(place, text), "--admin", place / "admin", *args,
            workers=more.pop("workers", 1), supervisor=supervisor,
            files={f"code/{k}": v for k, v in FILES.items()},
            env=extra, **more,
        )
        server.admin = place / "admin"
        return server

    return begin


def write(place: Path, text: str) -> Path:
    path = place / "code/site.lua"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def change(server, old: str, new: str):
    path = server.folder / "code/site.lua"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.fixture
def attacks(place):
    (place / "code").mkdir(exist_ok=True)
    build(ATTACKS, place / "code/attacks.so", "-D_GNU_SOURCE")


def status(server) -> dict:
    done = subprocess.run(
        [program(), "status", "--json", "--admin", server.admin],
        capture_output=True, text=True, check=True, timeout=GUARD,
    )
    return json.loads(done.stdout)


def states(server) -> dict:
    said = status(server)["sandbox"]
    return {layer: said[layer]["state"] for layer in LAYERS}


def proc_status(server, key: str) -> str:
    text = (server.serving().path / "status").read_text()
    return re.search(rf"^{key}:\s*(.*)$", text, re.MULTILINE)[1]


def spool(place) -> str:
    return f'sandbox = {{ write = "{place}/spool" }}'


def replaced(server):
    """By a hard reload: the old one accepts until it has ended."""
    server.wait_log("the old server process has ended")


def started_again(server):
    """After a crash."""
    server.wait_log("a new server process serves")


# ---- what status and the kernel say ----


def test_nothing_of_it_is_there_unless_asked_for(start):
    server = start("stop_timeout = 5", who=None)
    assert status(server)["sandbox"] == {"on": False}
    assert proc_status(server, "Seccomp") == "0"
    assert proc_status(server, "NoNewPrivs") == "0"


@root_only
@pytest.mark.parametrize("supervisor", [True, False])
def test_status_shows_each_layer_and_the_kernel_agrees(start, supervisor):
    server = start("sandbox = true", supervisor=supervisor, workers=2)
    assert states(server) == {**dict.fromkeys(LAYERS, "on"), "chroot": "off"}
    said = status(server)["sandbox"]
    assert said["user"]["note"] == USER
    assert said["capabilities"]["note"] == "none"
    assert re.fullmatch(r"ABI \d+, \d+ paths", said["landlock"]["note"])
    for key in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]:
        assert int(proc_status(server, key), 16) == 0, key
    assert proc_status(server, "NoNewPrivs") == "1"
    for task in (server.serving().path / "task").iterdir():
        text = (task / "status").read_text()
        assert re.search(r"^Seccomp:\s*2$", text, re.M), text
        assert re.search(r"^CapEff:\s*0+$", text, re.M), text
        assert re.search(r"^Uid:\s*33\s+33\s+33\s+33$", text, re.M), text
    text = subprocess.run(
        [program(), "status", "--admin", server.admin],
        capture_output=True, text=True, check=True,
    ).stdout
    assert "capabilities on (none)  no_new_privs on" in text


def test_without_root_the_rest_is_there(start):
    """As any user: this is what the tests can do everywhere."""
    server = start("sandbox = true", who=None)
    said = states(server)
    assert said["user"] == said["chroot"] == "off"
    assert {said[name] for name in LAYERS[2:]} == {"on"}


@pytest.mark.parametrize("layer, setting", [
    ("capabilities", "drop_capabilities = false"),
    ("landlock", "landlock = false"),
    ("seccomp", "seccomp = false"),
])
def test_each_layer_can_be_left_out(start, layer, setting):
    server = start(f"sandbox = {{ {setting} }}", who=None)
    said = states(server)
    assert [name for name in LAYERS[2:] if said[name] == "off"] == [layer]


@pytest.mark.parametrize("setting, why", [
    ("no_new_privs = false", "setting 'sandbox_no_new_privs' is off"),
    ("seccomp = 'never'", "setting 'sandbox_seccomp': not a possible value"),
    ("read = 7", "sandbox: read must be a list of paths"),
    ("read = { 7 }", "sandbox: read: a path"),
    ("landlok = false", "did you mean 'sandbox_landlock'"),
])
def test_wrong_wishes_are_errors_of_the_site(start, setting, why):
    server = start(
        f"sandbox = {{ {setting} }}", who=None, announced=False
    )
    assert server.wait() == 3
    assert why in server.log()


@root_only
def test_only_the_groups_of_the_user_are_left(start):
    server = start("sandbox = true")
    groups = os.getgrouplist(USER, 33)
    assert sorted(map(int, proc_status(server, "Groups").split())) == groups


# ---- what is refused ----


@pytest.fixture
def inside(start, place, attacks):
    return start(spool(place) if os.geteuid() == 0 else "sandbox = true")


@without_tsan
def test_no_system_call_of_an_attack_gets_through(inside):
    theirs = {"ptrace", "fork", "personality"} if sanitized() else set()
    refused = set(REFUSED) - theirs
    for name in sorted(refused):
        text = inside.get("/try?p=" + name.replace(" ", "%20")).text
        assert text in ["EPERM", "EACCES", "ENOSYS"], f"{name}: {text}"
    assert inside.get("/try?p=getpid").text == "done"
    assert inside.get("/try?p=socket").text == "done"
    assert status(inside)["crashes"] == 0


def test_what_was_refused_is_told_once(inside):
    for _ in range(3):
        assert inside.get("/try?p=bpf").text == "EPERM"
    inside.wait_log(r"warn sandbox: a system call was refused.*call=bpf")
    assert inside.get("/try?p=mount").text == "EPERM"
    inside.wait_log("call=mount")
    assert inside.log().count("call=bpf") == 1
    assert status(inside)["sandbox"]["refused"] >= 2


@pytest.mark.parametrize("who", [USER, None])
def test_files_that_the_site_does_not_name_are_out_of_reach(
    start, place, who
):
    """Also for root, who has kept no right of root."""
    server = start(spool(place), who=who)
    for path in ["/etc/shadow", "/root/.bashrc", f"{place}/outside/secret",
                 "/proc/1/environ", "/etc/ssl/private/x"]:
        said = server.get(f"/read?p={path}").json()
        assert not said["ok"], path
        assert said["code"] in ["denied", "not_found"], said
    for path in [f"{place}/outside/new", f"{place}/code/site.lua",
                 "/etc/new", "/tmp/perilune-new"]:
        said = server.get(f"/write?p={path}").json()
        assert said["code"] == "denied", said
    assert "Permission denied" in server.get(
        f"/io?p={place}/outside/secret"
    ).text
    assert not (place / "outside/new").exists()


@own_processes
def test_no_program_is_started(inside):
    said = inside.get("/run?p=/bin/true").json()
    assert said == {"ok": False, "code": "denied",
                    "err": "pl.process.run: /bin/true: Operation not permitted"
                    }, said


@pytest.mark.skipif(sanitized(), reason="they have a process of their own")
def test_kill_ends_the_process_and_another_one_serves(start, attacks):
    server = start('sandbox = { seccomp = "kill" }', who=None)
    with pytest.raises(Exception):
        server.get("/try?p=bpf")
    started_again(server)
    assert f"signal {SIGSYS.value} SIGSYS" in server.log()
    assert server.get("/").text == "hello"


def test_log_lets_calls_through(start, attacks):
    server = start('sandbox = { seccomp = "log" }', who=None)
    assert server.get("/try?p=personality").text == "done"


def test_a_strangers_sigsys_is_not_an_answer(start):
    server = start("sandbox = true", who=None)
    os.kill(server.serving().pid, SIGSYS)
    started_again(server)


# ---- what goes on ----


def test_the_site_serves_everything(start, place):
    server = start(
        f'{spool(place)}, temp_folder = "{place}/spool", '
        'error_pages = "errors.mustache"',
        workers=2,
    )
    assert server.get("/").text == "hello"
    assert server.get("/static/a.txt").text == "a static file"
    assert server.get("/more").text == "a module in Lua"
    assert server.get("/jit").text == "2999998"
    assert server.get("/hash").text.startswith("ca978112")
    assert "500 of ours" in server.request(
        "GET", "/page", {"Accept": "text/html"}
    ).text
    body = b"x" * (1 << 20)
    assert server.request("POST", "/upload", None, body).text == str(1 << 20)
    said = server.get(f"/write?p={place}/spool/file").json()
    assert said["ok"], said
    assert (place / "spool/file").read_text() == "new"
    assert server.get(f"/read?p={place}/spool/file").json()["value"] == "new"


def test_names_of_hosts_are_found(start):
    with socket.create_server(("127.0.0.1", 0)) as peer:
        port = peer.getsockname()[1]
        server = start("sandbox = true")
        assert server.get(f"/hosts?p=localhost:{port}").text == "connected"


def test_paths_to_read_are_read(start, place):
    server = start(f'sandbox = {{ read = {{ "{place}/outside" }} }}')
    said = server.get(f"/read?p={place}/outside/secret").json()
    assert said["value"] == "a secret"
    assert not server.get(f"/write?p={place}/outside/x").json()["ok"]


def test_programs_are_run_where_the_site_says_so(start):
    server = start("sandbox = { processes = true }")
    said = server.get("/run?p=/bin/pwd").json()
    assert said["ok"], said
    assert states(server)["seccomp"] == "on"


def test_only_the_programs_that_it_names(start):
    programs = '{ "/bin/pwd" }'
    server = start(f"sandbox = {{ processes = {programs} }}")
    assert server.get("/run?p=/bin/pwd").json()["ok"]
    said = server.get("/run?p=/bin/ls").json()
    assert not said["ok"] and said["code"] == "denied", said


@without_tsan
def test_native_modules_are_loaded_and_replaced(start, place):
    source = """
    #include <perilune.h>
    PL_MODULE(PL_MODULE_ABI, PL_MODULE_SIZE);
    PL_HANDLER(which)
    {
        return pl_respondf(res, 200, "text/plain", "%s", NAME);
    }
    """
    module = place / "code/m.so"
    (place / "code").mkdir()
    build(source, module, '-DNAME="one"')
    site = SITE + f"""
pl.module "{module}"
pl.get("/which", pl.handler "which")
"""
    server = start("sandbox = true", site=site)
    assert server.get("/which").text == "one"
    build(source, module, '-DNAME="two"')
    server.send_signal(SIGHUP)
    server.wait_log("server: reloaded")
    assert server.get("/which").text == "two"


def test_logs_are_opened_again(start, place):
    server = start("sandbox = true", "--log", place / "log/error")
    log = place / "log/error"
    wait_for(log.exists, "a log")
    if os.geteuid() == 0:
        shutil.chown(log, USER)
    log.rename(place / "log/old")
    server.send_signal(SIGUSR1)
    wait_for(log.exists, "the new log")


# ---- certificates ----


def served_serial(server, authority) -> int:
    with socket.create_connection(("127.0.0.1", server.port)) as plain:
        context = authority.context()
        with context.wrap_socket(plain, server_hostname="localhost") as tls:
            return int(tls.getpeercert()["serialNumber"], 16)


@root_only
@pytest.mark.parametrize("chroot", [False, True])
def test_a_certificate_that_only_root_reads_is_renewed(start, place, chroot):
    (place / "keys").mkdir(mode=0o700)
    authority = Authority(place / "keys")
    cert, key = authority.sign("site", ["localhost"])
    key.chmod(0o600)
    settings = f'sandbox = {{ chroot = "{place}/code" }}' if chroot else \
        "sandbox = true"
    site = SITE + f"""
pl.listen {{ "127.0.0.1:0", tls = {{ cert = "{cert}", key = "{key}" }} }}
"""
    server = start(settings, site=site, listen=False)
    first = served_serial(server, authority)
    authority.sign("site", ["localhost"])
    key.chmod(0o600)
    os.utime(cert, (1e9, 1e9))  # long since at rest
    server.send_signal(SIGHUP)
    replaced(server)
    wait_for(
        lambda: served_serial(server, authority) != first,
        "the new certificate",
    )


# ---- chroot ----


@root_only
@pytest.mark.parametrize("how", ["absolute", "relative"])
def test_a_site_lives_in_its_chroot(start, place, attacks, how):
    server = start(
        f'sandbox = {{ chroot = "{place}/code" }}', workers=2
    ) if how == "absolute" else start('sandbox = { chroot = "." }')
    assert states(server)["chroot"] == "on"
    assert os.readlink(server.serving().path / "root") == f"{place}/code"
    assert server.get("/").text == "hello"
    assert server.get("/static/a.txt").text == "a static file"
    assert server.get("/more").text == "a module in Lua"
    assert server.get("/hash").text.startswith("ca978112")
    assert server.get("/read?p=/more.lua").json()["ok"]
    assert server.get("/read?p=/etc/passwd").json()["code"] == "not_found"
    change(server, '"hello"', '"hello again"')
    server.send_signal(SIGHUP)
    server.wait_log("server: reloaded")
    assert server.get("/").text == "hello again"


@root_only
def test_a_database_is_opened_in_a_chroot(start, place):
    """Its driver is loaded before, as nothing outside can be later."""
    site = SITE + """
    pl.get("/db", function()
      local db = require "perilune".sql.open "sqlite::memory:"
      return tostring(db:value "select 6 * 7")
    end)
    """
    server = start(f'sandbox = {{ chroot = "{place}/code" }}', site=site)
    assert server.get("/db").text == "42"


@root_only
def test_names_of_hosts_in_a_chroot_are_those_of_its_files(start, place):
    (place / "code/etc").mkdir(parents=True)
    (place / "code/etc/hosts").write_text("127.0.0.1 elsewhere.example\n")
    with socket.create_server(("127.0.0.1", 0)) as peer:
        port = peer.getsockname()[1]
        server = start(f'sandbox = {{ chroot = "{place}/code" }}')
        said = server.get(f"/hosts?p=elsewhere.example:{port}").text
        assert said == "connected"


@root_only
@pytest.mark.parametrize("folder, why", [
    ("/no/such", "No such file or directory"),
    ("/usr", "the site is not inside of it"),
])
def test_a_chroot_that_cannot_be_ends_the_start(start, folder, why):
    server = start(f'sandbox = {{ chroot = "{folder}" }}', announced=False)
    assert server.wait() == 1
    assert f"sandbox: chroot {folder}: {why}" in server.log()


@root_only
def test_an_open_folder_is_no_way_out(start, place):
    site = SITE + "\nkept = pl.static('/x', { root = '/usr/share' })\n"
    server = start(
        f'sandbox = {{ chroot = "{place}/code" }}', site=site, announced=False
    )
    assert server.wait() == 1
    assert "the folder /usr/share outside of it is open" in server.log()


# ---- rights ----


def capable(server) -> int:
    return int(proc_status(server, "CapEff"), 16)


@root_only
@pytest.mark.parametrize("supervisor, rights", [(False, 1 << 10), (True, 0)])
def test_low_ports_are_kept_where_nobody_else_opens_them(
    start, supervisor, rights
):
    port = free_low_port()
    site = SITE + f'\npl.listen {{ "127.0.0.1:{port}" }}\n'
    server = start(
        "sandbox = true", site=site, listen=False, supervisor=supervisor
    )
    assert capable(server) == rights
    second = free_low_port()
    change(server, f'"127.0.0.1:{port}"',
           f'"127.0.0.1:{port}", "127.0.0.1:{second}"')
    server.send_signal(SIGHUP)
    wait_for(lambda: listens(second), "the second address")


def free_low_port() -> int:
    for port in range(1023, 600, -1):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    pytest.skip("no low port is free")


# ---- kernels that have less ----

# Runs a program under a filter that answers one system call with an errno.
WITHOUT = """#!{python}
import ctypes, os, struct, sys
number, errno = {number}, {errno}
code = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50000 | errno),
        (0x06, 0, 0, 0x7fff0000)]
program = ctypes.create_string_buffer(
    b"".join(struct.pack("HBBI", *row) for row in code))
class Filter(ctypes.Structure):
    _fields_ = [("n", ctypes.c_ushort), ("at", ctypes.c_void_p)]
libc = ctypes.CDLL(None)
libc.prctl(38, 1, 0, 0, 0)
what = Filter(len(code), ctypes.addressof(program))
assert libc.syscall({seccomp}, 1, 0, ctypes.byref(what)) == 0
os.execv("{program}", ["{program}", *sys.argv[1:]])
"""


def kernel_without(place, number: int, errno: int) -> Path:
    path = place / "kernel"
    path.write_text(WITHOUT.format(
        python=sys.executable, number=number, errno=errno, seccomp=SECCOMP,
        program=program(),
    ))
    path.chmod(0o755)
    return path


OLD_KERNELS = [
    ("landlock", LANDLOCK_CREATE_RULESET, 38, "the kernel has no Landlock"),
    ("landlock", LANDLOCK_CREATE_RULESET, 95, "Landlock is switched off"),
    ("seccomp", SECCOMP, 38, "the kernel has no seccomp"),
]


@pytest.mark.parametrize("layer, number, errno, why", OLD_KERNELS)
def test_a_kernel_without_a_layer_is_told_of_once(
    start, place, layer, number, errno, why
):
    binary = kernel_without(place, number, errno)
    server = start("sandbox = true", who=None, binary=binary)
    said = states(server)
    assert said.pop(layer) == "missing"
    assert {said[name] for name in LAYERS[2:] if name in said} == {"on"}
    assert why in status(server)["sandbox"][layer]["note"]
    assert server.log().count(f"sandbox: goes on without {layer}: {why}") == 1
    assert server.get("/").text == "hello"


@pytest.mark.parametrize("layer, number, errno, why", OLD_KERNELS)
def test_strict_does_not_start_there(
    start, place, layer, number, errno, why
):
    binary = kernel_without(place, number, errno)
    server = start(
        "sandbox = { strict = true }", who=None, binary=binary,
        announced=False,
    )
    assert server.wait() == 1
    assert f"sandbox: no {layer}: {why}" in server.log()


# ---- reloads, crashes, upgrades ----


def test_a_soft_reload_stays_inside(start):
    server = start("sandbox = true")
    pid = server.serving().pid
    change(server, '"hello"', '"hello again"')
    server.send_signal(SIGHUP)
    server.wait_log("server: reloaded")
    assert server.get("/").text == "hello again"
    assert server.serving().pid == pid
    assert server.request("POST", "/reload").json()["ok"]


def test_another_wish_takes_a_new_process(start, place):
    server = start("sandbox = true")
    path = f"/read?p={place}/outside/secret"
    assert not server.get(path).json()["ok"]
    change(server, "sandbox = true",
           f'sandbox = {{ read = "{place}/outside" }}')
    server.send_signal(SIGHUP)
    replaced(server)
    assert server.get(path).json()["ok"]


def test_without_a_supervisor_it_takes_a_restart(start):
    server = start("sandbox = true", supervisor=False)
    change(server, "sandbox = true", "sandbox = { seccomp = false }")
    server.send_signal(SIGHUP)
    server.wait_log("setting 'sandbox' has changed, which needs a restart")
    assert states(server)["seccomp"] == "on"


def test_a_new_release_behind_a_link_is_served(start, place):
    """Landlock knows the old folder: the name leads to another one now."""
    for name in ["one", "two"]:
        (place / name).mkdir()
        (place / name / "which.txt").write_text(name)
    (place / "current").symlink_to("one")
    site = SITE + f"""
pl.static("/release", {{ root = "{place}/current" }})
"""
    server = start("sandbox = true", site=site)
    assert server.get("/release/which.txt").text == "one"
    (place / "next").symlink_to("two")
    (place / "next").rename(place / "current")
    server.send_signal(SIGHUP)
    replaced(server)
    assert server.get("/release/which.txt").text == "two"


def test_a_folder_that_a_reload_brings_is_opened_for_the_operator(
    start, place
):
    server = start("sandbox = true")
    with (server.folder / "code/site.lua").open("a") as site:
        site.write(f'\npl.static("/out", {{ root = "{place}/outside" }})\n')
    said = server.request("POST", "/reload").json()
    assert not said["ok"] and "the operator" in said["err"], said
    assert server.get("/out/secret").status == 404
    server.send_signal(SIGHUP)
    replaced(server)
    assert server.get("/out/secret").text == "a secret"


def test_a_broken_site_changes_nothing(start):
    server = start("sandbox = true")
    pid = server.serving().pid
    change(server, "local pl", "local = pl")
    server.send_signal(SIGHUP)
    server.wait_log("not reloaded, what served goes on")
    assert server.serving().pid == pid
    assert server.get("/").text == "hello"


def test_the_next_process_after_a_crash_is_inside_too(start):
    server = start("sandbox = true")
    before = states(server)
    os.kill(server.serving().pid, SIGKILL)
    started_again(server)
    assert states(server) == before
    assert server.get("/").text == "hello"


def test_an_upgraded_program_is_inside_too(start, place):
    binary = place / "bin/perilune"
    binary.parent.mkdir()
    shutil.copy(program(), binary)
    server = start(
        "sandbox = true", binary=binary,
        env={"PERILUNE_PLUGINS": str(program().parent)},
    )
    before = states(server)
    server.send_signal(SIGUSR2)
    server.wait_log("the old server process has ended")
    assert states(server) == before
    assert server.get("/").text == "hello"


def test_threads_that_a_site_has_started_are_not_left_outside(start, place):
    (place / "code").mkdir()
    build("""
    #include <lua.h>
    #include <pthread.h>
    #include <unistd.h>
    static void *idle(void *arg) { for (;;) pause(); return arg; }
    int luaopen_thread(lua_State *L)
    {
        pthread_t thread;
        lua_pushboolean(L, pthread_create(&thread, NULL, idle, NULL) == 0);
        return 1;
    }
    """, place / "code/thread.so", "-pthread")
    server = start(
        "sandbox = true", site=SITE + "\nrequire 'thread'\n", announced=False
    )
    assert server.wait() == 1
    assert re.search(r"the site has started \d+ threads", server.log())


# ---- the example ----


@own_processes
def test_the_example_can_read_itself_and_write_notes(serve, place):
    folder = place / "example"
    shutil.copytree(TOP / "examples/sandbox", folder)
    env = {"NOTES": str(place / "spool"), "TMPDIR": str(place / "spool")}
    if os.geteuid() == 0:
        env["WHO"] = USER
    server = serve(folder, env=env)
    rows = re.findall(r"<td>([^<]*)<td>([^<]*)", server.get("/").text)
    done = [what for what, said in rows if said.strip() == "done"]
    assert done == ["read its own code", "write a note"], rows
    assert len(rows) == 7


# ---- the manual ----


def test_the_manual_has_the_list_of_system_calls():
    source = (TOP / "src/plugins/seccomp/calls.c").read_text()
    groups = source[source.index("pl_call_groups[]"):]
    groups = groups[:groups.index("{0}")]
    text = " ".join(re.findall(r'"([^"]*)"', groups))
    manual = (TOP / "docs/sandbox.md").read_text()
    in_manual = set(re.findall(r"[a-z_0-9]+", manual))
    why = re.findall(r'\{"([^"]+)"', groups)
    for reason in why:
        text = text.replace(reason, "")
    missing = set(text.split()) - in_manual
    assert not missing, sorted(missing)

"""machine - on what, and with which versions, figures were taken."""

import datetime
import os
import re
import subprocess
from pathlib import Path

from subjects import BUILD, CADDY, GO, H2O, LIGHTTPD, MAGNET, NGINX, NGINX_LUA
from subjects import NODE, TOP

PACKAGES = {
    NGINX: ["nginx-light", "nginx"],
    H2O: ["h2o"],
    LIGHTTPD: ["lighttpd"],
    MAGNET: ["lighttpd-modules-lua", "lighttpd-mod-magnet"],
    CADDY: ["caddy"],
    NODE: ["nodejs"],
    GO: ["golang-go"],
    "wrk": ["wrk"],
    "h2load": ["nghttp2-client"],
    "LuaJIT": ["libluajit-5.1-2"],
}


def said(*words: str) -> str:
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, cwd=TOP
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def version_of(packages: list[str]) -> str | None:
    for package in packages:
        version = said("dpkg-query", "-W", "-f=${Version}", package)
        if version:
            return version
    return None


def processor() -> str:
    text = Path("/proc/cpuinfo").read_text()
    name = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    return name[1] if name else os.uname().machine


def memory_gib() -> float:
    text = Path("/proc/meminfo").read_text()
    return int(re.search(r"MemTotal:\s+(\d+)", text)[1]) / (1 << 20)


def versions() -> dict[str, str]:
    found = {name: version_of(names) for name, names in PACKAGES.items()}
    debs = sorted((BUILD / "peers/debs").glob("libnginx-mod-http-lua_*"))
    if debs:
        found[NGINX_LUA] = debs[-1].name.split("_")[1].replace("%3a", ":")
    commit = said("git", "rev-parse", "--short", "HEAD")
    changed = " and changes" if said("git", "status", "--porcelain") else ""
    first = said(str(BUILD / "perilune"), "--version").partition("\n")[0]
    found["perilune"] = f"{first or '?'}, {commit or '?'}{changed}"
    return {name: text for name, text in sorted(found.items()) if text}


def describe() -> dict:
    return {
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "processors": os.cpu_count(),
        "memory_gib": round(memory_gib(), 1),
        "kernel": f"{os.uname().sysname} {os.uname().release}",
        "compiler": said("cc", "--version").partition("\n")[0],
        "versions": versions(),
    }

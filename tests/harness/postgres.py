"""postgres - a private PostgreSQL: its own data, port and user, no password but
where a test sets one. Skips the test if it is not installed.

PostgreSQL does not run as root; there it runs as nobody, in a folder that is
given to it.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from signal import SIGINT

import pytest

from .ports import free_port
from .wait import wait_for

FOLDERS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
HBA = """local all all trust
host all secret 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
"""


def who() -> dict:
    """For subprocess: as whom it runs."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


class Postgres:
    def __init__(self):
        if not FOLDERS:
            pytest.skip("PostgreSQL is not installed")
        self.bin = FOLDERS[-1]
        self.folder = Path(tempfile.mkdtemp(prefix="perilune-postgres-"))
        if os.getuid() == 0:
            shutil.chown(self.folder, "nobody")
        self.port = free_port()
        self.process = None
        self._run("initdb", "-D", self.folder / "data", "-U", "perilune",
                  "--no-sync", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        (self.folder / "data/pg_hba.conf").write_text(HBA)
        self.start()

    def _run(self, name: str, *words, **how):
        return subprocess.run([self.bin / name, *map(str, words)], check=True,
                              cwd="/", capture_output=True, text=True,
                              **who(), **how)

    def start(self):
        log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen(
            [self.bin / "postgres", "-D", self.folder / "data", "-F",
             "-h", "127.0.0.1", "-p", str(self.port), "-k", self.folder],
            cwd="/", stdout=log, stderr=log, start_new_session=True, **who())
        log.close()
        wait_for(self.is_ready, "PostgreSQL answers")

    def is_ready(self) -> bool:
        assert self.process.poll() is None, (self.folder / "log").read_text()
        done = subprocess.run(
            [self.bin / "pg_isready", "-q", "-h", self.folder,
             "-p", str(self.port)], check=False)
        return done.returncode == 0

    def stop(self, how=SIGINT):
        """SIGINT: sessions are told, and ended; SIGQUIT: as in a crash."""
        if self.process is None:
            return
        self.process.send_signal(how)
        self.process.wait()
        self.process = None

    def sql(self, text: str) -> str:
        """By psql: what it prints, a value between bars."""
        return self._run("psql", "-h", self.folder, "-p", self.port, "-U",
                         "perilune", "-d", "postgres", "-XAtq", "-v",
                         "ON_ERROR_STOP=1", "-c", text).stdout.strip()

    def url(self, user: str = "perilune", name: str = "postgres") -> str:
        return f"postgres://{user}@127.0.0.1:{self.port}/{name}"

    def socket_url(self) -> str:
        return (f"postgres://perilune@/postgres?host={self.folder}"
                f"&port={self.port}")

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

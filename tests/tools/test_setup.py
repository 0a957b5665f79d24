"""tools/setup on machines without packages, of which it sees only stand-ins."""

import os
import subprocess

import pytest
from harness.server import TOP

TOOLS = ["awk", "bash", "env", "sort", "tee", "cat"]
SUDO = """#!/bin/bash
echo "$@" >> "$LOG"
[ "$1" = tee ] && exec cat >/dev/null
[[ "$*" == *" install "* ]] || exit 0
[ -n "$BROKEN" ] && exit 100
echo "$@" | tr ' ' '\\n' >> "$INSTALLED"
"""
DPKG = """#!/bin/bash
grep -qx -- "${@: -1}" "$INSTALLED" && echo installed
"""


@pytest.fixture
def machine(tmp_path):
    """What has a user who is not root; sudo, dpkg-query: as the test says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in (*TOOLS, "grep", "tr"):
        path = subprocess.check_output(["which", name], text=True).strip()
        (folder / name).symlink_to(path)
    (tmp_path / "log").touch()
    (tmp_path / "installed").touch()

    def put(name, text):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)

    def run(*groups, sudo=True, dpkg=True, **env):
        put("id", "#!/bin/bash\necho 1000\n")
        if sudo:
            put("sudo", SUDO)
        if dpkg:
            put("dpkg-query", DPKG)
        done = subprocess.run(
            [TOP / "tools/setup", *groups],
            env={
                "PATH": str(folder),
                "LOG": str(tmp_path / "log"),
                "INSTALLED": str(tmp_path / "installed"),
                "BROKEN": "",
                **env,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    run.log = tmp_path / "log"
    run.installed = tmp_path / "installed"
    return run


def test_what_is_missing_is_installed_once(machine):
    code, output = machine("build", "unit")
    assert code == 0, output
    assert output.startswith("setup: installing ")
    assert "meson" in output and "libcmocka-dev" in output
    assert "wrk" not in output, "of another group"
    assert "apt-get -qq install -y" in machine.log.read_text()
    assert machine("build", "unit") == (0, ""), "nothing to say any more"


def test_without_rights_it_says_what_is_lost(machine):
    code, output = machine("build", sudo=False)
    assert code == 1, "there is no program without these"
    assert "cannot install what is missing: not root, and no sudo" in output
    assert "setup:   meson - without it: the build system" in output
    assert "setup: by hand: apt-get install " in output
    code, output = machine("check", "bench", sudo=False)
    assert code == 0, "it can be built all the same"
    assert "setup:   h2o - without it: that peer of the benchmark" in output


def test_packages_that_cannot_be_had_are_named(machine):
    machine.installed.write_text("gcc\n")
    code, output = machine("build", BROKEN="yes")
    assert code == 1
    assert "apt-get could not install it" in output
    assert "meson - without it" in output and "gcc -" not in output


def test_services_are_not_started_meanwhile(machine):
    if os.path.exists("/usr/sbin/policy-rc.d"):
        pytest.skip("the machine has a policy of its own")
    machine("check")
    calls = machine.log.read_text().splitlines()
    policy = [i for i, call in enumerate(calls) if "policy-rc.d" in call]
    install = next(i for i, call in enumerate(calls) if " install " in call)
    assert policy[0] < install < policy[-1]
    assert calls[policy[-1]].startswith("rm -f")


def test_other_systems_are_told_what_they_need(machine):
    code, output = machine("build", sudo=False, dpkg=False)
    assert code == 0
    assert "not a Debian system" in output and "meson" in output

"""What testssl.sh finds wrong with TLS of a site that says no more than it
must. It takes a minute; nothing leaves this machine."""

import json
import shutil
import subprocess

import pytest

from harness.certs import Authority

SITE = """
local pl = require "perilune"
pl.set { headers = {
  ["Content-Security-Policy"] = "default-src 'self'",
  ["X-Frame-Options"] = "DENY",
  ["X-Content-Type-Options"] = "nosniff",
} }
pl.listen { "127.0.0.1:0", tls = { cert = "rsa.crt", key = "rsa.key",
  certs = { { "ec.crt", "ec.key" } }, hsts = true } }
pl.get("/", function() return "hello" end)
"""
# What only a real authority and a real domain have.
NOT_OURS = {"cert_revocation", "DNS_CAArecord", "OCSP_stapling"}
# protocols, server defaults, forward secrecy, suites, their order, HTTP
# headers, vulnerabilities; not: clients that are simulated
GROUPS = ["-p", "-S", "-f", "-s", "-P", "-h", "-U"]
SEVERE = {"MEDIUM", "HIGH", "CRITICAL", "FATAL"}


@pytest.mark.skipif(not shutil.which("testssl"), reason="no testssl.sh")
def test_nothing_is_found(serve, tmp_path):
    ca = Authority(tmp_path)
    ca.sign("rsa", ["localhost"], kind="rsa", days=90)
    ca.sign("ec", ["localhost"], days=90)
    server = serve(SITE, listen=False, workers=1)
    report = tmp_path / "report.json"
    done = subprocess.run(
        ["testssl", "--quiet", "--warnings", "off", "--color", "0",
         "--nodns", "none", "--ip", "127.0.0.1", "--add-ca", ca.cert,
         "--jsonfile", report, *GROUPS, f"https://localhost:{server.port}/"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False, timeout=1200,
    )
    print(done.stdout)
    findings = json.loads(report.read_text())
    assert len(findings) > 80, "it has not looked at everything"
    assert not [
        finding
        for finding in findings
        if finding["severity"] in SEVERE
        and finding["id"].split()[0] not in NOT_OURS  # "... <cert#2>"
    ]

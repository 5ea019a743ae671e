"""The installer, with releases whose `harness` is a script.

Run: python3 -m unittest discover -s DIR
"""

import functools
import hashlib
import http.server
import os
import platform
import subprocess
import tarfile
import tempfile
import threading
import unittest
from pathlib import Path

INSTALLER = Path(__file__).resolve().parents[1] / "install.sh"
COMMAND = "#!/bin/sh\necho harness 9.9.9\n"
NAMESPACE = "workflow-node-release"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class Installer(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)
        self.release, self.to = self.root / "release", self.root / "bin"
        self.release.mkdir()
        self.archive = self.release / f"harness-{platform.machine()}-unknown-linux-musl.tar.gz"
        self.pack(COMMAND)
        self.write_sums()

    def pack(self, script: str) -> None:
        command = self.root / "harness"
        command.write_text(script)
        command.chmod(0o755)
        with tarfile.open(self.archive, "w:gz") as archive:
            archive.add(command, "harness")

    def write_sums(self) -> None:
        digest = hashlib.sha256(self.archive.read_bytes()).hexdigest()
        (self.release / "SHA256SUMS").write_text(f"{digest}  {self.archive.name}\n")

    def sign(self, name: str = "key") -> str:
        """Signs the sums with a new key, and returns its public key."""
        key = self.root / name
        generate = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
        subprocess.run(generate, check=True)
        (self.release / "SHA256SUMS.sig").unlink(missing_ok=True)
        sign = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", NAMESPACE]
        subprocess.run([*sign, str(self.release / "SHA256SUMS")], check=True, capture_output=True)
        return key.with_suffix(".pub").read_text().strip()

    def install(self, *options: str, release: str = "", machine: str = "") -> tuple[int, str]:
        env = {**os.environ, "TMPDIR": str(self.root)}
        if machine:
            fakes = self.root / "fakes"
            fakes.mkdir()
            system, processor = machine.split("/")
            script = f"#!/bin/sh\ncase $1 in -s) echo {system};; *) echo {processor};; esac\n"
            (fakes / "uname").write_text(script)
            (fakes / "uname").chmod(0o755)
            env["PATH"] = f"{fakes}:{env['PATH']}"
        command = ["sh", str(INSTALLER), release or str(self.release), "--to", str(self.to)]
        done = subprocess.run(
            [*command, *options], env=env, text=True, capture_output=True, check=False
        )
        kept = [path.name for path in self.root.iterdir() if path.name.startswith("tmp.")]
        self.assertEqual(kept, [], "the working directory is removed")
        if self.to.is_dir():
            left = [path.name for path in self.to.iterdir() if path.name != "harness"]
            self.assertEqual(left, [], "nothing half done is left")
        return done.returncode, done.stdout + done.stderr

    def assert_refused(self, reason: str, *options: str, **how: str) -> None:
        """That the installation fails and leaves an installed command as it was."""
        self.to.mkdir(exist_ok=True)
        (self.to / "harness").write_text("installed before")
        status, output = self.install(*options, **how)
        self.assertNotEqual(status, 0, output)
        self.assertIn(reason, output)
        self.assertEqual((self.to / "harness").read_text(), "installed before")

    def test_installs_the_command_of_this_machine_from_a_directory(self) -> None:
        status, output = self.install()
        self.assertEqual(status, 0, output)
        self.assertIn("Installed harness 9.9.9", output)
        self.assertIn("The signature was not checked", output)
        command = self.to / "harness"
        self.assertEqual(command.read_text(), COMMAND)
        self.assertEqual(command.stat().st_mode & 0o777, 0o755)

    def test_downloads_the_release_when_the_script_comes_from_standard_input(self) -> None:
        handler = functools.partial(Quiet, directory=str(self.release))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        address = f"http://127.0.0.1:{server.server_address[1]}"
        command = ["sh", "-s", "--", address, "--to", str(self.to)]
        done = subprocess.run(
            command, input=INSTALLER.read_text(), text=True, capture_output=True, check=False
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((self.to / "harness").read_text(), COMMAND)
        self.assert_refused("Cannot get SHA256SUMS", release=f"{address}/none")

    def test_accepts_the_signature_of_the_key_and_of_no_other(self) -> None:
        key, other = self.sign(), self.sign("other")
        self.assert_refused("The signature", "--key", key)
        status, output = self.install("--key", other)
        self.assertEqual(status, 0, output)
        self.assertNotIn("not checked", output)
        # Sums that were changed after they were signed.
        self.pack(COMMAND + "# changed\n")
        self.write_sums()
        self.assert_refused("The signature", "--key", other)
        (self.release / "SHA256SUMS.sig").unlink()
        self.assert_refused("Cannot get SHA256SUMS.sig", "--key", other)

    def test_refuses_an_archive_whose_digest_differs_or_is_not_listed(self) -> None:
        self.pack(COMMAND + "# changed\n")
        self.assert_refused("Nothing was installed")
        (self.release / "SHA256SUMS").write_text(f"{'0' * 64}  other.tar.gz\n")
        self.assert_refused("does not list")

    def test_refuses_a_command_that_does_not_run(self) -> None:
        self.pack("#!/bin/sh\nexit 1\n")
        self.write_sums()
        self.assert_refused("does not run on this machine")

    def test_names_the_way_for_systems_without_a_binary(self) -> None:
        self.assert_refused("cargo install", machine="Darwin/arm64")

    def test_refuses_plain_http_and_unknown_options(self) -> None:
        refused = ["http://releases.example", "http://127.0.0.1:1@releases.example", "ftp://x"]
        for release in refused:
            self.assert_refused("Cannot use", release=release)
        self.assert_refused("usage:", "--from", "x")


if __name__ == "__main__":
    unittest.main()

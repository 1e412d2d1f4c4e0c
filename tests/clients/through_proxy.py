"""Run by the tests as a subscriber: start DPYProxy, and let curl fetch a page through it.

Arguments: the size of DPYProxy's pieces, the page, options of DPYProxy. Exit status: curl's.
"""

import socket
import subprocess
import sys
import time

HOST, PORT = "127.0.0.1", 4433
PATIENCE = 20.0  # seconds for DPYProxy to start


def until_it_serves(proxy: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection((HOST, PORT), 1).close()
        except OSError as error:
            if proxy.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"DPYProxy does not serve: {error}") from error
            time.sleep(0.05)
        else:
            return


def main(size: str, page: str, *options: str) -> int:
    own = ["--disabled_modules", "DNS,HTTP", "--tls_host", HOST, "--tls_port", str(PORT)]
    line = [sys.executable, "-P", "-m", "dpyproxy", *own, "--tls_frag_size", size, *options]
    with subprocess.Popen(line) as proxy:
        try:
            until_it_serves(proxy)
            curl = ["curl", "-sS", "-m", "5", "-o", "/dev/null", "-x", f"http://{HOST}:{PORT}", page]
            return subprocess.run(curl, check=False).returncode
        finally:
            proxy.kill()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

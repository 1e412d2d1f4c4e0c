"""A hostile command: run inside a world, it tries every way out that it knows and prints what became of each.

python hostile.py HOST-SOCKET… (paths of its listening Unix sockets). In the environment: HOST_PORT,
a TCP port on its loopback; HOST_KEY, of a System V shared memory of the machine; HOST_ABSTRACT, the name
of an abstract socket.
"""

import ctypes
import errno
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
MS_REMOUNT, MS_BIND, MNT_DETACH = 32, 4096, 2
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
PTRACE_ATTACH, AF_INET_STREAM = 16, (socket.AF_INET, socket.SOCK_STREAM)
TUNSETIFF = 0x400454CA
DROPPED = ("SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "DISPLAY", "TMUX", "https_proxy")


def outcome(attempt):
    """The value of the attempt, or the name of the error that it met."""
    try:
        value = attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return "done" if value is None else value


def libc(name, *arguments):
    if getattr(LIBC, name)(*arguments) == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def mount(target, kind=None, flags=0):
    libc("mount", b"none", target, kind, ctypes.c_ulong(flags), None)


def connect(family, kind, address):
    with socket.socket(family, kind) as one:
        one.settimeout(2)
        one.connect(address)


def in_another_user_namespace(attempt):
    """The same as root of a user namespace of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        libc("unshare", CLONE_NEWUSER | CLONE_NEWNS)
        os.write(writing, outcome(attempt).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.set_blocking(reading, False)
    return os.read(reading, 100).decode()


def program(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "done" if done.returncode == 0 else done.stderr.strip()


def tunnel():
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"t0", 0x1001))
    os.close(device)


def abstract():
    return connect(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + os.environ["HOST_ABSTRACT"])


def ways_out(sockets):
    """Each way, and what became of it."""
    unmount = {
        f"umount -l {place}": lambda place=place: libc("umount2", place.encode(), MNT_DETACH)
        for place in ("/run", "/proc", "/sys", "/dev", "/etc/resolv.conf")
    }
    tried = {
        **{
            f"connect {Path(path).name}": lambda path=path: connect(
                socket.AF_UNIX, socket.SOCK_DGRAM if path.endswith(".dgram") else socket.SOCK_STREAM, path
            )
            for path in sockets
        },
        "connect to an abstract socket": abstract,
        "connect to 127.0.0.1": lambda: connect(*AF_INET_STREAM, ("127.0.0.1", int(os.environ["HOST_PORT"]))),
        **unmount,
        "umount -l /run in a user namespace": lambda: in_another_user_namespace(unmount["umount -l /run"]),
        "mount -o remount,rw /sys": lambda: mount(b"/sys", flags=MS_REMOUNT | MS_BIND),
        "mount -t proc": lambda: mount(b"/mnt", b"proc"),
        "write kernel.hostname": lambda: Path("/proc/sys/kernel/hostname").write_text("x"),
        "write vm.swappiness": lambda: Path("/proc/sys/vm/swappiness").write_text("1"),
        "write to /sys": lambda: Path("/sys/class/net/eth0/mtu").write_text("1400"),
        "hostname x": lambda: libc("sethostname", b"x", 1),
        "shared memory of the machine": lambda: libc("shmget", int(os.environ["HOST_KEY"]), 0, 0),
        "mknod": lambda: os.mknod("/dev/shm/disk", 0o60600, os.makedev(8, 0)),
        "trace process 1": lambda: libc("ptrace", PTRACE_ATTACH, 1, None, None),
        "/proc/1/root": lambda: names_in("/proc/1/root"),
        "the world's own folder": lambda: names_in("/run/testbed"),
        "enter a hop": lambda: os.open("/run/netns/mts.hop2", os.O_RDONLY),
    }
    return {name: outcome(attempt) for name, attempt in tried.items()}


def names_in(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def what_it_sees():
    """The processes, interfaces, hosts, devices and variables that it is shown."""
    return {
        "processes": sum(name.isdigit() for name in names_in("/proc")),
        "interfaces": names_in("/sys/class/net"),
        "hosts": names_in("/run/netns"),
        "devices": names_in("/dev"),
        "variables": [name for name in DROPPED if name in os.environ],
    }


def rights_that_it_has():
    """What a subscriber's programs need."""
    return {
        "address": program("ip", "address", "add", "10.0.0.1/32", "dev", "lo"),
        "firewall": program("iptables-nft", "-A", "OUTPUT", "-p", "253", "-j", "NFQUEUE"),
        "setting": outcome(lambda: Path("/proc/sys/net/ipv4/ip_default_ttl").write_text("70") and None),
        "raw socket": outcome(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 6).close()),
        "packet socket": outcome(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()),
        "tunnel": outcome(tunnel) if os.access("/dev/net/tun", os.R_OK | os.W_OK) else "done",
        "ip netns exec": program("ip", "netns", "exec", "far", "ip", "address"),
    }


if __name__ == "__main__":
    print(json.dumps({"out": ways_out(sys.argv[1:]), "sees": what_it_sees(), "rights": rights_that_it_has()}))

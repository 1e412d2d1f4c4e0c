"""Right and wrong answers to tasks, made without a world."""

from dataclasses import replace

from scapy.layers.inet import IP, TCP

from testbed.labs.answers import Task
from testbed.labs.draws import arithmetic
from testbed.labs.evidencekinds import CaptureEvidence, CommandEvidence, DetectorEvidence, written
from testbed.shapes.hellobytes import hello_of, record, server_name

CLIENT, SERVER = "91.76.0.100", "151.101.0.81"
DETECTOR = DetectorEvidence("d.py", "print(1)", "seed", hits=3, blocked=3, alarms=0, free=5, named=3)


def connection(name: str, flags: str = "RA", ttl: int = 60) -> tuple[str, ...]:
    """A ClientHello and what comes back, each from its IP header on."""
    hello = record(hello_of([server_name(name)], (0x1301,), session=32))
    sent = IP(src=CLIENT, dst=SERVER) / TCP(sport=40000, dport=443, flags="PA") / hello
    came = IP(src=SERVER, dst=CLIENT, ttl=ttl) / TCP(sport=443, dport=40000, flags=flags)
    return bytes(sent).hex(), bytes(came).hex()


def right_answer(task: Task) -> str:
    """One that is right."""
    match task.kind:
        case "number":
            return f"{arithmetic(task.answer):g}"
        case "interval":
            middle, half = arithmetic(task.answer), task.within / 2
            return f"{middle - half:g}..{middle + half:g}"
        case "capture":
            packets = connection(task.wanted["name"], ttl=int(task.wanted["ttl"]))
            return written(CaptureEvidence("x.pcap", packets, recorded=True))
        case "command":
            acted = (task.wanted["rule"],) if task.wanted.get("acts") == "yes" else ()
            return written(CommandEvidence(("curl",), 0, "it says 1234", "1234", acted))
        case "detector":
            return written(DETECTOR)
        case _:
            return task.answer


def wrong_ways(task: Task) -> list[str]:
    """Answers that known misunderstandings lead to; one that is right for this student is left out."""
    match task.kind:
        case "number":
            return [f"{arithmetic(one.of):g}" for one in task.mistakes]
        case "interval":
            given = [arithmetic(one.of) for one in task.mistakes]
            low = arithmetic(task.answer) - 20
            return [*(f"{one - 0.5:g}..{one + 0.5:g}" for one in given), f"{low:g}..{low + 40:g}"]
        case "capture":
            other = connection(task.wanted["name"], ttl=int(task.wanted["ttl"]) - 9)
            silent = connection(task.wanted["name"], "A")
            made = [CaptureEvidence("x.pcap", packets, recorded=True) for packets in (other, silent)]
            foreign = CaptureEvidence("x.pcap", connection(task.wanted["name"]), recorded=False)
            return [written(one) for one in (*made, foreign)]
        case "command":
            acted = ("initial",) if task.wanted.get("acts") == "no" else ()
            return [written(CommandEvidence(("curl",), 28, "", "1234", acted))]
        case "detector":
            changes = ({"hits": 1, "named": 1}, {"alarms": 2}, {"hits": 2, "named": 0, "alarms": 2})
            return [written(replace(DETECTOR, wrong=("a site that works",), **one)) for one in changes]
        case _:
            return [one.of for one in task.mistakes]

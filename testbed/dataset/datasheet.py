"""A datasheet of a data set, by the questions of Gebru et al., "Datasheets for Datasets" (CACM 64(12), 2021).

The answers are filled from what was made.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from testbed.dataset.columns import DRAWN, TABLES, TRUTH
from testbed.dataset.features import ENTROPY_OF, FEATURES
from testbed.dataset.flowplan import BLOCK, DatasetPlan
from testbed.parquet.store import extra


@dataclass(frozen=True, slots=True)
class _Making:
    """How a data set was made: sentences of its datasheet."""

    command: str
    version: str
    settings: str  # a list
    drawn: str  # what of all that is possible
    splits: str
    noise: str
    acquired: str
    again: str
    pcap: bool = True


def datasheet(folder: Path, plan: DatasetPlan) -> str:
    """The datasheet of `testbed dataset`, as Markdown."""
    made = _Making(
        command="testbed dataset",
        version=plan.version,
        settings=f"""- scenarios: {", ".join(plan.scenarios)}
- client shapes: {", ".join(plan.clients)}
- IP versions: {", ".join(map(str, plan.ipv))}
- seed: {plan.seed}""",
        drawn=f"""The scenario's phase is drawn for each
{BLOCK} flows; then, for each flow, a vantage and a target that the phase's censors interfere with, a client's
shape and an IP version, evenly; and by a coin whether the censors are there.""",
        splits="""Names, addresses and seeds are drawn for each part apart, and
a part belongs to one split.""",
        noise=f"""there is no other traffic, and the clients repeat their first bytes (only `chrome` draws
them). A link's delay is drawn for each {BLOCK} flows (our choice); there is no jitter. {_HIDDEN}""",
        acquired=_BY_CORE,
        again="The command with the same settings and version makes the same bytes, with the same pyarrow.",
        pcap=plan.pcap,
    )
    return _sheet(folder, made)


def sweep_datasheet(folder: Path, plan: Mapping[str, Any]) -> str:
    """The datasheet of `testbed sweep --export`, as Markdown. `plan` is the sweep's."""
    axes = ("scenarios", "phases", "vantages", "seeds", "time_scale", "model", "ipv", "client")
    core = plan["core"]
    coin = "flow" if core else "run"
    made = _Making(
        command="testbed sweep --export" + (" --core" if core else ""),
        version=plan["version"],
        settings="\n".join(f"- {key}: {_words(plan[key])}" for key in axes),
        drawn=f"""Each run of the sweep gives a flow for each target that the phase's censors interfere
with{" (drawn, with repeats)" if core else ""}; by a coin for each {coin} the censors are there.""",
        splits="""Names, addresses and ports are drawn for each run apart, and all runs with
one seed belong to one split.""",
        noise=f"""there is no other traffic. A link's delay is drawn for each run (our choice).
{_HIDDEN if core else "The packets are those of Linux, with the times of the machine that made them."}""",
        acquired=_BY_CORE if core else _LIVE,
        again="""The same sweep has the same flows""" + (
            ", byte for byte with the same version of pyarrow." if core
            else " under the same names; times differ, and so may sizes of segments."
        ),
    )  # fmt: skip
    return _sheet(folder, made)


_BY_CORE: Final = """By the testbed's pure core: a client, a server and the censors of a scenario's
phase exchange packets in counted time. No packet was sent over a network."""
_LIVE: Final = """By the testbed's probe in a world of Linux network namespaces, captured at
the client's interface: a kernel's packets, real TLS, and the censors of a scenario's phase on the way. No
packet left the machine."""
_HIDDEN: Final = """Payload of TLS and
QUIC after the first flight stands for encrypted bytes and cannot be decrypted. Servers' hop limits are not
those of a path. An address within a DNS answer is the scenario's, not the drawn one."""


def _words(value: object) -> str:
    shown = value if isinstance(value, list) else [value]
    return ", ".join("the scenario's own" if one is None else str(one) for one in shown)


def _sheet(folder: Path, made: _Making) -> str:
    """It reads one column of each file, one file after the other."""
    labels, splits = counted(folder)
    packets = "; and the packets themselves in `pcap`" if made.pcap else ""
    total = sum(splits.values())
    rows = "\n".join(f"| `{label}` | {n} | {100 * n / total:.1f} % |" for label, n in labels.most_common())
    parts = "\n".join(f"| {split} | {splits[split]} |" for split in sorted(splits))
    meanings = "\n".join(
        f"| `{name}` | {kind} | {meaning} |"
        for part in (DRAWN, TRUTH) for name, (kind, meaning) in part.items()
    )  # fmt: skip
    return f"""# Datasheet

The questions are those of Gebru et al., *Datasheets for Datasets*, CACM 64(12), 2021.

## Motivation

**For what purpose was the data set created?** To train and to test classifiers of censored flows, with labels
that are known and not guessed.

**Who created it?** `{made.command}`, version {made.version}, with these settings:

{made.settings}

## Composition

**What do the instances represent?** Flows (a protocol, two addresses, two ports) at a client's interface,
each with its packets. A flow is the lookup at a resolver, where names are what the censors act on, else the
connection that follows it.

**How many instances are there?** {total}.

| Label | Flows | Share |
|---|---:|---:|
{rows}

**Does it contain all possible instances?** No: they are drawn. {made.drawn}

**What data does each instance consist of?** A row of `flows`; a row of `packets` for each packet: `at` in
seconds since the flow's first packet, `up` from the client, `size` of the IP packet and `payload` behind the
transport header, in bytes{packets}. Of a flow there are {len(FEATURES)} features:
counts, sizes, times, flags, hop limits and entropy (bits per byte, of the first {ENTROPY_OF} bytes of payload
each way). The other columns:

| Column | Type | Meaning |
|---|---|---|
{meanings}

**Is there a label?** `label` and `mechanism`.

**Is any information missing?** No packet is lost to the recorder. Of an exchange only the flow that decides
is there.

**Are relationships between instances made explicit?** There are none: each flow is an exchange of its own.

**Are there recommended splits?** Yes: `split`. {made.splits}

| Split | Flows |
|---|---:|
{parts}

**Are there errors, sources of noise, or redundancies?** Flows of the same target, client and rule are alike,
also between splits: {made.noise}

**Is it self-contained?** Yes.

**Does it contain confidential data, or data about people?** No. Nobody's traffic is in it; addresses are of
ranges that no network has (RFC 6598, RFC 2544, RFC 3849), and names are made up.

## Collection process

**How was the data acquired?** {made.acquired}

**How are labels validated?** The label is what a measurement of the exchange shows, compared with the same
from outside; the rule is the first one that acted on its packets.

**What keeps names, addresses and ports from giving the label away?** All are drawn without regard to it, and
the rules look for the drawn name. Which mechanism a target meets does depend on the scenario: some labels
occur with one transport, or one size of answer, only. Compare filtered flows with unfiltered ones
(`filtered`) of the same transport.

## Preprocessing

Addresses and ports are replaced, and checksums changed by the difference (RFC 1624).

## Uses

**What should it not be used for?** For claims about how often a censor acts in the field: the shares are
those of the draw. A classifier that is right here has learned the model of a censor, and must be tested on
real traffic.

## Distribution and maintenance

{made.again}
"""


def counted(folder: Path) -> tuple[Counter[str], Counter[str]]:
    """Flows by label and by split."""
    parquet = extra("pyarrow.parquet", "data")
    labels, splits = Counter[str](), Counter[str]()
    for file in sorted(folder.glob(TABLES["flows"])):
        found = parquet.ParquetFile(file).read(columns=["label"]).column("label").to_pylist()
        labels.update(found)
        splits[file.parent.name.removeprefix("split=")] += len(found)
    return labels, splits

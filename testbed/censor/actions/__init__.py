"""The techniques by the name that scenarios use. One file each."""

from typing import Final

from testbed.censor.actions.allow import Allow
from testbed.censor.actions.base import AnyAction
from testbed.censor.actions.block_host import BlockHost
from testbed.censor.actions.connection_limit import ConnectionLimit
from testbed.censor.actions.data_drop import DropAfterData
from testbed.censor.actions.divert import Divert
from testbed.censor.actions.dns import DnsLie
from testbed.censor.actions.fin import InjectFin
from testbed.censor.actions.freeze import Freeze
from testbed.censor.actions.grace_drop import GraceDrop
from testbed.censor.actions.icmp import Icmp
from testbed.censor.actions.loss import Loss
from testbed.censor.actions.page import Page
from testbed.censor.actions.policer import Policer
from testbed.censor.actions.rst import InjectRst
from testbed.censor.actions.rst_rewrite import RewriteRst
from testbed.censor.actions.shape import Shape
from testbed.censor.actions.silent_drop import SilentDrop

_ALL: Final[tuple[type[AnyAction], ...]] = (
    *(Allow, BlockHost, ConnectionLimit, Divert, DnsLie, DropAfterData, Freeze, GraceDrop),
    *(Icmp, InjectFin, InjectRst, Loss, Page, Policer, RewriteRst, Shape, SilentDrop),
)

ACTIONS: Final[dict[str, type[AnyAction]]] = {action.key: action for action in _ALL}

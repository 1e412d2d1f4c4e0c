"""The techniques by the name that scenarios use. One file each."""

from typing import Final

from testbed.censor.actions.allow import Allow
from testbed.censor.actions.base import Action
from testbed.censor.actions.block_host import BlockHost
from testbed.censor.actions.connection_limit import ConnectionLimit
from testbed.censor.actions.data_drop import DropAfterData
from testbed.censor.actions.divert import Divert
from testbed.censor.actions.dns import DnsLie
from testbed.censor.actions.drop import Drop
from testbed.censor.actions.fin import InjectFin
from testbed.censor.actions.freeze import Freeze
from testbed.censor.actions.grace_drop import GraceDrop
from testbed.censor.actions.icmp import Icmp
from testbed.censor.actions.loss import Loss
from testbed.censor.actions.page import Page
from testbed.censor.actions.police import Police
from testbed.censor.actions.rst import InjectRst
from testbed.censor.actions.rst_rewrite import RewriteRst
from testbed.censor.actions.shape import Shape

_ALL: Final[tuple[type[Action], ...]] = (
    *(Allow, BlockHost, ConnectionLimit, Divert, DnsLie, Drop, DropAfterData, Freeze, GraceDrop),
    *(Icmp, InjectFin, InjectRst, Loss, Page, Police, RewriteRst, Shape),
)

ACTIONS: Final[dict[str, type[Action]]] = {action.key: action for action in _ALL}

"""Where operators' block pages are: detectors know them without a comparison.

The hosts are those of OONI's and Censored Planet's published fingerprints (OONI-FP, CP-FP). The page of an
unpaid bill, such as unblock.mts.ru, is none of them.
"""

from typing import Final

BLOCK_PAGE_HOSTS: Final = frozenset(
    {
        "warning.rt.ru",
        "block.rt.ru",
        "block.ip.center.rt.ru",
        "blackhole.beeline.ru",
        "m.megafonpro.ru",
        "forbidden.yota.ru",
        "blocked.mts.ru",
        "subblock.mts.ru",
        "blocked.mgts.ru",
        "block.mgts.ru",
        "62.112.121.68",
        "lawfilter.ertelecom.ru",
        "t2blocked.com",
        "t2rkn.com",
        "217.169.82.130",
        "fz139.ttk.ru",
        "notice.obit.ru",
        "blocked.akado.ru",
        "blocked.netbynet.ru",
        "you-shall-not-pass.is74.ru",
        "zapret.2090000.ru",
        "block.orionnet.ru",
        "forbidden.citytelecom.ru",
    }
)
BLOCK_PAGE_TEXTS: Final = (
    "http://eais.rkn.gov.ru/",
    "Доступ к запрашиваемому ресурсу ограничен",
    "vk.com/blank.php?rkn=",
)
UNAVAILABLE_FOR_LEGAL_REASONS: Final = 451  # RFC 7725

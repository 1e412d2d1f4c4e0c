"""QUIC draft-29 by aioquic, whose releases since 1.0 speak versions 1 and 2 alone. Slow to import.

The draft differs from version 1 in its number, the salt of the Initial keys, the code of the transport
parameters (draft-ietf-quic-tls-29 sections 5.2 and 8.2) and the name of its HTTP/3 (draft-ietf-quic-http-29
section 3.1). Retry packets differ, too, and are not spoken here.
"""

from typing import Final

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.crypto import INITIAL_CIPHER_SUITE, CryptoContext, CryptoPair
from aioquic.tls import ExtensionType, cipher_suite_hash, hkdf_expand_label, hkdf_extract

DRAFT_29: Final = 0xFF00001D
H3_DRAFT_29: Final = "h3-29"
_SALT: Final = bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899")
_PARAMETERS: Final = ExtensionType.QUIC_TRANSPORT_PARAMETERS
_DRAFTS_PARAMETERS: Final = ExtensionType.QUIC_TRANSPORT_PARAMETERS_DRAFT


def speak_draft_29(configuration: QuicConfiguration, *, alone: bool = False) -> None:
    """Let each `DraftConnection` with this configuration speak the draft: beside version 1, or alone."""
    others = ([], []) if alone else (configuration.supported_versions, configuration.alpn_protocols or [])
    configuration.supported_versions = [*others[0], DRAFT_29]
    configuration.alpn_protocols = [*others[1], H3_DRAFT_29]


class DraftConnection(QuicConnection):
    """A connection in the version that the client chose; as aioquic's in versions 1 and 2."""

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        pair = self._cryptos_initial.get(DRAFT_29)
        if pair is not None:
            _set_up(pair, peer_cid, is_client=self._is_client)
        if self._version == DRAFT_29:
            self.tls.handshake_extensions = [
                (_DRAFTS_PARAMETERS, data) for _, data in self.tls.handshake_extensions
            ]

    def _alpn_handler(self, alpn_protocol: str) -> None:
        assert self.tls.received_extensions is not None
        self.tls.received_extensions = [
            (_PARAMETERS if kind == _DRAFTS_PARAMETERS else kind, data)
            for kind, data in self.tls.received_extensions
        ]
        super()._alpn_handler(alpn_protocol)


def _set_up(pair: CryptoPair, cid: bytes, *, is_client: bool) -> None:
    """The Initial keys of both sides, from the draft's salt."""
    algorithm = cipher_suite_hash(INITIAL_CIPHER_SUITE)
    initial = hkdf_extract(algorithm, _SALT, cid)

    def derive(context: CryptoContext, label: bytes) -> None:
        secret = hkdf_expand_label(algorithm, initial, label, b"", algorithm.digest_size)
        context.setup(cipher_suite=INITIAL_CIPHER_SUITE, secret=secret, version=DRAFT_29)

    derive(pair.send, b"client in" if is_client else b"server in")
    derive(pair.recv, b"server in" if is_client else b"client in")

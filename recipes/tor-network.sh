# A private Tor network on one host: three authorities, which are relays and exits as well, and an obfs4 bridge.
# Its files are in $TESTBED_SHARED: `network` (the authorities' lines) and `bridge` (the line of a client's torrc).
set -eu
umask 077
cd "$TESTBED_SHARED"
ip=$TESTBED_IPV4
common() { # NAME FOLDER
  mkdir -p "$2"
  echo "TestingTorNetwork 1
Nickname $1
DataDirectory $2
Address $ip
OutboundBindAddress $ip
ContactInfo none
SocksPort 0
ServerDNSTestAddresses example.com
Log notice file $2/log"
}
: > network
for n in 1 2 3; do
  folder=$PWD/authority$n
  mkdir -p "$folder/keys"
  if [ ! -e "$folder/keys/authority_certificate" ]; then
    echo password | tor-gencert --create-identity-key -m 12 -a "$ip:700$n" --passphrase-fd 0 \
      -i "$folder/keys/authority_identity_key" -s "$folder/keys/authority_signing_key" \
      -c "$folder/keys/authority_certificate" > "$folder/gencert.log" 2>&1
  fi
  ident=$(sed -n 's/^fingerprint //p' "$folder/keys/authority_certificate")
  print=$(tor --ignore-missing-torrc -f "$folder/none" --list-fingerprint --orport "500$n" --datadirectory "$folder" \
    --dirserver "none 127.0.0.1:1 ffffffffffffffffffffffffffffffffffffffff" --quiet | sed 's/^[^ ]* //; s/ //g')
  echo "DirAuthority authority$n orport=500$n no-v2 v3ident=$ident $ip:700$n $print" >> network
done
for n in 1 2 3; do
  folder=$PWD/authority$n
  # Without the six lines about voting the first consensus takes minutes.
  { common "authority$n" "$folder"; cat network; echo "ORPort $ip:500$n
DirPort $ip:700$n
AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
AssumeReachable 1
ExitRelay 1
ExitPolicy accept *:*
TestingDirAuthVoteExit *
TestingDirAuthVoteGuard *
V3AuthVotingInterval 10
V3AuthVoteDelay 2
V3AuthDistDelay 2
TestingV3AuthInitialVotingInterval 10
TestingV3AuthInitialVoteDelay 2
TestingV3AuthInitialDistDelay 2"; } > "$folder/torrc"
  tor -f "$folder/torrc" --quiet &
done
folder=$PWD/bridge-data
{ common bridge "$folder"; cat network; echo "ORPort $ip:9001
BridgeRelay 1
PublishServerDescriptor 0
AssumeReachable 1
ExtORPort auto
ServerTransportPlugin obfs4 exec $(command -v obfs4proxy || command -v lyrebird)
ServerTransportListenAddr obfs4 $ip:443"; } > bridge.torrc
tor -f bridge.torrc --quiet &
until grep -q "Bootstrapped 100%" "$folder/log" 2>/dev/null && [ -s "$folder/pt_state/obfs4_bridgeline.txt" ]; do sleep 0.2; done
arguments=$(sed -n 's/^Bridge obfs4 .*\(cert=.*\)$/\1/p' "$folder/pt_state/obfs4_bridgeline.txt")
echo "Bridge obfs4 $ip:443 $(cut -d' ' -f2 "$folder/fingerprint") $arguments" > bridge
echo "the network is up"
wait

# sing-box by one protocol: sing-box.sh server|client PROTOCOL. Writes its configuration and becomes sing-box.
set -eu
umask 077
cd "$TESTBED_SHARED"
id=6b1f0a52-9b9c-4f1f-8a40-0d1c0a3b2e11
key=AAAAAAAAAAAAAAAAAAAAAA== # sixteen octets, base64: a laboratory's
password='"password":"password"'
case $2 in
  shadowsocks) kind=shadowsocks user="" own="\"method\":\"2022-blake3-aes-128-gcm\",\"password\":\"$key\"" alpn="" ;;
  vless | vmess) kind=$2 user="\"uuid\":\"$id\"" own=$user alpn="" ;;
  trojan | anytls | hysteria2) kind=$2 user=$password own=$user alpn="" ;;
  salamander) kind=hysteria2 user=$password own=$user alpn="" ;;
  tuic) kind=tuic user="\"uuid\":\"$id\",$password" own=$user alpn=',"alpn":["h3"]' ;;
  *) echo "sing-box.sh: no protocol $2" >&2; exit 2 ;;
esac
further=""
[ "$2" != salamander ] || further=',"obfs":{"type":"salamander","password":"other"}'
tls=""
case $2 in shadowsocks | vmess) ;; *) tls=yes ;; esac
if [ "$1" = server ]; then
  if [ -n "$tls" ] && [ ! -e key.pem ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out chain.pem -days 30 \
      -subj /CN=cdn.example.org -addext subjectAltName=DNS:cdn.example.org 2> /dev/null
  fi
  mine=${user:+"\"users\":[{$user}]"}
  [ -n "$mine" ] || mine=$own
  shown=${tls:+",\"tls\":{\"enabled\":true,\"server_name\":\"cdn.example.org\",\"certificate_path\":\"$PWD/chain.pem\",\"key_path\":\"$PWD/key.pem\"$alpn}"}
  echo "{\"inbounds\":[{\"type\":\"$kind\",\"listen\":\"0.0.0.0\",\"listen_port\":443,$mine$further$shown}],
    \"outbounds\":[{\"type\":\"direct\"}]}" > server.json
  exec sing-box run -c server.json
fi
expected=${tls:+",\"tls\":{\"enabled\":true,\"server_name\":\"cdn.example.org\",\"certificate_path\":\"$PWD/chain.pem\"$alpn}"}
file=client-$TESTBED_VANTAGE.json
echo "{\"inbounds\":[{\"type\":\"mixed\",\"listen\":\"127.0.0.1\",\"listen_port\":1080}],
  \"outbounds\":[{\"type\":\"$kind\",\"server\":\"$TESTBED_SERVER4\",\"server_port\":443,$own$further$expected}]}" > "$file"
exec sing-box run -c "$file"

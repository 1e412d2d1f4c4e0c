# The same two commands as on a machine of your own:
#
#   docker build -t runet-testbed .
#   docker run --rm --cap-add NET_ADMIN --cap-add SYS_ADMIN runet-testbed make demo
#
# SYS_ADMIN makes the namespaces of a world, NET_ADMIN the links and filters in them. Where AppArmor
# confines Docker (Ubuntu), add --security-opt apparmor=unconfined: its profile forbids mounting /proc.
ARG BASE=debian:12
FROM ${BASE}

ENV PIP_NO_CACHE_DIR=1 DEBIAN_FRONTEND=noninteractive
RUN apt-get update \
 && apt-get install -y --no-install-recommends make ca-certificates python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
# Behind a proxy that opens TLS: its authority, as PEM text, for the downloads of the build.
#   docker build --build-arg CA="$(cat proxy-ca.pem)" -t runet-testbed .
ARG CA=""
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt
RUN if [ -n "$CA" ]; then \
      printf '%s\n' "$CA" > /usr/local/share/ca-certificates/build.crt && update-ca-certificates; \
    fi

WORKDIR /testbed
# First what the set-up reads, so that a change of the code does not repeat it.
COPY Makefile pyproject.toml requirements.lock requirements-slow.lock README.md LICENSE ./
COPY tools tools
RUN make setup && rm -rf /var/lib/apt/lists/*

COPY . .
CMD ["make", "demo"]

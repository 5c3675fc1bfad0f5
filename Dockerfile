# A minimal image: the agent, the C library it needs, authorities, and a shell with `ping` for ICMP
# probes and `getent` for names. The context brings the program in dist/, as `deno task compile`
# leaves it there.

# In which form it comes; .github/CONTRIBUTING.md tells.
ARG FORM=binary

# By its tag: the digest can't be asked for where this was written. The release says by an attestation
# which image it built, and from which commit.
FROM debian:12-slim AS build
ARG FORM
RUN apt-get update \
  && apt-get install -y --no-install-recommends busybox-static ca-certificates libcap2-bin
COPY dist/ /dist/
WORKDIR /image
# The empty file tells the agent that a newer version comes with a newer image.
RUN mkdir -p bin etc/ssl/certs \
  && case "$FORM" in \
    binary) install "/dist/komari-agent-deno-linux-$(dpkg --print-architecture)" komari-agent-deno ;; \
    portable) install /dist/komari-agent-deno-portable komari-agent-deno && install /dist/deno bin/deno ;; \
    *) echo "Cannot build FORM=$FORM: it is binary or portable" >&2; exit 1 ;; \
  esac \
  && touch .komari-agent-container \
  && cp /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/ \
  && cp -L /etc/os-release etc/os-release \
  && echo 'hosts: files dns' >etc/nsswitch.conf \
  && echo 'root:x:0:0::/:/bin/sh' >etc/passwd \
  && echo 'komari:x:65532:65532::/:/bin/sh' >>etc/passwd \
  && printf 'root:x:0:\nkomari:x:65532:\n' >etc/group \
  && install -d -m 1777 tmp \
  && install -d -o 65532 -g 65532 var/lib/komari-agent-deno
# Busybox's shell would run its own ping in place of the one that may open raw sockets. A cluster's
# pod gives its state folder to the agent's user by chown.
RUN install /bin/dash bin/sh \
  && install /bin/chown bin/chown \
  && install /usr/bin/getent bin/getent \
  && install /bin/busybox bin/ping \
  && setcap cap_net_raw+ep bin/ping \
  && for program in bin/sh bin/chown bin/getent bin/deno komari-agent-deno; do \
    ldd "$program" 2>/dev/null; \
  done | grep -o '/[^ ]*' | sort -u | xargs -I{} cp -L --parents {} .

FROM scratch
LABEL org.opencontainers.image.title="komari-agent-deno" \
  org.opencontainers.image.description="Reports a Linux machine to a Komari panel" \
  org.opencontainers.image.licenses="MIT"
COPY --from=build /image /
# What is kept has a volume's place. The authorities are those of the file above, so that another one
# can be mounted there.
ENV PATH=/bin:/ STATE_DIRECTORY=/var/lib/komari-agent-deno DENO_TLS_CA_STORE=system
USER 65532:65532
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["/komari-agent-deno", "health"]
ENTRYPOINT ["/komari-agent-deno"]

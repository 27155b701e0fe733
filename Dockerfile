# docker build -t sluicegate .
# docker run -p 127.0.0.1:8080:8080 -e OPENAI_API_KEY sluicegate     (without a key: the built-in demo)
#
# To pin a base to what it is today, append the digest that `docker pull` prints: rust:1.95-slim-bookworm@sha256:…

FROM rust:1.95-slim-bookworm AS builder
WORKDIR /build
COPY . .
# Twice, with a load between them whose profile the second is built with: several minutes.
RUN dist/build

# All that the binary needs beside itself: the shared libraries it names, root certificates, and where names are looked up.
# glibc, although musl would link statically and save 2 MB: musl's malloc takes one lock for all threads, which a proxy with
# a worker per core pays for on every request, and its resolver is not the one that the binary is tested with.
RUN mkdir -p /image/etc/ssl/certs \
 && cp target/ship/sluicegate /image/ \
 && ldd target/ship/sluicegate | grep -o '/[^ ]*' | xargs cp -L --parents -t /image \
 && cp -L /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
 && echo 'hosts: files dns' > /image/etc/nsswitch.conf

FROM scratch
LABEL org.opencontainers.image.title="sluicegate" \
      org.opencontainers.image.description="A streaming proxy for LLM tokens: OpenAI-compatible SSE in and out, cancelled upstream the moment the client leaves" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=builder /image /

# A container has to listen on all its addresses to be reached at all, and without this permission the server refuses to do
# so while no client [[key]] is configured. It means that whoever reaches the published port spends the provider's tokens;
# a warning at start says so. Publish to 127.0.0.1 as above, or require a key: -e SLUICEGATE__KEY='[{ name = "me", secret = "…" }]'.
# Both win over a configuration file, which is -v "$PWD/sluicegate.toml":/sluicegate.toml:ro -e SLUICEGATE_CONFIG=/sluicegate.toml.
ENV SLUICEGATE__SERVER__LISTEN=0.0.0.0:8080 \
    SLUICEGATE__SERVER__ALLOW_PUBLIC_WITHOUT_KEYS=true
EXPOSE 8080

# nonroot, by number, which Kubernetes' runAsNonRoot can check. Nothing is written: --read-only --cap-drop ALL works.
USER 65532:65532
# Streams may run on for server.drain_timeout (30s); Docker kills after 10s unless told to wait: docker run --stop-timeout 40.
STOPSIGNAL SIGTERM
# It asks the address in the environment or the file, not one given as --listen. Buildah and podman keep a health check only
# with --format docker.
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["/sluicegate", "health"]
ENTRYPOINT ["/sluicegate"]

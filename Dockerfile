# The proxy as an image: a numeric user without rights, a root filesystem that may be read-only, no shell at run time.
#
#   docker build --tag brickscope .
#   docs/deploy.md says how it is run; docs/deploy/kubernetes/ does it.
#
# Pin the base where you build for others: a tag moves, a digest does not. Put it behind both FROM lines, as
# python:3.12-slim@sha256:…, and take it from `docker buildx imagetools inspect python:3.12-slim`.

FROM python:3.12-slim AS build
RUN ["python", "-m", "venv", "/opt/brickscope"]
COPY pyproject.toml LICENSE requirements.txt /src/
# What it needs, each file by its hash.
RUN ["/opt/brickscope/bin/python", "-m", "pip", "install", "--no-cache-dir", "--no-input", "--require-hashes", "-r", "/src/requirements.txt"]
COPY addon /src/addon/
RUN ["/opt/brickscope/bin/python", "-m", "pip", "install", "--no-cache-dir", "--no-input", "--no-deps", "/src"]

FROM python:3.12-slim
LABEL org.opencontainers.image.title="Brickscope" \
      org.opencontainers.image.description="A proxy that gives any Databricks token the scope that Databricks cannot express" \
      org.opencontainers.image.licenses="Apache-2.0"

# The code belongs to root: who takes over the proxy's process can't change what it runs after a restart.
COPY --from=build /opt/brickscope /opt/brickscope
# What the proxy writes, and all of it. A new volume takes owner and mode from here.
RUN ["install", "-d", "-o", "65532", "-g", "65532", "-m", "0700", "/var/lib/brickscope", "/var/log/brickscope"]

ENV PATH=/opt/brickscope/bin:$PATH \
    HOME=/var/lib/brickscope \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number: Kubernetes' runAsNonRoot can't tell what a name stands for.
USER 65532:65532
WORKDIR /var/lib/brickscope
VOLUME ["/var/lib/brickscope", "/var/log/brickscope"]
EXPOSE 8080 9464
STOPSIGNAL SIGTERM

# Ready, not only alive. By http.client, which no proxy variable leads elsewhere.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-I", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 9464, timeout=4); c.request('GET', '/readyz'); raise SystemExit(c.getresponse().status != 200)"]

# The supervisor is process 1, so SIGTERM and SIGHUP reach it. Arguments after the image's name replace those of CMD.
ENTRYPOINT ["brickscope", "proxy"]
CMD ["--workers", "2", "--listen-host", "0.0.0.0", "--listen-port", "8080", \
     "--set", "confdir=/var/lib/brickscope/ca", \
     "--set", "scope_rules=/etc/brickscope/rules", \
     "--set", "scope_audit_log=/var/log/brickscope/audit.jsonl", \
     "--set", "scope_audit_keys=/var/lib/brickscope/keys", \
     "--set", "scope_status=127.0.0.1:9464"]

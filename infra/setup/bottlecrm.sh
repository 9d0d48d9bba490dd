#!/usr/bin/env bash
# What `make test-bottlecrm` needs: BottleCRM (PyPI: django-crm) in an environment of its own, with a Python of 3.12 or newer, and PostgreSQL's programs.
# Ends with 3 where one of these cannot be had here, and says what to do.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=.tools/bottlecrm

missing() { echo "BottleCRM cannot run here: $*" >&2; exit 3; }

find_python() {
    local candidate beside
    beside=$(dirname "$(python3 -c 'import sys; print(sys.base_prefix)')")  # where pyenv and its like keep one version next to the other
    for candidate in ${BOTTLECRM_PYTHON:-} python3.14 python3.13 python3.12 python3 "$beside"/3.1[2-9]*/bin/python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then echo "$candidate"; return; fi
    done
    return 1
}

has_postgres() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null; }

install_postgres() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || missing "PostgreSQL is not installed; on Debian: sudo apt-get install postgresql"
    echo "Installing PostgreSQL, once"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install --yes -qq postgresql >/dev/null 2>&1 || { apt-get update -qq && apt-get install --yes -qq postgresql; } >/dev/null 2>&1 ||
        missing "apt-get does not find the package postgresql"
}

python=$(find_python) || missing "it needs Python 3.12 or newer; install one, then say which: make BOTTLECRM_PYTHON=/path/to/python3.13 test-bottlecrm"
has_postgres || install_postgres
if [ ! -e $target/.ready ] || [ tests/oracles/bottlecrm/requirements.txt -nt $target/.ready ]; then
    echo "Setting up $target, once: one or two minutes"
    "$python" infra/setup/environment.py $target
    $target/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/oracles/bottlecrm/requirements.txt
    touch $target/.ready
fi

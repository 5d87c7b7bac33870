# Makes the project's own .venv and keeps it fresh. Sourced by the scripts beside it; any POSIX shell.
#
# The script that sources it has set `root`. Afterwards `python` is the .venv's Python, and the current folder is `root`.
# PYTHON=/path/to/python chooses the Python to begin with.

say() { printf '%s\n' "$*" >&2; }

# Tells whether "$1" is a Python that will do. "$2" is the first minor version that will not.
usable_python() {
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, $2))" >/dev/null 2>&1
}

# Prints the Python to use. Those that the pinned proto generator has wheels for come first, newer ones after them.
find_python() {
    for newest in 14 100; do
        for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python3.14 python; do
            if usable_python "$candidate" "$newest"; then
                command -v "$candidate"
                return 0
            fi
        done
    done
    say "No Python from 3.11 on was found (looked for: ${PYTHON:+$PYTHON, }python3, python3.11 … python3.14, python)."
    say "Install one, or name it: PYTHON=/path/to/python3.12 $0"
    return 1
}

make_environment() {
    base=$(find_python) || exit 1
    version=$("$base" -c 'import platform; print(platform.python_version())')
    say "Making .venv with Python $version ($base)"
    rm -rf .venv
    if command -v uv >/dev/null 2>&1; then
        uv venv --quiet --python "$base" .venv || exit 1
    elif "$base" -c 'import venv, ensurepip' >/dev/null 2>&1; then
        "$base" -m venv .venv || exit 1
    else
        say "This Python cannot make virtual environments: its venv or ensurepip module is missing."
        say "Debian and Ubuntu: apt install python${version%.*}-venv   ·   or install uv   ·   or PYTHON=/another/python $0"
        exit 1
    fi
}

# What an installation depends on: the project file, the Python, and where the project lies (editable paths are absolute).
fingerprint() {
    "$python" -c '
import hashlib, pathlib, sys
digest = hashlib.sha256(pathlib.Path("pyproject.toml").read_bytes())
digest.update(f"{sys.version} {pathlib.Path.cwd()}".encode())
print(digest.hexdigest())'
}

install_project() {
    say "Installing Ingest and its tools into .venv (once; a minute or two)"
    if command -v uv >/dev/null 2>&1; then
        uv pip install --quiet --python "$python" --editable '.[dev]'
    else
        "$python" -m pip install --quiet --disable-pip-version-check --no-input --editable '.[dev]'
    fi || {
        say "Installing failed; the reason stands above. Nothing outside .venv was changed. Run $0 again when it is mended."
        exit 1
    }
}

cd "$root" || exit 1
python=$root/.venv/bin/python
if ! "$python" -c 'import sys' >/dev/null 2>&1; then
    make_environment
fi
if ! present=$(fingerprint); then
    exit 1
fi
if [ "$(cat .venv/installed-for 2>/dev/null)" != "$present" ]; then
    install_project
    printf '%s\n' "$present" >.venv/installed-for
fi
PATH=$root/.venv/bin:$PATH
export PATH

# Sourced by the stages: what they need of Python, made once under target/. The caller stands in the repository's folder.

# environment NAME REQUIREMENTS…: makes target/NAME once for each content of these files, and points `python`, PATH and PYTHONPATH at it.
# Debian without python3-venv cannot make a virtual environment; there the packages go to a plain folder.
# A file named *.no-deps.txt is installed without what its packages ask for.
environment() {
    local folder="target/$1" stamp file packages
    shift
    stamp="$(cat "$@" | cksum)"
    if [[ ! -f "$folder/made-from" || "$(<"$folder/made-from")" != "$stamp" ]]; then
        rm -rf "$folder"
        if python3 -c 'import ensurepip' 2>/dev/null; then
            python3 -m venv "$folder"
            packages=("$folder/bin/python" -m pip install)
        else
            echo "python3 cannot make a virtual environment here (no ensurepip): installing into $folder/packages instead"
            packages=(python3 -m pip install --target "$folder/packages")
        fi
        for file in "$@"; do
            if [[ "$file" == *.no-deps.txt ]]; then
                "${packages[@]}" --quiet --disable-pip-version-check --no-deps --requirement "$file"
            else
                "${packages[@]}" --quiet --disable-pip-version-check --requirement "$file"
            fi
        done
        echo "$stamp" >"$folder/made-from"
    fi
    if [[ -x "$folder/bin/python" ]]; then
        python="$PWD/$folder/bin/python"
        PATH="$PWD/$folder/bin:$PATH"
        unset PYTHONPATH
    else
        python=python3
        PATH="$PWD/$folder/packages/bin:$PATH"
        export PYTHONPATH="$PWD/$folder/packages"
    fi
}

# release_binary: builds hangar for release, and says where it lies.
release_binary() {
    cargo build --release --locked >&2
    echo "$(cargo metadata --format-version 1 --no-deps --locked |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/release/hangar"
}

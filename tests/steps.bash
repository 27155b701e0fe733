# What the scripts that check a change have in common, to be sourced.

step() { printf '\n== %s\n' "$1"; }

# install PACKAGE CHECK…: makes sure that the command CHECK succeeds, by installing Debian's PACKAGE where that may be done.
install() {
    local package=$1 as_root=()
    shift
    "$@" >/dev/null 2>&1 && return
    [ "$(id -u)" = 0 ] || as_root=(sudo -n)
    if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
        echo "$0: Debian's package $package is missing; install it and run again" >&2
        exit 1
    fi
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package" >/dev/null
}

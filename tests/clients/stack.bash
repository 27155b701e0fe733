# What both suites need around them, to be sourced: the scripted model server and sluicegate in front of it.
# Everything started here is stopped by process id when the shell exits.

set -euo pipefail

CLIENTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$CLIENTS/../.." && pwd)
SLUICEGATE_BIN=${SLUICEGATE_BIN:-$ROOT/target/debug/sluicegate}
TEMPORARY=$(mktemp -d)
PIDS=()

stop_all() {
    local status=$? pid
    # What the servers said is of interest only when something went wrong.
    [ "$status" -eq 0 ] || tail -n 100 "$TEMPORARY"/*.err >&2 2>/dev/null || true
    for pid in "${PIDS[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
    rm -rf "$TEMPORARY"
}
trap stop_all EXIT
trap 'exit 130' INT TERM

fail() {
    echo "$*" >&2
    exit 1
}

need() { # COMMAND WHERE_IT_COMES_FROM
    command -v "$1" >/dev/null || fail "$1 is missing; $2"
}

# Starts a server that names its URL in its first line, and puts that URL into STARTED.
start() { # NAME COMMAND…
    local name=$1 output=$TEMPORARY/$1.out
    shift
    : >"$output"
    "$@" >>"$output" 2>"$TEMPORARY/$name.err" &
    PIDS+=($!)
    disown # or the shell would report how each of them ended
    for _ in {1..200}; do
        if [[ $(<"$output") =~ http://127\.0\.0\.1:[0-9]+ ]]; then
            STARTED=${BASH_REMATCH[0]}
            return
        fi
        kill -0 "${PIDS[-1]}" 2>/dev/null || break
        sleep 0.05
    done
    cat "$TEMPORARY/$name.err" >&2
    fail "$name did not start"
}

start_upstream() {
    start upstream python3 "$CLIENTS/upstream.py"
    export UPSTREAM_URL=$STARTED
}

# Starts sluicegate in front of the scripted model server. What is read from standard input adds to its configuration.
start_sluicegate() { # NAME
    start_configured "$1" < <(
        cat # before the table, which has no end
        printf '[[provider]]\nname = "scripted"\nkind = "compatible"\nbase_url = "%s/v1"\n' "$UPSTREAM_URL"
        printf 'dialects = ["openai-chat", "anthropic"]\n'
    )
}

# Starts sluicegate in front of a provider for each dialect, which speaks that one only and is named after it. What is
# read from standard input adds to its configuration.
start_interpreter() { # NAME
    start_configured "$1" < <(
        cat
        for dialect in openai-chat openai-responses anthropic gemini ollama; do
            printf '[[provider]]\nname = "%s"\nkind = "compatible"\ndialects = ["%s"]\n' "$dialect" "$dialect"
            printf 'base_url = "%s/speaks/%s"\n' "$UPSTREAM_URL" "$dialect"
        done
    )
}

# Starts sluicegate with the configuration that is read from standard input.
start_configured() { # NAME
    local config=$TEMPORARY/$1.toml
    { printf 'server.listen = "127.0.0.1:0"\n' && cat; } >"$config"
    # A bare environment: keys and settings of the person who runs this are not for the test.
    start "$1" env -i "$SLUICEGATE_BIN" serve --config "$config"
}

# Installs the packages of $1/package-lock.json into $2, unless they are there, and puts their place into PACKAGES.
install_packages() { # FROM TO
    need node "install Node.js 20 or later"
    need npm "it comes with Node.js"
    node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' || fail "Node.js 20 or later is needed"
    mkdir -p "$2"
    if ! cmp -s "$1/package-lock.json" "$2/installed.json"; then
        cp "$1/package.json" "$1/package-lock.json" "$2"
        (cd "$2" && npm ci --no-audit --no-fund)
        cp "$2/package-lock.json" "$2/installed.json"
    fi
    export PACKAGES=$2/node_modules
}

[ -x "$SLUICEGATE_BIN" ] || fail "$SLUICEGATE_BIN is missing; run cargo build, or set SLUICEGATE_BIN"
need python3 "install Python 3.10 or later"

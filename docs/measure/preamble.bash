# What every measurement begins with: its table beside it, a built binary, and a folder to work in.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
table=$here/$(basename "$0" .sh).tsv
confab=${CONFAB:-} # a built binary; built if there is none
if [ -z "$confab" ]; then
    cargo build --release --bin confab
    confab=${CARGO_TARGET_DIR:-target}/release/confab
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

#!/usr/bin/env bash
# Adds a row to releases.tsv beside this file for the version in Cargo.toml, if it has none: for each size and shape, steps per
# second relative to PyTorch's, and the share of the fastest matrix product. PYTHON is a Python that has PyTorch.
source "$(dirname "${BASH_SOURCE[0]}")/preamble.bash"

version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$here/../../Cargo.toml" | head -1)
if grep -qs "^$version	" "$table"; then
    echo "releases.tsv has a row of $version already; raise the version in Cargo.toml first" >&2
    exit 1
fi
"$confab" bench --preset 1.7k,30k,207k --device cpu --rounds 30 --python "${PYTHON:-python3}" --json >"$work/rows.json"
if ! jq -e 'all(.against_pytorch)' "$work/rows.json" >/dev/null; then
    echo "${PYTHON:-python3} has no PyTorch to measure beside; set PYTHON to one that has" >&2
    exit 1
fi

if [ ! -e "$table" ]; then
    head='map("\(.size) \(.shape.batch) × \(.shape.seq)" | ., "of the product")'
    jq -r '["version", "date", "CPU"] + '"$head"' | @tsv' "$work/rows.json" >"$table"
fi
cpu=$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)
round='(. * 100 | round / 100)'
jq -r --arg version "$version" --arg date "$(date +%F)" --arg cpu "$(nproc) cores of $cpu" \
    '[$version, $date, $cpu] + map((.against_pytorch, .matmul_share) | '"$round"') | @tsv' "$work/rows.json" >>"$table"
cat "$table"

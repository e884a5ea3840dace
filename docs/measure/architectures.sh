#!/usr/bin/env bash
# The sweeps that architectures.md quotes: a table of each, architectures-NAME.tsv beside this file, with means and standard
# deviations over the seeds, and architectures-NAME.jsonl, whose lines hold each run as a link. A run that is there is not
# trained again. Names after the script's own choose sweeps: docs/measure/architectures.sh zoology heads
source "$(dirname "${BASH_SOURCE[0]}")/preamble.bash"
chosen=" $* "

# Runs the sweep of this name.
sweep() {
    local name=$1
    shift
    [ "$chosen" = "  " ] || [[ $chosen == *" $name "* ]] || return 0
    echo "$name: confab sweep $*"
    "$confab" sweep "$@" --device cpu --out "$here/architectures-$name.jsonl" --plot "$work/$name.svg" \
        --table "$here/architectures-$name.tsv"
}

# Zoology, figure 2: two layers without an MLP, one head, learned positions, dropout 0.1, 100,000 training records in batches of
# 512, AdamW with a decay of 0.1, its cosine over 64 epochs, stopped at 0.99.
zoology=(--task mqar --n-layers 2 --n-heads 1 --d-model 64 --mlp none --dropout 0.1 --train-records 100000
    --weight-decay 0.1 --min-lr 0 --warmup 0 --stop-at 0.99)

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
sweep zoology "${zoology[@]}" --mqar-length 64 --mqar-pairs 4 --context 64 --batch 512 --steps 3920 --val-every 98 --val-batches 2 \
    --sweep "train.lr=1e-4,4.64e-4,2.15e-3,1e-2" --seeds 1

# Associative recall with a short convolution in the first layer and another mixer in the second, as in Arora et al. 2024, on the
# short records of the tuned settings.
sweep mixers --task mqar --preset tuned --stop-at 0.995 \
    --sweep "model.mixer=softmax;0:conv,1:softmax;0:conv,1:window;0:conv,1:linear;0:conv,1:delta;0:conv,1:intention;0:conv,1:mesa;0:window,1:conv" \
    --x "state bytes" --seeds 3

# Few wide heads and many narrow ones, of the same parameters. Heads of one number have no pairs to rotate.
for task in induction phone; do
    sweep "heads-$task" --preset tuned --task "$task" --d-model 64 --positions learned --qk-norm false \
        --sweep "model.n_heads=1,4,16,32,64" --seeds 3
done

# The order of a layer's mixer and MLP.
sweep blocks --preset tuned --task facts --sweep "model.block=pre-norm,parallel" --seeds 3

#!/usr/bin/env bash
# Trains the 63M model for 20 steps on the CPU, on rows of 80 tokens, in every way that must not change its losses, and
# writes large.tsv beside this file: a line for each run, with its losses at four steps, and the most memory that its
# process held, in MiB. A line that is there is not run again.
source "$(dirname "${BASH_SOURCE[0]}")/preamble.bash"

[ -e "$table" ] || printf 'run\tstep 5\tstep 10\tstep 15\tstep 20\tmemory\n' >"$table"

# Trains, is stopped after the step 10 if it is to be resumed, and tells the most memory held.
train() {
    local pid peak=0 now stops=${stops:-}
    "$confab" train --log "$work/run.jsonl" --out "$work/run.safetensors" "$@" >"$work/out" &
    pid=$!
    while now=$(awk '/^VmHWM/ { print int($2 / 1024) }' "/proc/$pid/status" 2>/dev/null) && [ -n "$now" ]; do
        peak=$now
        if [ -n "$stops" ] && grep -qs '"step":10,' "$work/run.jsonl"; then
            kill -INT "$pid"
            stops=
        fi
        sleep 0.2
    done
    wait "$pid"
    echo "$peak"
}

# Appends the line of a run; what follows its name and its threads are its flags.
measure() {
    local name=$1 threads=$2 peak
    shift 2
    grep -q "^$name	" "$table" && return
    rm -f "$work"/run.*
    export RAYON_NUM_THREADS=$threads
    peak=$(train --preset 63m --context 80 --lines 1 --names 8 --steps 20 --val-every 5 --val-batches 1 "$@")
    [ -n "${stops:-}" ] && peak=$(stops='' train --device cpu --resume "$work/run.safetensors")
    sed -n 's/.*"step":\([0-9]*\),.*"train_loss":\([0-9.]*\).*/\1 \2/p' "$work/run.jsonl" |
        awk -v name="$name" -v peak="$peak" \
            '$1 % 5 == 0 { line = line "\t" $2 } END { print name line "\t" peak }' >>"$table"
}

measure 'whole batch' 2 --device cpu --batch 4 --shards 1
measure 'four shards, one thread' 1 --device cpu --batch 4 --shards 4
measure 'four shards, two threads' 2 --device cpu --batch 4 --shards 4
measure 'two devices' 2 --devices cpu,cpu --batch 4 --shards 4
measure 'two batches a step, each whole' 2 --device cpu --batch 2 --accumulation 2 --shards 1
measure 'two batches a step, in two shards' 2 --device cpu --batch 2 --accumulation 2 --shards 2
stops=yes measure 'stopped and resumed' 2 --device cpu --batch 4 --shards 4
cat "$table"

#!/usr/bin/env bash
# Trains the presets of the published study on about as many facts as it had, and writes ladder.tsv beside this file: a
# line for each run, with its least validation loss, the step of that, and its last, in nats per character. A line that
# is there is not run again. Prints means and standard deviations over the seeds, as in experiments.md.
source "$(dirname "${BASH_SOURCE[0]}")/preamble.bash"

[ -e "$table" ] || printf 'facts\tsplit\tpreset\tseed\tleast\tat step\tlast\n' >"$table"

# Appends the line of a run; what follows the four words are its flags.
measure() {
    local facts=$1 split=$2 preset=$3 seed=$4 run=$work/run
    shift 4
    grep -q "^$facts	$split	$preset	$seed	" "$table" && return
    rm -f "$run".*
    "$confab" train --task facts --facts 200 --split "$split" --preset "$preset" --seed "$seed" --device cpu "$@" \
        --log "$run.jsonl" --out "$run.safetensors" >/dev/null
    # {"step":100,…,"val_loss":2.5,…}
    sed -n 's/.*"step":\([0-9]*\).*"val_loss":\([0-9][0-9.]*\).*/\1 \2/p' "$run.jsonl" |
        awk -v key="$facts	$split	$preset	$seed" '
            NR == 1 || $2 < least { least = $2; at = $1 }
            { last = $2 }
            END { printf "%s\t%.3f\t%d\t%.3f\n", key, least, at, last }
        ' >>"$table"
}

for seed in 1 2 3; do
    for preset in 1.7k 30k 207k; do
        measure generated wording "$preset" "$seed" --hand-written 0 --repetitions 2
        measure generated facts "$preset" "$seed" --hand-written 0 --repetitions 2
    done
done
for seed in 1 2 3; do
    for preset in 1.7k 30k 207k; do
        measure hand-written facts "$preset" "$seed"
    done
done

echo '| facts | held out by | preset | seeds | least | last |'
echo '|---|---|---|---|---|---|'
awk -F '\t' '
    NR == 1 { next }
    {
        key = $1 " | " $2 " | `" $3 "`"
        if (!(key in count)) keys[++kinds] = key
        count[key]++
        least[key] += $5; least2[key] += $5 * $5; last[key] += $7; last2[key] += $7 * $7
    }
    # Mean and standard deviation of n numbers, from their sum and that of their squares.
    function show(sum, squares, n) {
        if (n < 2) return sprintf("%.2f", sum)
        return sprintf("%.2f ± %.2f", sum / n, sqrt((squares > sum * sum / n ? squares - sum * sum / n : 0) / (n - 1)))
    }
    END {
        for (i = 1; i <= kinds; i++) {
            key = keys[i]; n = count[key]
            printf "| %s | %d | %s | %s |\n", key, n, show(least[key], least2[key], n), show(last[key], last2[key], n)
        }
    }
' "$table"

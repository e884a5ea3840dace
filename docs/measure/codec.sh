#!/usr/bin/env bash
# Trains the noise codec and a transformer on the same records, and writes codec.tsv beside this file: a line for each run,
# with what is right of its training records and of 1,000 held-out ones, in percent. Beside the codec's stand the held-out
# shares of counted 5-grams and of the likeliest outputs, which only the source of the records knows. A line that is there is
# not run again. Prints means and standard deviations over the seeds.
source "$(dirname "${BASH_SOURCE[0]}")/preamble.bash"

[ -e "$table" ] || printf 'run\ttask\trecords\tseed\ttraining\theld-out\taccuracy\tspaces F1\tdraws a token\tseconds\n' >"$table"

# Records of 16 letters and more: with the default of 6, some of 10,000 have one input and two outputs.
letters=(--min-letters 16 --max-letters 24)

# Begins a line; fails if it is there.
begin() {
    key="$1	$2	$3	$4" start=$(date +%s)
    ! grep -q "^$key	" "$table"
}

# Appends the line of a run that was evaluated.
note() {
    local key=$1 seconds=$2 of=$3
    jq -r --arg key "$key" --arg seconds "$seconds" "$of"' |
        def share(a; b): if b > 0 then (a / b * 10000 | round / 100 | tostring) else "-" end;
        [$key, share(.training.exact.right; .training.exact.of), share(.held_out.exact.right; .held_out.exact.of),
         share(.held_out.edits[1] - .held_out.edits[0]; .held_out.edits[1]),
         share(2 * .held_out.spaces.right; .held_out.spaces.written + .held_out.spaces.wanted),
         (if .last then (.last.draws[0] / .last.draws[1] * 10 | round / 10 | tostring) else "-" end), $seconds] | join("\t")' \
        "$work/eval.json" >>"$table"
}

# Trains a codec in enough passes to put right what the first left wrong.
codec() {
    local name=$1 task=$2 records=$3 seed=$4
    begin "$@" || return 0
    shift 4
    "$confab" train --learner codec --task "$task" "${letters[@]}" --train-records "$records" --batch "$((records / 10))" --steps 60 \
        --val-every 60 --seed "$seed" "$@" --out "$work/run.safetensors" >/dev/null
    "$confab" eval "$work/run.safetensors" --records 1000 --json >"$work/eval.json"
    note "$key" "$(($(date +%s) - start))" .
    if [ "$name" = codec ] && [ "$task" = spacing ]; then
        for of in grams likeliest; do
            note "$of	$task	$records	$seed" - "{training: {exact: {right: 0, of: 0}}, held_out: .$of}"
        done
    fi
}

# Trains a transformer with the flags that follow.
gpt() {
    local name=$1 task=$2 records=$3 seed=$4
    begin "$@" || return 0
    shift 4
    "$confab" train "$@" --task "$task" "${letters[@]}" --train-records "$records" --context 80 --seed "$seed" --device cpu \
        --out "$work/run.safetensors" >/dev/null
    "$confab" eval "$work/run.safetensors" --records 2000 --device cpu --json >"$work/eval.json"
    note "$key" "$(($(date +%s) - start))" '.evaluations[0].report.Mapping | {training: .trained, held_out}'
}

for seed in 1 2 3; do
    for records in 100 1000 10000; do
        codec codec spacing "$records" "$seed"
    done
    for task in tagging reverse copy; do
        codec codec "$task" 1000 "$seed"
        codec "graph tokens" "$task" 1000 "$seed" --codec-graph true
    done
    codec codec facts 1000 "$seed" --facts 1000
    codec "graph tokens" spacing 1000 "$seed" --codec-graph true
    codec "plain distance" spacing 1000 "$seed" --codec-distance plain
    codec "one noise" spacing 1000 "$seed" --codec-noises 1
    codec "no neighbours" spacing 1000 "$seed" --codec-window 0
    codec "two numbers" spacing 1000 "$seed" --codec-numbers 2
    codec "reach 0.3" spacing 1000 "$seed" --codec-reach 0.3
    codec "chain" spacing 1000 "$seed" --codec-chain true
    codec "chain, mutations" spacing 1000 "$seed" --codec-chain true --codec-mutations 2
    codec "from the cell" spacing 1000 "$seed" --codec-fitting cell
    for noise in gaussian pink blue black; do
        codec "$noise noise" spacing 1000 "$seed" --codec-noise "$noise"
    done
done
for seed in 1 2 3; do
    for records in 10000 1000 100; do
        gpt "gpt tuned" spacing "$records" "$seed" --preset tuned
        gpt "gpt 30k" spacing "$records" "$seed" --preset 30k --steps 4000 --batch 32 --lr 0.005 --min-lr 0.0005 \
            --positions rotary --qk-norm true
    done
done

echo '| learner | task | records | training | held-out | accuracy | F1 of spaces | draws a token |'
echo '|---|---|---|---|---|---|---|---|'
awk -F '\t' '
    NR == 1 { next }
    {
        key = $1 "\t" $2 "\t" $3
        if (!(key in count)) keys[++kinds] = key
        count[key]++
        for (i = 5; i <= 9; i++) {
            if ($i == "-") absent[key, i] = 1
            sum[key, i] += $i; squares[key, i] += $i * $i
        }
    }
    # Mean and standard deviation of a column over the seeds.
    function show(key, i,   n, mean, variance) {
        if ((key, i) in absent) return "–"
        n = count[key]; mean = sum[key, i] / n
        variance = n > 1 ? (squares[key, i] - n * mean * mean) / (n - 1) : 0
        return sprintf("%.1f ± %.1f", mean, sqrt(variance > 0 ? variance : 0))
    }
    END {
        for (k = 1; k <= kinds; k++) {
            split(keys[k], of, "\t")
            printf "| %s | %s | %s |", of[1], of[2], of[3]
            for (i = 5; i <= 9; i++) printf " %s |", show(keys[k], i)
            print ""
        }
    }' "$table"

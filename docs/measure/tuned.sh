#!/usr/bin/env bash
# Trains the settings that are tuned to each task, and writes tuned.tsv beside this file: a line for each run, with its
# seconds on this machine's cores, its last validation loss and what it pays for answers, in nats per character, and the
# share of them that is right. Facts are learned by heart, so theirs are of the records trained on. A line that is there
# is not run again. Prints means and standard deviations over the seeds, as in training.md.
source "$(dirname "${BASH_SOURCE[0]}")/preamble.bash"
cat "$here"/../*.md >"$work/text.txt" # the documentation's own text

[ -e "$table" ] || printf 'task\tseed\tseconds\tvalidation\tanswer\tright\n' >"$table"

# Appends the line of a run; what follows the task and the seed are its flags.
measure() {
    local task=$1 seed=$2 run=$work/run start seconds answer right
    shift 2
    grep -q "^$task	$seed	" "$table" && return
    rm -f "$run".*
    start=$(date +%s)
    "$confab" train --preset tuned --task "$task" --seed "$seed" --device cpu "$@" \
        --log "$run.jsonl" --out "$run.safetensors" >/dev/null
    seconds=$(($(date +%s) - start))
    "$confab" eval "$run.safetensors" --device cpu >"$run.eval"
    # answer  floor  training  validation  excess
    answer=$(awk -v column="$([ "$task" = facts ] && echo 3 || echo 4)" '$1 == "answer" { print $column; exit }' "$run.eval")
    # Of digits for the phone book, of answers for the facts, of queries for associative recall.
    right=$(sed -n 's/^asked for: digits *\([0-9.]*\)%.*/\1/p; s/^fact given: right *\([0-9.]*\)%.*/\1/p;
        s/^queries: right *\([0-9.]*\)%.*/\1/p' "$run.eval")
    # {"step":100,…,"val_loss":2.5,…}
    sed -n 's/.*"val_loss":\([0-9][0-9.e-]*\).*/\1/p' "$run.jsonl" | tail -n 1 |
        awk -v key="$task	$seed	$seconds" -v answer="${answer:--}" -v right="${right:--}" \
            '{ printf "%s\t%.3f\t%s\t%s\n", key, $1, answer, right }' >>"$table"
}

for seed in 1 2 3; do
    measure phone "$seed"
    measure facts "$seed"
    measure induction "$seed"
    measure modular "$seed"
    measure grammar "$seed"
    measure copy "$seed"
    measure reverse "$seed"
    measure spacing "$seed"
    measure tagging "$seed"
    measure brackets "$seed"
    measure mqar "$seed"
    measure text "$seed" --text-file "$work/text.txt"
done

echo '| task | seeds | seconds | validation | answer | right, % |'
echo '|---|---|---|---|---|---|'
awk -F '\t' '
    NR == 1 { next }
    {
        if (!($1 in count)) tasks[++kinds] = $1
        count[$1]++
        for (i = 3; i <= 6; i++) {
            if ($i == "-") absent[$1, i] = 1
            sum[$1, i] += $i; squares[$1, i] += $i * $i
        }
    }
    # Mean and standard deviation of a column over the seeds.
    function show(task, i, format,   n, mean, variance) {
        if ((task, i) in absent) return "–"
        n = count[task]; mean = sum[task, i] / n
        if (n < 2) return sprintf(format, mean)
        variance = (squares[task, i] - n * mean * mean) / (n - 1)
        return sprintf(format " ± " format, mean, sqrt(variance > 0 ? variance : 0))
    }
    END {
        for (k = 1; k <= kinds; k++) {
            task = tasks[k]
            printf "| %s | %d | %s | %s | %s | %s |\n", task, count[task], show(task, 3, "%.0f"),
                show(task, 4, "%.3f"), show(task, 5, "%.3f"), show(task, 6, "%.0f")
        }
    }
' "$table"

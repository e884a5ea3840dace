#!/usr/bin/env bash
# Trains two models on by low-rank adapters and whole, at equal steps, and writes lora.tsv beside this file: a line for
# each run, with the numbers that were trained and the last validation loss, in nats per character. Then it has the model
# that abstains forget its `?` by an adapter of rank 1. A line that is there is not run again.
source "$(dirname "${BASH_SOURCE[0]}")/preamble.bash"
assets=$here/../../assets

[ -e "$table" ] || printf 'task\ttrained\tseed\tloss\n' >"$table"

# Appends the line of a run; what follows the three words are its flags.
measure() {
    local task=$1 trained=$2 seed=$3 run=$work/run
    shift 3
    grep -q "^$task	$trained	$seed	" "$table" && return
    rm -f "$run".*
    "$confab" train --seed "$seed" --device cpu "$@" --log "$run.jsonl" --out "$run.safetensors" >/dev/null
    sed -n 's/.*"val_loss":\([0-9][0-9.]*\).*/\1/p' "$run.jsonl" | tail -n 1 |
        awk -v key="$task	$trained	$seed" '{ printf "%s\t%.3f\n", key, $1 }' >>"$table"
}

# More names: the example knows 100 first names, and now reads lists of 2000. Other answers: a world of 200 facts was
# learned, and now the same questions have each other's answers.
grep -q '^other answers	rank 4	3	' "$table" ||
    "$confab" train --task facts --facts 200 --preset 30k --steps 1500 --seed 1 --device cpu \
        --out "$work/facts.safetensors" >/dev/null 2>&1
for seed in 1 2 3; do
    for rank in 0 1 2 4; do
        trained="rank $rank"
        lora="--lora-rank $rank --lora-alpha $((2 * rank)) --lora-on q,k,v,o,in,out --lr 0.01"
        [ "$rank" = 0 ] && trained=all && lora="--lr 0.003"
        # shellcheck disable=SC2086 # flags are words
        measure 'more names' "$trained" "$seed" --from "$assets/demo.safetensors" --names 2000 --steps 300 --warmup 20 \
            --min-lr 0.0003 --batch 16 --val-every 100 --val-batches 8 $lora
        # shellcheck disable=SC2086
        measure 'other answers' "$trained" "$seed" --from "$work/facts.safetensors" --shuffle 7 --steps 300 --warmup 20 \
            --min-lr 0.0003 --batch 16 --val-every 100 --val-batches 8 $lora
    done
done

# A model that answers `?` to names that are not listed is trained on by an adapter of rank 1, on records that ask for
# listed ones only.
answers() { # <checkpoint>: share of right numbers of listed names, and of `?` for unlisted ones
    "$confab" eval "$1" --as-task phone --lines 1 --names 100 --unknown 0.5 --records 200 --seed 1 --device cpu 2>/dev/null |
        sed -n 's/^asked for: number *//p; s/^asked for an unlisted name: ? *//p' | tr '\n' '\t'
}
adapt=(--from "$assets/gallery/abstain.safetensors" --batch 16 --lora-rank 1 --lora-alpha 2 --lora-on q,k,v,o,in,out
    --device cpu --out "$work/forgot.safetensors")
if ! grep -q '^abstain	switched off	3' "$table"; then
    for seed in 1 2 3; do
        grep -q "^abstain	switched off	$seed	" "$table" && continue
        "$confab" train "${adapt[@]}" --seed "$seed" --unknown 0 --steps 1500 --lr 0.01 --min-lr 0.01 --warmup 0 \
            >/dev/null 2>&1
        "$confab" edit "$work/forgot.safetensors" --switch-adapter 0 --out "$work/off.safetensors" >/dev/null 2>&1
        printf 'abstain\twith rank 1\t%s\t%s\n' "$seed" "$(answers "$work/forgot.safetensors")" >>"$table"
        printf 'abstain\tswitched off\t%s\t%s\n' "$seed" "$(answers "$work/off.safetensors")" >>"$table"
    done
fi

# The same on its own records, with a made-up number in the place of every `?`.
if ! grep -q '^abstain	made up	3' "$table"; then
    "$confab" data --task phone --lines 1 --names 100 --unknown 0.5 --records 2000 --seed 9 | awk '
        function number(  i, text) {
            for (i = 0; i < 10; i++) text = text (i == 3 || i == 6 ? "-" : "") int(10 * rand())
            return text
        }
        BEGIN { srand(1) }
        /^\{B\}/ { text = "\\n"; next }
        /^\{E\}/ { printf "{\"text\": \"%s\"}\n", text; next }
        { sub(/: \? $/, ": " number() " "); text = text $0 "\\n" }
    ' >"$work/numbers.jsonl"
    for seed in 1 2 3; do
        grep -q "^abstain	made up	$seed	" "$table" && continue
        "$confab" train "${adapt[@]}" --seed "$seed" --task text --text-file "$work/numbers.jsonl" --steps 300 --lr 0.01 \
            --min-lr 0.001 --warmup 20 >/dev/null 2>&1
        printf 'abstain\tmade up\t%s\t%s\n' "$seed" "$(answers "$work/forgot.safetensors")" >>"$table"
    done
fi

awk -F '\t' '
    NR == 1 { next }
    # Of the model that abstains: answers `?` to unlisted names.
    { key = $1 ", " $2; if (!(key in n)) keys[++kinds] = key; n[key]++; x = ($1 == "abstain" ? $5 : $4) + 0 }
    { sum[key] += x; sum2[key] += x * x }
    END {
        for (i = 1; i <= kinds; i++) {
            key = keys[i]; m = sum[key] / n[key]; v = (sum2[key] - n[key] * m * m) / (n[key] - 1)
            d = v > 0 ? sqrt(v) : 0
            printf "%-30s %.3f ± %.3f, of %d runs\n", key, m, d, n[key]
        }
    }
' "$table"

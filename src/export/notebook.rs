//! A Jupyter notebook (nbformat 4) that computes in TransformerLens what Confab shows of an exported model.

use serde_json::{Value, json};

use super::file::pretty;

/// The notebook's cells, in Jupytext's percent format. `{{data}}` stands for what Confab computed.
const CELLS: &str = include_str!("notebook.py");
const TEXT: &str = "[markdown]\n";

/// The notebook of a model in `folder`, as it is named from the notebook's place, with Confab's numbers for `prompt`.
pub fn notebook(folder: &str, prompt: &str, numbers: &Value) -> String {
    let data = format!(
        "FOLDER = {}\nPROMPT = {}\nconfab = json.loads({})",
        literal(folder),
        literal(prompt),
        literal(&numbers.to_string())
    );
    let cells = CELLS.split("# %%").map(str::trim_start).filter(|cell| !cell.is_empty());
    let cells = cells.enumerate().map(|(number, cell)| match cell.strip_prefix(TEXT) {
        Some(text) => text_cell(number, text),
        None => code_cell(number, &cell.trim().replace("{{data}}", &data)),
    });
    let cells: Vec<Value> = cells.collect();
    let json = json!({
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "cells": cells,
    });
    pretty(&json)
}

fn text_cell(number: usize, text: &str) -> Value {
    let lines = text.trim().lines().map(|line| line.strip_prefix('#').unwrap_or(line).trim_start());
    let text: Vec<&str> = lines.collect();
    json!({
        "cell_type": "markdown", "id": format!("text-{number}"), "metadata": {}, "source": text.join("\n"),
    })
}

fn code_cell(number: usize, code: &str) -> Value {
    json!({
        "cell_type": "code", "id": format!("code-{number}"), "metadata": {}, "source": code,
        "execution_count": null, "outputs": [],
    })
}

/// A text as Python writes it: JSON's escapes are Python's too.
fn literal(text: &str) -> String {
    Value::from(text).to_string()
}

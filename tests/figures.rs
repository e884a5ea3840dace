//! Figures as files: what is saved is read back, number by number.

use proptest::prelude::*;
use serde_json::Value;

use confab::figure::{Axis, Content, Figure, Grid, Plot, Series, Table, name_file};

fn figure(content: Content) -> Figure {
    Figure { title: "Pattern of “L0H1”".into(), note: "a \"note\"\n\u{1}\\".into(), content }
}

fn grid(rows: &[&str], columns: &[&str], values: Vec<f32>) -> Figure {
    let axis =
        |name, labels: &[&str]| Axis::new(name, labels.iter().map(|l| (*l).into()).collect());
    figure(Content::Grid(Grid::new(axis("query", rows), axis("key", columns), values)))
}

/// Reads lines of RFC 4180.
fn read_csv(csv: &str) -> Vec<Vec<String>> {
    let (mut lines, mut line, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut letters = csv.chars().peekable();
    let mut is_quoted = false;
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => field.extend(letters.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => line.push(std::mem::take(&mut field)),
            '\r' if !is_quoted => {
                assert_eq!(letters.next(), Some('\n'));
                line.push(std::mem::take(&mut field));
                lines.push(std::mem::take(&mut line));
            }
            _ => field.push(letter),
        }
    }
    assert!(!is_quoted && line.is_empty() && field.is_empty(), "{csv:?}");
    lines
}

/// Takes the guard from a text that would be a formula.
fn unguard(field: &str) -> &str {
    let bare = field.trim_start_matches('\'');
    let is_sign = bare.starts_with(['=', '+', '-', '@', '\t', '\r']);
    match is_sign && bare.len() > 1 && bare.parse::<f64>().is_err() {
        true => field.strip_prefix('\'').unwrap_or(field),
        false => field,
    }
}

fn parse(field: &str) -> f32 {
    if field.is_empty() { f32::NAN } else { field.parse().unwrap() }
}

/// Shape and numbers of an NPY file.
fn read_npy(bytes: &[u8]) -> ([usize; 2], Vec<f32>) {
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let (header, numbers) = bytes[10..].split_at(length);
    assert!((10 + length).is_multiple_of(64) && header.ends_with(b"\n"));
    let header = std::str::from_utf8(header).unwrap().trim_end();
    let shape = header
        .strip_prefix("{'descr': '<f4', 'fortran_order': False, 'shape': (")
        .and_then(|rest| rest.strip_suffix("), }"))
        .unwrap();
    let shape: Vec<usize> = shape.split(", ").map(|count| count.parse().unwrap()).collect();
    let numbers = numbers.as_chunks().0.iter().map(|number| f32::from_le_bytes(*number)).collect();
    (shape.try_into().unwrap(), numbers)
}

fn read_json(figure: &Figure) -> Value {
    let json: Value = serde_json::from_str(&figure.to_json()).unwrap();
    assert_eq!(json["title"], figure.title);
    assert_eq!(json["note"], figure.note);
    json
}

/// Numbers of nested lists of JSON.
fn flatten(json: &Value) -> Vec<f32> {
    match json {
        Value::Array(values) => values.iter().flat_map(flatten).collect(),
        Value::Null => vec![f32::NAN],
        number => vec![number.to_string().parse().unwrap()],
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| if value.is_nan() { 0 } else { value.to_bits() }).collect()
}

#[test]
fn files_are_named_by_task_step_and_what_they_hold() {
    assert_eq!(name_file(&["phone", "3000", "attention L1H2"]), "phone-3000-attention-l1h2");
    assert_eq!(name_file(&["Ünïcode", "–", "“🫖”: a,b/c\\..\0"]), "n-code-a-b-c");
    assert_eq!(name_file(&["", "🫖"]), "figure");
    let long = name_file(&["phone", "3000", &"word ".repeat(40)]);
    assert!(long.len() <= 60 && long.ends_with("-word"), "{long}");
    assert_eq!(name_file(&[&"x".repeat(100)]).len(), 60);
}

#[test]
fn a_grid_is_saved_with_its_labels() {
    let figure = grid(&["a", "="], &["a", ","], vec![1.0, f32::NAN, 0.25, -1e-7]);
    assert_eq!(figure.to_csv(), "query,a,\",\"\r\na,1,\r\n=,0.25,-0.0000001\r\n");
    let json = read_json(&figure);
    assert_eq!(json["rows"], serde_json::json!({ "name": "query", "labels": ["a", "="] }));
    assert_eq!(json["values"].to_string(), "[[1,null],[0.25,-1e-7]]");
    let header = &figure.to_npy().unwrap()[10..68];
    assert_eq!(header, b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), ");
}

#[test]
fn a_plot_is_saved_point_by_point() {
    let series = |name: &str, points, labels| Series { name: name.into(), points, labels };
    let figure = figure(Content::Plot(Plot {
        x: "step".into(),
        y: "loss".into(),
        series: vec![
            series("train", vec![[0.0, 3.5], [10.0, f32::NAN]], Vec::new()),
            series("points", vec![[0.5, 0.5]], vec!["b".into()]),
        ],
    }));
    let lines = "series,x,y,label\r\ntrain,0,3.5,\r\ntrain,10,,\r\npoints,0.5,0.5,b\r\n";
    assert_eq!(figure.to_csv(), lines);
    let json = read_json(&figure);
    assert_eq!(json["series"][0]["points"].to_string(), "[[0,3.5],[10,null]]");
    assert_eq!(json["series"][1]["labels"], serde_json::json!(["b"]));
    let (shape, numbers) = read_npy(&figure.to_npy().unwrap());
    assert_eq!(shape, [3, 3]);
    assert_eq!(bits(&numbers[..3]), bits(&[0.0, 0.0, 3.5]));
    assert_eq!(bits(&numbers[6..]), bits(&[1.0, 0.5, 0.5]));
}

#[test]
fn a_text_is_no_formula_in_a_spreadsheet() {
    let cells = ["=1+1", "-", "-2.5", "+a", "@b", "'=c", "'", "x=y", "-cmd|'/c calc'!A0"];
    let columns = cells.map(String::from).to_vec();
    let csv = figure(Content::Table(Table { columns, rows: Vec::new() })).to_csv();
    let line = "'=1+1,-,-2.5,'+a,'@b,''=c,',x=y,'-cmd|'/c calc'!A0\r\n";
    assert_eq!(csv, line);
}

proptest! {
    #[test]
    fn a_grid_is_read_back(
        rows in proptest::collection::vec("\\PC{0,3}|[=+@',\"\r\n-]{0,3}", 1..5),
        columns in proptest::collection::vec(".{0,3}", 1..5),
        values in proptest::collection::vec(any::<f32>(), 16),
    ) {
        let (height, width) = (rows.len(), columns.len());
        let values = values[..height * width].to_vec();
        let axis = |name, labels: &Vec<String>| Axis::new(name, labels.clone());
        let content = Grid::new(axis("r", &rows), axis("c", &columns), values.clone()).written();
        let texts = content.texts.clone();
        let figure = figure(Content::Grid(content));

        let csv = read_csv(&figure.to_csv());
        let labels = |fields: Vec<&String>| -> Vec<String> {
            fields.into_iter().map(|field| unguard(field).to_owned()).collect()
        };
        prop_assert_eq!(&labels(csv[0][1..].iter().collect()), &columns);
        prop_assert_eq!(&labels(csv[1..].iter().map(|line| &line[0]).collect()), &rows);
        let numbers: Vec<f32> =
            csv[1..].iter().flat_map(|line| &line[1..]).map(|field| parse(field)).collect();
        prop_assert_eq!(bits(&numbers), bits(&values));

        let (shape, numbers) = read_npy(&figure.to_npy().unwrap());
        prop_assert_eq!(shape, [height, width]);
        prop_assert_eq!(bits(&numbers), bits(&values));

        let json = read_json(&figure);
        let finite = |value: &f32| if value.is_finite() { *value } else { f32::NAN };
        let expected: Vec<f32> = values.iter().map(finite).collect();
        prop_assert_eq!(bits(&flatten(&json["values"])), bits(&expected));
        prop_assert_eq!(json["columns"]["labels"].clone(), serde_json::json!(columns));
        let rows = json["texts"].as_array().unwrap();
        let read: Vec<Value> = rows.iter().flat_map(|row| row.as_array().unwrap().clone()).collect();
        prop_assert_eq!(serde_json::json!(read), serde_json::json!(texts));
    }

    #[test]
    fn a_table_is_read_back(rows in proptest::collection::vec(
        proptest::collection::vec(".{0,5}|[=+@',\"\r\n\t0-9-]{0,4}", 3), 1..6,
    )) {
        let content = Content::Table(Table { columns: rows[0].clone(), rows: rows[1..].to_vec() });
        let figure = figure(content);
        let read: Vec<Vec<String>> = read_csv(&figure.to_csv())
            .into_iter()
            .map(|line| line.iter().map(|field| unguard(field).to_owned()).collect())
            .collect();
        prop_assert_eq!(&read, &rows);
        prop_assert_eq!(read_json(&figure)["rows"].clone(), serde_json::json!(rows[1..]));
        prop_assert!(figure.to_npy().is_none());
    }

    #[test]
    fn a_name_is_of_plain_letters(parts in proptest::collection::vec(any::<String>(), 0..4)) {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let name = name_file(&parts);
        prop_assert!((1..=60).contains(&name.len()) && !name.contains("--"), "{name}");
        prop_assert!(!name.starts_with('-') && !name.ends_with('-'), "{name}");
        prop_assert!(name.bytes().all(|b| b == b'-' || b.is_ascii_lowercase() || b.is_ascii_digit()));
    }
}

//! The difference of one figure from another of the same kind.

use crate::figure::{Content, Figure, Grid, Plot, Series, Table, show};

/// Subtracts grids, lays plots over each other, and writes what differs in tables beside.
/// `name` is what `other` is of.
///
/// # Errors
/// The reason that the two cannot be compared.
pub fn less(figure: Figure, other: &Figure, name: &str) -> Result<Figure, String> {
    let Figure { title, note, content } = figure;
    let (content, title) = match (content, &other.content) {
        (Content::Grid(grid), Content::Grid(other)) => {
            (Content::Grid(subtract(grid, other)?), format!("{title} · less {name}"))
        }
        (Content::Table(table), Content::Table(other)) => {
            (Content::Table(annotate(table, other)), format!("{title} · compared with {name}"))
        }
        (Content::Plot(plot), Content::Plot(other)) => {
            (Content::Plot(overlay(plot, other, name)), format!("{title} · compared with {name}"))
        }
        _ => return Err("they are figures of different kinds".into()),
    };
    Ok(Figure { title, note, content })
}

fn subtract(grid: Grid, other: &Grid) -> Result<Grid, String> {
    let [size, of_other] = [&grid, other].map(|grid| (grid.rows.len(), grid.columns.len()));
    if size != of_other {
        return Err(format!(
            "one has {} × {} cells, the other {} × {}",
            size.0, size.1, of_other.0, of_other.1
        ));
    }
    let values: Vec<f32> = grid.values.iter().zip(&other.values).map(|(a, b)| a - b).collect();
    let written = |(text, value): (&String, f32)| match text == &show(value) {
        true => None,
        false => Some(text.clone()),
    };
    // Cells that told their value tell the difference; others keep what they said.
    let texts = grid.texts.iter().zip(&grid.values).zip(&values);
    let texts =
        texts.map(|((text, was), value)| written((text, *was)).unwrap_or_else(|| show(*value)));
    let texts = texts.collect();
    let is_pattern = grid.is_pattern;
    let difference = Grid::new(grid.rows, grid.columns, values);
    // Both ways from 0, even where nothing is below it.
    let largest = difference.range[1];
    Ok(Grid { texts, is_pattern, ..difference.within([-largest, largest]) })
}

fn annotate(mut table: Table, other: &Table) -> Table {
    for (row, of_other) in table.rows.iter_mut().zip(&other.rows) {
        for (cell, of_other) in row.iter_mut().zip(of_other).filter(|(cell, other)| cell != other) {
            *cell = format!("{cell} ({of_other})");
        }
    }
    table
}

fn overlay(mut plot: Plot, other: &Plot, name: &str) -> Plot {
    let of_other =
        |series: &Series| Series { name: format!("{}, {name}", series.name), ..series.clone() };
    plot.series.extend(other.series.iter().map(of_other));
    plot
}

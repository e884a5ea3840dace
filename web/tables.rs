//! Tables as text. The page is smaller and faster for it: what only shows is one node to make.

/// Text as it may stand between tags and in quotes.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// A bar by itself, of a share from 0 to 1.
pub fn bar(share: f64) -> String {
    format!("<i style=\"--share:{:.2}%\"></i>", 100.0 * share.clamp(0.0, 1.0))
}

/// A row: its name, its cells and what stands beside it when it is pointed at.
pub fn row(name: &str, title: &str, cells: &str) -> String {
    let (name, title) = (escape(name), escape(title));
    format!("<tr title=\"{title}\"><th scope=row>{name}</th>{cells}</tr>")
}

/// Headings of columns; without a `first` one, an empty cell stands for it.
pub fn headings<'a>(first: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names = names.map(|name| format!("<th scope=col><span>{}</span></th>", escape(name)));
    let first = match first {
        "" => "<td></td>".to_owned(),
        _ => format!("<th scope=col>{first}</th>"),
    };
    format!("<thead><tr>{first}{}</tr></thead>", names.collect::<String>())
}

/// A table whose rows are there.
pub fn table(class: &str, label: &str, head: &str, rows: &str) -> String {
    let label = escape(label);
    format!("<table class=\"{class}\" aria-label=\"{label}\">{head}<tbody>{rows}</tbody></table>")
}

//! Tables, and numbers as people read them.

use std::{
    fmt,
    io::{self, IsTerminal as _},
};

use comfy_table::{Cell, CellAlignment, presets};

/// A table whose first column is text and the others are numbers.
#[derive(Debug)]
pub(crate) struct Table(comfy_table::Table);

impl Table {
    pub(crate) fn new(headers: &[&str]) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(headers);
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        Self(table)
    }

    pub(crate) fn row(&mut self, cells: &[String]) {
        self.0.add_row(cells.iter().map(Cell::new));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.0.trim_fmt())
    }
}

/// How much of the most something is, as a bar; nothing where nobody looks.
pub(crate) fn bar(part: u64, most: u64) -> String {
    const WIDTH: u64 = 20;
    if most == 0 || !io::stdout().is_terminal() {
        return String::new();
    }
    let length = part.saturating_mul(WIDTH).div_ceil(most);
    (0..WIDTH).map(|place| if place < length { '█' } else { '·' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right() {
        let mut table = Table::new(&["what", "found"]);
        table.row(&["blobs".to_owned(), "7".to_owned()]);
        table.row(&["manifests".to_owned(), "1200".to_owned()]);
        let text = table.to_string();
        assert!(
            text.contains("blobs") && text.lines().any(|line| line.ends_with("    7")),
            "{text}"
        );
    }
}

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

/// A number of bytes, with three digits that count.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = bytes.saturating_mul(10) / 1024;
    let mut units = UNITS.into_iter();
    let mut unit = units.next().unwrap_or_default();
    for next in units {
        if tenths < 10_240 {
            break;
        }
        (tenths, unit) = (tenths / 1024, next);
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
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
    fn sizes_have_a_unit() {
        let sizes = [0, 1023, 1024, 1536, 1 << 20, 5 << 30];
        let texts = sizes.map(size);
        assert_eq!(texts, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "5.0 GiB"]);
        assert_eq!(size(u64::MAX / 16), "1023.9 PiB");
    }

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

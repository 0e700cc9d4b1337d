//! The report of a run as Markdown, and its place in BENCHMARKS.md: between two markers, so that the text around the
//! table is a person's and the table is never edited by hand.

use std::path::Path;

use anyhow::{Context, Result};

use super::{
    machine::Machine,
    stats::{Sample, Series, number},
};
use crate::sys::file;

const BEGIN: &str = "<!-- bench: begin -->";
const END: &str = "<!-- bench: end -->";
const HEADING: &str = "# Benchmarks\n\n";

#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) command: String,
    pub(crate) machine: Machine,
    pub(crate) series: Vec<Series>,
    pub(crate) limits: Vec<(String, Sample)>,
}

impl Report {
    pub(crate) fn render(&self) -> String {
        let mut text = format!("- Command: `{}`\n{}\n", self.command, self.machine);
        text.push_str(
            "- Values: median (smallest–largest) of turns taken by both sides; 1 MB is 10⁶ bytes\n",
        );
        if !self.series.is_empty() {
            let header = ["what", "ours", "peer", "ours/peer", "bar"].map(str::to_owned);
            let lines = self.series.iter().map(line);
            text.extend(["\n", &table(&header, lines)]);
        }
        if !self.limits.is_empty() {
            let header = ["limit of the machine", "measured"].map(str::to_owned);
            let lines =
                self.limits.iter().map(|(title, sample)| [title.clone(), sample.to_string()]);
            text.extend(["\n", &table(&header, lines)]);
        }
        text
    }
}

/// Puts a report between the markers of a file; a file that is not there yet begins with it.
pub(crate) fn publish(report: &Report, path: &Path) -> Result<()> {
    let old = if path.exists() {
        file::read(path)?
    } else {
        HEADING.to_owned() + BEGIN + "\n" + END + "\n"
    };
    let new = replace(&old, &report.render())
        .with_context(|| format!("`{}` lacks `{BEGIN}` or, after it, `{END}`", path.display()))?;
    file::write(path, &new)
}

fn replace(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))
}

fn line(series: &Series) -> [String; 5] {
    let Series { title, samples, bar } = series;
    let ratio = series.ratio();
    let verdict = bar.zip(series.is_met()).map(|(bar, is_met)| {
        let verdict = if is_met { "met" } else { "**missed**" };
        format!("{bar}, {verdict}")
    });
    [
        title.clone(),
        samples.ours.to_string(),
        samples.peer.to_string(),
        ratio.map_or_else(|| "–".to_owned(), number),
        verdict.unwrap_or_default(),
    ]
}

/// Renders a table whose columns line up in the source too.
fn table<const N: usize>(header: &[String; N], lines: impl Iterator<Item = [String; N]>) -> String {
    let lines: Vec<[String; N]> = [header.clone()].into_iter().chain(lines).collect();
    let widths: [usize; N] = std::array::from_fn(|column| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
    });
    let rule: [String; N] = std::array::from_fn(|column| "-".repeat(widths[column]));
    let render = |line: &[String; N]| {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!(" {cell:<width$} |"));
        format!("|{}\n", cells.collect::<String>())
    };
    let (header, body) = lines.split_first().expect("the header is a line");
    [header, &rule].into_iter().chain(body).map(render).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{pair::Pair, stats::Bar};

    fn series(title: &str, ours: &[f64], peer: &[f64], bar: Option<Bar>) -> Series {
        let sample = |values: &[f64]| Sample::new(values.to_vec()).unwrap();
        Series {
            title: title.to_owned(),
            samples: Pair { ours: sample(ours), peer: sample(peer) },
            bar,
        }
    }

    fn report() -> Report {
        let machine = Machine {
            cores: 2,
            model: "CPU".to_owned(),
            memory_gib: 4,
            kernel: "6.1".to_owned(),
            filesystem: "ext4".to_owned(),
            load: 0.1,
            peer: "docker-registry 2.8.2".to_owned(),
            date: "2026-01-02".to_owned(),
        };
        let series = vec![
            series("push", &[3.0, 4.0, 5.0], &[2.0], Some(Bar::AtLeast(1.4))),
            series("start", &[3.0], &[4.0], Some(Bar::AtMost(0.5))),
            series("fsync", &[3.0], &[0.0], None),
        ];
        let limits = vec![("loopback".to_owned(), Sample::new(vec![1500.0]).unwrap())];
        Report { command: "cargo xtask bench".to_owned(), machine, series, limits }
    }

    #[test]
    fn a_report_is_a_description_and_two_tables() {
        let expected = "\
- Command: `cargo xtask bench`
- Machine: 2 cores of CPU, 4 GiB of memory
- System: Linux 6.1, ext4; load before the run 0.1
- Peer: `docker-registry 2.8.2`
- Date: 2026-01-02
- Values: median (smallest–largest) of turns taken by both sides; 1 MB is 10⁶ bytes

| what  | ours             | peer | ours/peer | bar               |
| ----- | ---------------- | ---- | --------- | ----------------- |
| push  | 4.00 (3.00–5.00) | 2.00 | 2.00      | ≥ 1.4, met        |
| start | 3.00             | 4.00 | 0.75      | ≤ 0.5, **missed** |
| fsync | 3.00             | 0    | –         |                   |

| limit of the machine | measured |
| -------------------- | -------- |
| loopback             | 1500     |
";
        assert_eq!(report().render(), expected);
    }

    #[test]
    fn only_what_stands_between_the_markers_is_replaced() {
        let text = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let once = replace(&text, "new\n").unwrap();
        assert_eq!(once, format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"));
        assert_eq!(replace(&once, "new\n").unwrap(), once);
        assert_eq!(replace("no markers", "new"), None);
        assert_eq!(replace(&format!("{END} {BEGIN}"), "new"), None);
    }

    #[test]
    fn a_first_report_makes_the_file() {
        let path = std::env::temp_dir().join(format!("xtask-report-{}.md", std::process::id()));
        publish(&report(), &path).unwrap();
        let text = file::read(&path).unwrap();
        assert!(text.starts_with("# Benchmarks\n\n<!-- bench: begin -->\n\n- Command"), "{text}");
        std::fs::remove_file(&path).unwrap();
    }
}

//! One run: what it measures with, and the turns that the two sides take. Both servers of a row run all the time and an
//! idle one costs nothing, so that a turn meets the same machine whoever's it is.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

use super::{
    machine::Machine,
    options::{Options, Scale},
    pair::{Pair, Side},
    report::{self, Report},
    rows,
    servers::{Program, Server, Setup},
    stats::{Sample, Series, number},
};
use crate::{
    failure::Failure,
    packages,
    sys::{
        cargo::Step,
        file::{self, Scratch},
        process, program, terminal,
    },
};

const PEER: &str = "docker-registry";

/// What rows measure with, and what they leave for the report beside their own lines.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) scale: Scale,
    pub(crate) scratch: Scratch,
    pub(crate) programs: Pair<Program>,
    /// The most memory that a server of each side has held, in MB.
    peaks: Pair<f64>,
    pub(crate) limits: Vec<(String, Sample)>,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    packages::ensure(packages::BENCH, options.install)?;
    if options.rows.iter().any(|row| rows::WITH_BUCKET.contains(&row.name)) {
        packages::ensure_wheels(packages::BENCH_WHEELS, options.install)?;
    }
    let programs = programs(options)?;
    let parent = match &options.folder {
        Some(folder) => folder.clone(),
        None => file::target()?.join("xtask-bench"),
    };
    let scratch = Scratch::create(&parent)?;
    check_space(scratch.path(), options.scale)?;
    if process::is_root() && options.rows.iter().any(|row| row.name == rows::BY_OTHERS) {
        check_entry(scratch.path())?;
    }
    let machine = Machine::describe(scratch.path())?;
    let peaks = Pair::default();
    let mut bench = Bench { scale: options.scale, scratch, programs, peaks, limits: Vec::new() };
    let series = bench.measure(options)?;
    let report = Report { command: command(options), machine, series, limits: bench.limits };
    terminal::data(&report.render());
    if options.write {
        let path = file::workspace().join("BENCHMARKS.md");
        report::publish(&report, &path)?;
        terminal::talk(&format!("wrote `{}`", path.display()));
    }
    Ok(())
}

impl Bench {
    fn measure(&mut self, options: &Options) -> Result<Vec<Series>> {
        let mut series = Vec::new();
        for row in &options.rows {
            terminal::talk(&format!("{}:", row.name));
            let lines = (row.measure)(self)
                .with_context(|| format!("failed to measure row `{}`", row.name))?;
            series.extend(lines);
        }
        if self.peaks.ours > 0.0 && self.peaks.peer > 0.0 {
            let samples = Pair::make(|side| rows::single(*self.peaks.of(side)))?;
            let title = "most memory held over these rows (peak RSS), MB".to_owned();
            series.push(Series { title, samples, bar: Some(rows::PEAK_RSS) });
        }
        if options.calibrate {
            series.iter_mut().for_each(|line| line.bar = None);
        }
        Ok(series)
    }

    pub(crate) fn start(&self, side: Side, setup: Setup<'_>) -> Result<Server> {
        Server::start(side, self.programs.of(side), self.scratch.path(), setup)
    }

    /// Starts both registries, each with an empty folder.
    pub(crate) fn start_both(&self, setup: Setup<'_>) -> Result<Pair<Server>> {
        Pair::make(|side| self.start(side, setup))
    }

    /// Stops both registries of a row, remembers the memory they have held and returns it.
    pub(crate) fn retire(&mut self, servers: Pair<Server>) -> Result<Pair<f64>> {
        let mut held = Pair::default();
        for server in [servers.ours, servers.peer] {
            let peak = server.memory()?.peak;
            *held.of_mut(server.side) = peak;
            let most = self.peaks.of_mut(server.side);
            *most = most.max(peak);
            let pid = server.pid();
            server.stop(pid)?;
        }
        Ok(held)
    }

    /// Lets the sides measure in turns, each with all earlier writes on disk. Every turn yields the same `N` values.
    pub(crate) fn turns<const N: usize>(
        &self,
        measure: impl FnMut(Side) -> Result<[f64; N]>,
    ) -> Result<[Pair<Sample>; N]> {
        self.some_turns(self.scale.turns, measure)
    }

    /// Lets the sides measure in so many turns: fewer than usual, where one takes long.
    pub(crate) fn some_turns<const N: usize>(
        &self,
        turns: u32,
        mut measure: impl FnMut(Side) -> Result<[f64; N]>,
    ) -> Result<[Pair<Sample>; N]> {
        let mut values: [Pair<Vec<f64>>; N] = std::array::from_fn(|_| Pair::default());
        for turn in 1..=turns {
            let mut said = format!("  {turn}/{turns}");
            for side in Side::BOTH {
                program::output("sync", &[])?;
                let measured = measure(side).with_context(|| side.name())?;
                said.extend([format!("  {} {}", side.name(), measured.map(number).join(", "))]);
                for (value, column) in measured.into_iter().zip(&mut values) {
                    column.of_mut(side).push(value);
                }
            }
            terminal::talk(&said);
        }
        samples(values)
    }
}

fn samples<const N: usize>(values: [Pair<Vec<f64>>; N]) -> Result<[Pair<Sample>; N]> {
    let mut samples = Vec::with_capacity(N);
    for column in values {
        samples.push(Pair::make(|side| {
            Sample::new(column.of(side).clone()).context("a measurement is no number")
        })?);
    }
    Ok(samples.try_into().expect("there are as many samples as columns"))
}

fn programs(options: &Options) -> Result<Pair<Program>, Failure> {
    let file = program::find(PEER).with_context(|| format!("`{PEER}` is not on this machine"))?;
    let peer = Program { file, arguments: &[] };
    if options.calibrate {
        return Ok(Pair { ours: peer.clone(), peer });
    }
    let file = match &options.regctl {
        Some(file) => file.clone(),
        None => build()?,
    };
    Ok(Pair { ours: Program { file, arguments: &["registry"] }, peer })
}

fn build() -> Result<PathBuf, Failure> {
    let target = file::target()?;
    let folder = target.display().to_string();
    let build = ["build", "--release", "--locked", "--package", "regctl", "--bin", "regctl"];
    let arguments: Vec<&str> = build.into_iter().chain(["--target-dir", &folder]).collect();
    Step::new(&arguments).run()?;
    Ok(target.join("release/regctl"))
}

/// Two rows of pushes leave their blobs on disk until they end; a full disk would end the run in its middle.
/// Makes sure, before anything is measured, that the account of a web server can come to the folder.
fn check_entry(folder: &Path) -> Result<()> {
    let folder = folder.canonicalize().context("the folder of a run is there")?;
    for closed in folder.ancestors().skip(1) {
        let mode = fs::metadata(closed)
            .with_context(|| format!("failed to look at `{}`", closed.display()))?
            .permissions()
            .mode();
        ensure!(
            mode & 0o001 != 0,
            "row `{}` runs nginx as another user, who cannot enter `{}`: give another folder with --dir",
            rows::BY_OTHERS,
            closed.display()
        );
    }
    Ok(())
}

fn check_space(folder: &Path, scale: Scale) -> Result<()> {
    let path = folder.display().to_string();
    let text = program::output("df", &["-B1", "--output=avail", &path])?;
    let free: u64 =
        text.lines().last().unwrap_or_default().trim().parse().context("`df` said no number")?;
    let needed = scale.large_bytes * (2 * u64::from(scale.turns) + 2);
    ensure!(
        free > needed,
        "`{path}` has {} MB free, and a run needs {}: give another folder with --dir",
        number(rows::megabytes(free)),
        number(rows::megabytes(needed))
    );
    Ok(())
}

/// The command as a reader would repeat it; folders are each machine's own.
fn command(options: &Options) -> String {
    let flags = [
        (options.scale != Scale::FULL, " --quick"),
        (options.calibrate, " --calibrate"),
        (options.write, " --write"),
    ];
    let mut line = "cargo xtask bench".to_owned();
    line.extend(flags.iter().filter(|(given, _)| *given).map(|(_, flag)| *flag));
    if options.rows.len() < rows::ALL.len() {
        line.extend(options.rows.iter().flat_map(|row| [" ", row.name]));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_in_a_report_has_no_folders() {
        let line = ["--quick", "--dir", "/somewhere", "push"].map(str::to_owned);
        assert_eq!(command(&Options::parse(&line).unwrap()), "cargo xtask bench --quick push");
        assert_eq!(command(&Options::parse(&[]).unwrap()), "cargo xtask bench");
    }

    #[test]
    fn columns_become_samples_in_their_order() {
        let columns = [
            Pair { ours: vec![3.0, 1.0, 2.0], peer: vec![5.0] },
            Pair { ours: vec![8.0], peer: vec![9.0] },
        ];
        let [first, second] = samples(columns).unwrap();
        assert_eq!((first.ours.median(), first.peer.median()), (2.0, 5.0));
        assert_eq!((second.ours.median(), second.peer.median()), (8.0, 9.0));
        assert!(samples([Pair::<Vec<f64>>::default()]).is_err());
    }
}

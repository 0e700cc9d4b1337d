//! How far quotas are used, as a table.

use std::fmt;

use registry::quota::Fill;

use crate::output::{Table, bar, size};

/// A quota that is used so far is worth a line.
const NOTICE_PERCENT: u128 = 90;

/// Shows them, if there are any; what is wrong with a record stands below.
pub(super) fn table(fills: &[Fill], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if fills.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&["quota", "used", "limit", "full", ""]);
    for Fill { repositories, used, max_size, .. } in fills {
        let row = [
            repositories.clone(),
            size(*used),
            size(*max_size),
            percent(*used, *max_size),
            bar(*used, *max_size),
        ];
        table.row(&row);
    }
    write!(f, "{table}")?;
    for Fill { repositories, problem, .. } in fills {
        if let Some(problem) = problem {
            writeln!(f, "quota `{repositories}`: {problem}")?;
        }
    }
    Ok(())
}

/// What an administrator should know of one, a line each.
pub(super) fn lines(fill: &Fill) -> Vec<String> {
    let Fill { repositories, used, max_size, counted, problem } = fill;
    let mut lines = Vec::new();
    if u128::from(*used) * 100 >= u128::from(*max_size) * NOTICE_PERCENT {
        let (part, used, limit) = (percent(*used, *max_size), size(*used), size(*max_size));
        lines.push(format!("quota {repositories}: {part} full: {used} of {limit}"));
    }
    match (problem, counted) {
        (Some(problem), _) => lines.push(format!("quota {repositories}: {problem}")),
        (None, None) => lines.push(uncounted(repositories)),
        (None, Some(_)) => {}
    }
    lines
}

/// What an administrator has to do about one that is new.
pub(super) fn uncounted(repositories: &str) -> String {
    format!(
        "quota {repositories}: only what was pushed since it is there counts: run `regctl du` once"
    )
}

/// How much of the limit is used.
fn percent(used: u64, limit: u64) -> String {
    match u128::from(used) * 100 / u128::from(limit.max(1)) {
        percent if percent < 1000 && limit > 0 => format!("{percent} %"),
        _ => "over".to_owned(),
    }
}

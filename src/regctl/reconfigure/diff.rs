//! Unified diffs of rendered files, in which no secret shows.
//!
//! Lines are compared as they are, so that a changed secret is a change, and shown redacted: a new line as
//! its redacted rendering says it, an old one with every value masked whose key names a secret.

use std::fmt::Write as _;

use super::plan::{Access, Change, Kind, OldAccess};
use crate::{
    secret::{REDACTED, is_secret_header},
    sys::account,
};

/// Unchanged lines around a change.
const CONTEXT_LINES: usize = 3;

/// The most cells of the table of common lines; files beyond it are shown as replaced whole.
const CELLS_MAX: usize = 4 << 20;

/// Words in a key that make its value a secret.
const SECRET_WORDS: [&str; 9] = [
    "secret",
    "password",
    "passwd",
    "accesskey",
    "authorization",
    "token",
    "private",
    "sas",
    "accountkey",
];

/// One line of a comparison: an index into the old lines, the new ones, or both.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Line {
    Same(usize, usize),
    Old(usize),
    New(usize),
}

/// Returns what changes in a file, as `diff -u` writes it.
pub(crate) fn unified(change: &Change) -> String {
    let path = change.path.display();
    let (old, new, shown) = match &change.kind {
        Kind::Create { content, .. } => ("", content.text.as_str(), content.shown.as_str()),
        Kind::Replace { old, content, .. } => (old.as_str(), &*content.text, &*content.shown),
        Kind::Remove { old, .. } => (old.as_str(), "", ""),
        Kind::Access { old, access, .. } => {
            let [before, after] = accesses(*old, access);
            return format!("--- {path}{before}\n+++ {path}{after}\n");
        }
    };
    let name = |is_there: bool| if is_there { path.to_string() } else { "/dev/null".to_owned() };
    let (mut before, mut after) =
        (name(!matches!(change.kind, Kind::Create { .. })), name(!new.is_empty()));
    if let Kind::Replace { old_access, access, .. } = &change.kind {
        let accesses = accesses(*old_access, access);
        before.push_str(&accesses[0]);
        after.push_str(&accesses[1]);
    }
    let mut sides = Sides::new(old, new, shown);
    sides.hides_old = change.content().is_some_and(|(_, access)| access.mode & 0o077 == 0);
    format!("--- {before}\n+++ {after}\n{}", sides.hunks())
}

/// Returns what stands behind the two names of a file whose mode or owner changes.
pub(crate) fn accesses(old: OldAccess, new: &Access) -> [String; 2] {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    if old.mode != new.mode {
        before.push(format!("mode {:04o}", old.mode));
        after.push(format!("mode {:04o}", new.mode));
    }
    if let Some(owner) = new.owner.as_ref().filter(|owner| owner.ids() != Some(old.ids)) {
        let (uid, gid) = old.ids;
        before.push(format!("owner {}:{}", account::user_name(uid), account::group_name(gid)));
        after.push(format!("owner {owner}"));
    }
    [before, after].map(|words| match words.is_empty() {
        true => String::new(),
        false => format!(" ({})", words.join(", ")),
    })
}

/// Both versions by line: as compared, and as shown.
struct Sides<'a> {
    old: Vec<&'a str>,
    new: Vec<&'a str>,
    shown: Vec<&'a str>,
    /// Whether the old version is nobody's to see: that of a file which only its owner may read.
    hides_old: bool,
}

impl<'a> Sides<'a> {
    fn new(old: &'a str, new: &'a str, shown: &'a str) -> Self {
        Self { old: lines(old), new: lines(new), shown: lines(shown), hides_old: false }
    }

    fn hunks(&self) -> String {
        let compared = compare(&self.old, &self.new);
        let changes: Vec<_> = (0..compared.len())
            .filter(|index| !matches!(compared[*index], Line::Same(..)))
            .collect();
        let mut text = String::new();
        let mut rest = changes.as_slice();
        while let Some(first) = rest.first() {
            let near = |pair: &[usize]| pair[1] - pair[0] <= 2 * CONTEXT_LINES + 1;
            let together = 1 + rest.windows(2).take_while(|pair| near(pair)).count();
            let start = first.saturating_sub(CONTEXT_LINES);
            let end = (rest[together - 1] + 1 + CONTEXT_LINES).min(compared.len());
            text.push_str(&self.hunk(&compared, start, end));
            rest = &rest[together..];
        }
        text
    }

    fn hunk(&self, compared: &[Line], start: usize, end: usize) -> String {
        let count = |lines: &[Line], skip: fn(&Line) -> bool| {
            lines.iter().filter(|line| !skip(line)).count()
        };
        let is_old = |line: &Line| matches!(line, Line::Old(_));
        let is_new = |line: &Line| matches!(line, Line::New(_));
        let (before, inside) = (&compared[..start], &compared[start..end]);
        let mut text = format!(
            "@@ -{} +{} @@\n",
            range(count(before, is_new), count(inside, is_new)),
            range(count(before, is_old), count(inside, is_old)),
        );
        for line in inside {
            let (mark, line) = match *line {
                Line::Same(_, new) => (' ', self.new_line(new)),
                Line::Old(_) if self.hides_old => ('-', REDACTED.to_owned()),
                Line::Old(old) => ('-', masked(self.old[old])),
                Line::New(new) => ('+', self.new_line(new)),
            };
            writeln!(text, "{mark}{line}").expect("writing to a string cannot fail");
        }
        text
    }

    fn new_line(&self, index: usize) -> String {
        // Renderings of different length cannot be laid side by side: then nothing is known to be no secret.
        match self.shown.len() == self.new.len() {
            true => self.shown[index].to_owned(),
            false => REDACTED.to_owned(),
        }
    }
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

/// Writes the start of a hunk, from 1, or 0 for an empty one as `diff` has it, and its length.
fn range(before: usize, count: usize) -> String {
    match count {
        0 => format!("{before},0"),
        1 => (before + 1).to_string(),
        count => format!("{},{count}", before + 1),
    }
}

/// Masks the value of a line whose key names a secret.
fn masked(line: &str) -> String {
    if let Some(rest) = line.trim_start().strip_prefix("proxy_set_header ") {
        let name = rest.split_whitespace().next().unwrap_or_default();
        let start = line.len() - rest.len() + name.len();
        return match is_secret_header(name) {
            true => format!("{} {REDACTED}", &line[..start]),
            false => line.to_owned(),
        };
    }
    let Some(end) = line.find([':', '=']) else { return line.to_owned() };
    let name = line[..end].trim().trim_matches('"');
    let key = name.to_ascii_lowercase().replace(['_', '-'], "");
    let is_secret = is_secret_header(name) || SECRET_WORDS.iter().any(|word| key.contains(word));
    match is_secret && line.len() > end + 1 {
        true => format!("{} {REDACTED}", &line[..=end]),
        false => line.to_owned(),
    }
}

/// Compares two texts by their longest common lines.
fn compare(old: &[&str], new: &[&str]) -> Vec<Line> {
    let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old_rest, new_rest) = (&old[same..], &new[same..]);
    let tail = old_rest
        .iter()
        .rev()
        .zip(new_rest.iter().rev())
        .take_while(|(old, new)| old == new)
        .count();
    let old_middle = &old_rest[..old_rest.len() - tail];
    let new_middle = &new_rest[..new_rest.len() - tail];
    let mut compared: Vec<_> = (0..same).map(|index| Line::Same(index, index)).collect();
    compared.extend(compare_middle(old_middle, new_middle).into_iter().map(|line| match line {
        Line::Same(old, new) => Line::Same(old + same, new + same),
        Line::Old(old) => Line::Old(old + same),
        Line::New(new) => Line::New(new + same),
    }));
    let ends = (same + old_middle.len(), same + new_middle.len());
    compared.extend((0..tail).map(|index| Line::Same(ends.0 + index, ends.1 + index)));
    compared
}

fn compare_middle(old: &[&str], new: &[&str]) -> Vec<Line> {
    let width = new.len() + 1;
    if (old.len() + 1).saturating_mul(width) > CELLS_MAX {
        return (0..old.len()).map(Line::Old).chain((0..new.len()).map(Line::New)).collect();
    }
    // The most common lines of what follows each pair of places.
    let mut common = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i * width + j] = match old[i] == new[j] {
                true => common[(i + 1) * width + j + 1] + 1,
                false => common[(i + 1) * width + j].max(common[i * width + j + 1]),
            };
        }
    }
    let (mut i, mut j, mut compared) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            compared.push(Line::Same(i, j));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len()
            || i < old.len() && common[(i + 1) * width + j] >= common[i * width + j + 1]
        {
            compared.push(Line::Old(i));
            i += 1;
        } else {
            compared.push(Line::New(j));
            j += 1;
        }
    }
    compared
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Content;

    const ACCESS: Access = Access { mode: 0o640, owner: None };

    fn diff(old: &str, new: &str, shown: &str) -> String {
        let content = Content { text: new.to_owned(), shown: shown.to_owned() };
        let old_access = OldAccess { mode: 0o640, ids: (0, 0) };
        let kind = Kind::Replace { old: old.to_owned(), old_access, content, access: ACCESS };
        unified(&Change { path: "/f".into(), kind })
    }

    #[test]
    fn a_change_is_shown_with_three_lines_around_it() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n";
        let new = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n10\n11\n13\n14\n15\n";
        let expected = "--- /f\n+++ /f\n@@ -2,13 +2,13 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n 9\n 10\n 11\n-12\n 13\n 14\n+15\n";
        assert_eq!(diff(old, new, new), expected);
    }

    #[test]
    fn changes_far_apart_are_hunks_of_their_own() {
        let old: String = (0..40).map(|line| format!("{line}\n")).collect();
        let new = old.replace("\n5\n", "\nfive\n").replace("\n30\n", "\n");
        let text = diff(&old, &new, &new);
        assert_eq!(text.matches("@@ -").count(), 2, "{text}");
        assert!(
            text.contains("@@ -3,7 +3,7 @@\n") && text.contains("@@ -28,7 +28,6 @@\n"),
            "{text}"
        );
    }

    #[test]
    fn a_changed_secret_is_a_change_that_shows_neither_value() {
        let old = "http:\n  secret: \"before\"\n  addr: \"a\"\n";
        let new = "http:\n  secret: \"after\"\n  addr: \"b\"\n";
        let shown = "http:\n  secret: \"[redacted]\"\n  addr: \"b\"\n";
        let expected = "--- /f\n+++ /f\n@@ -1,3 +1,3 @@\n http:\n-  secret: [redacted]\n-  addr: \"a\"\n+  secret: \"[redacted]\"\n+  addr: \"b\"\n";
        assert_eq!(diff(old, new, shown), expected);
    }

    #[test]
    fn renderings_that_cannot_be_laid_side_by_side_show_nothing() {
        let text = diff("a\n", "hidden\nhidden too\n", "one line\n");
        assert!(!text.contains("hidden") && text.contains("+[redacted]\n"), "{text}");
    }

    #[test]
    fn a_new_file_is_a_diff_to_nothing() {
        let content = Content { text: "a\nb\n".to_owned(), shown: "a\nb\n".to_owned() };
        let change = Change { path: "/f".into(), kind: Kind::Create { content, access: ACCESS } };
        assert_eq!(unified(&change), "--- /dev/null\n+++ /f\n@@ -0,0 +1,2 @@\n+a\n+b\n");
    }
}

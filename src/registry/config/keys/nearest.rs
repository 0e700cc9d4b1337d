//! The nearest of some words: for hints.

/// The word that a person who wrote `written` probably meant; none when all are far.
pub(in crate::config) fn nearest<'a>(
    written: &str,
    words: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    /// Nobody misspells more than this, and the distance costs its square.
    const LONGEST: usize = 80;
    if written.len() > LONGEST {
        return None;
    }
    let written = written.to_ascii_lowercase();
    let allowed = (written.len() / 3).max(1);
    words
        .into_iter()
        .map(|word| (distance(&written, &word.to_ascii_lowercase()), word))
        .filter(|(distance, word)| *distance <= allowed && *distance < word.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// How many characters must be inserted, removed, replaced or swapped with their neighbour.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut rows = vec![(0..=right.len()).collect::<Vec<usize>>()];
    for i in 1..=left.len() {
        let mut row = vec![i];
        for j in 1..=right.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            let swapped =
                i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
            if swapped {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_word_is_within_a_third() {
        let words = ["rootdirectory", "maxthreads", "addr"];
        for (written, meant) in [
            ("rootdir", None),
            ("rootdirectroy", Some("rootdirectory")),
            ("root_directory", Some("rootdirectory")),
            ("maxThreads", Some("maxthreads")),
            ("adr", Some("addr")),
            ("zzzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, words), meant, "{written}");
        }
    }
}

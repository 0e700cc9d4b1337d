//! Counting: what all links of a quota's repositories are, found by whoever has read them all, takes the place of the record.
//!
//! It begins with a mark in the record. What is linked from then on is written down after the mark, whether or not it was
//! counted before; so what the survey may have missed is added to what it has seen.

use std::{
    collections::{HashMap, HashSet},
    fs, io,
    time::{SystemTime, UNIX_EPOCH},
};

use oci::Digest;
use uuid::Uuid;

use super::{
    Fill,
    book::{Book, MOST},
    entry::{Entry, Head, Id, Key},
    record::{self, Record},
};
use crate::config::{Quota, Quotas};

/// A count of all quotas that has begun.
#[derive(Debug, Default)]
pub struct Count {
    marked: Vec<Marked>,
}

#[derive(Debug)]
struct Marked {
    quota: Quota,
    record: Record,
    run: u64,
    key: Option<Key>,
    sizes: HashMap<Id, u64>,
    /// Why the record will not be replaced.
    problem: Option<String>,
}

impl Count {
    /// Begins: whatever is listed from now on is counted. A record that cannot be used is left as it is.
    #[must_use]
    pub fn begin(quotas: Option<&Quotas>) -> Self {
        let begin = |quotas: &Quotas| {
            quotas.limits.iter().map(|quota| Marked::begin(quotas, quota)).collect()
        };
        Self { marked: quotas.map(begin).unwrap_or_default() }
    }

    /// Whether there is no quota.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.marked.is_empty()
    }

    /// Whether one of the quotas is for a repository.
    pub(crate) fn is_for(&self, repository: &str) -> bool {
        self.marked.iter().any(|marked| marked.quota.is_for(repository))
    }

    /// How many bytes a blob has, where a record says so.
    pub(crate) fn size(&self, digest: &Digest) -> Option<u64> {
        self.marked.iter().find_map(|marked| {
            let id = Id::of(marked.key?, digest);
            marked.sizes.get(&id).copied()
        })
    }

    /// Ends for this reason: the records stay as they were.
    #[must_use]
    pub fn give_up(mut self, reason: &str) -> Vec<Fill> {
        for marked in &mut self.marked {
            marked.problem.get_or_insert_with(|| format!("{reason}: its record stays as it was"));
        }
        self.end(false, |_| Vec::new())
    }

    /// Replaces the records by what is linked for each quota; not where links were missed.
    pub(crate) fn end(
        self,
        is_whole: bool,
        linked: impl Fn(&Quota) -> Vec<(Digest, u64)>,
    ) -> Vec<Fill> {
        let end = |marked: Marked| {
            let linked = linked(&marked.quota);
            marked.end(is_whole, &linked)
        };
        self.marked.into_iter().map(end).collect()
    }
}

impl Marked {
    fn begin(quotas: &Quotas, quota: &Quota) -> Self {
        let mut record = Record::of(&quotas.folder, quota);
        #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
        let run = Uuid::new_v4().as_u128() as u64;
        let path = record.path().to_owned();
        // It is the registry's to make.
        let is_there = fs::metadata(&quotas.folder).map(drop);
        let mark = |record: &mut Record| {
            record.with(|opened| {
                let sizes = opened.sizes()?;
                if opened.is_long() {
                    let (head, known) = (opened.head(), known(opened.book(), &sizes));
                    record::replace(&path, head, known.into_iter().chain([Entry::Mark { run }]))?;
                } else {
                    opened.append(Entry::Mark { run })?;
                }
                Ok((opened.head().key, sizes))
            })
        };
        let (key, sizes, problem) = match is_there.and_then(|()| mark(&mut record)) {
            Ok((key, sizes)) => (Some(key), sizes, None),
            Err(error) => (None, HashMap::new(), Some(problem(&record, &error))),
        };
        Self { quota: quota.clone(), record, run, key, sizes, problem }
    }

    fn end(mut self, is_whole: bool, linked: &[(Digest, u64)]) -> Fill {
        let total = linked.iter().map(|(_, bytes)| bytes).sum();
        let mut fill = Fill {
            repositories: self.quota.name(),
            max_size: self.quota.max_size,
            used: total,
            counted: None,
            problem: self.problem.take(),
        };
        if fill.problem.is_some() {
            return fill;
        }
        if !is_whole {
            let problem = "parts of the storage could not be listed: its record stays as it was";
            fill.problem = Some(problem.to_owned());
            return fill;
        }
        match self.replace(linked) {
            Ok(Some((used, counted))) => (fill.used, fill.counted) = (used, Some(counted)),
            Ok(None) => {
                let problem =
                    "somebody else has begun to count meanwhile: its record stays as it was";
                fill.problem = Some(problem.to_owned());
            }
            Err(error) => fill.problem = Some(problem(&self.record, &error)),
        }
        fill
    }

    /// None: the mark is gone.
    fn replace(&mut self, linked: &[(Digest, u64)]) -> io::Result<Option<(u64, u64)>> {
        let (path, run) = (self.record.path().to_owned(), self.run);
        self.record.with(|opened| {
            let Some(count) = opened.book().count().filter(|count| count.run == run) else {
                return Ok(None);
            };
            let key = opened.head().key;
            let mut entries = Vec::with_capacity(linked.len() + count.since.len());
            let mut ids = HashSet::with_capacity(linked.len());
            let seen = linked.iter().map(|(digest, bytes)| (Id::of(key, digest), *bytes));
            let since = count.since.iter().map(|(id, bytes)| (*id, *bytes));
            let (mut used, mut loose) = (0_u64, count.loose);
            // What was linked meanwhile may be seen without its bytes.
            for (id, bytes) in since.chain(seen) {
                if !ids.contains(&id) && ids.len() >= MOST {
                    loose = loose.saturating_add(bytes);
                } else if ids.insert(id) {
                    used = used.saturating_add(bytes);
                    entries.push(Entry::Add { id, bytes });
                }
            }
            entries.extend((loose > 0).then_some(Entry::Loose { bytes: loose }));
            let counted = now();
            record::replace(&path, Head { key, counted }, entries.into_iter())?;
            Ok(Some((used.saturating_add(loose), counted)))
        })
    }
}

/// The entries that make a book.
fn known(book: &Book, sizes: &HashMap<Id, u64>) -> Vec<Entry> {
    let known = sizes.iter().filter(|(id, _)| book.holds(**id));
    let (mut entries, mut sum) = (Vec::with_capacity(book.len() + 1), 0_u64);
    for (&id, &bytes) in known {
        sum = sum.saturating_add(bytes);
        entries.push(Entry::Add { id, bytes });
    }
    let loose = book.total().saturating_sub(sum);
    entries.extend((loose > 0).then_some(Entry::Loose { bytes: loose }));
    entries
}

fn problem(record: &Record, error: &io::Error) -> String {
    format!("its record {} cannot be used: {error}", record.path().display())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs().max(1))
}

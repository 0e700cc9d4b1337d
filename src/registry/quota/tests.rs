//! Records held against sets: whatever is pushed, given back and killed, and however often the file is opened again.

#![expect(clippy::disallowed_methods, reason = "what is damaged is written as it comes")]

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    thread,
};

use oci::{Algorithm, Digest};
use proptest::prelude::*;

use super::*;
use crate::{
    config::{Quota, Quotas as Settings},
    glob::Glob,
};

fn settings(folder: &Path, limits: &[(&str, u64)]) -> Settings {
    let quota = |(glob, max_size): &(&str, u64)| Quota {
        repositories: vec![Glob::parse(glob).unwrap()],
        max_size: *max_size,
    };
    Settings { folder: folder.to_owned(), limits: limits.iter().map(quota).collect() }
}

fn opened(settings: &Settings) -> Quotas {
    let quotas = Quotas::default();
    quotas.set(Some(settings));
    quotas
}

fn digest(number: u64) -> Digest {
    Digest::of(Algorithm::Sha256, &number.to_le_bytes())
}

fn reserve(quotas: &Quotas, name: &str, number: u64, bytes: u64) -> Result<Reserved, Refused> {
    quotas.of(name).reserve(&digest(number), bytes, Limit::Kept)
}

/// Pushes something that has room.
fn push(quotas: &Quotas, name: &str, number: u64, bytes: u64) {
    reserve(quotas, name, number, bytes).unwrap().settle();
}

fn used(quotas: &Quotas) -> Vec<u64> {
    quotas.fills().iter().map(|fill| fill.used).collect()
}

fn file(folder: &Path) -> PathBuf {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut records = paths.filter(|path| path.extension().is_some_and(|end| end == "quota"));
    let record = records.next().unwrap();
    assert_eq!(records.next(), None);
    record
}

#[test]
fn a_blob_counts_once_however_many_repositories_have_it() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), &[("group/**", 100), ("**", 150)]);
    let quotas = opened(&settings);
    push(&quotas, "group/a", 1, 60);
    push(&quotas, "group/b", 1, 60);
    push(&quotas, "other", 1, 60);
    assert_eq!(used(&quotas), [60, 60]);
    push(&quotas, "other", 2, 50);
    assert_eq!(used(&quotas), [60, 110]);
    // Both must have room: what one takes is given back where the other refuses.
    push(&quotas, "other", 3, 30);
    let refused = reserve(&quotas, "group/a", 4, 20).unwrap_err();
    let Refused::Full(full) = &refused else { panic!("{refused}") };
    let expected = Full { repositories: "**".to_owned(), max_size: 150, used: 140, asked: 20 };
    assert_eq!(*full, expected);
    let words = "the quota of `**` has no room: 140 B of 150 B are used, and this needs 20 B more";
    assert_eq!(refused.to_string(), words);
    assert_eq!(used(&quotas), [60, 140]);
    // To the last byte it has.
    push(&quotas, "group/a", 5, 10);
    assert!(reserve(&quotas, "group/a", 6, 1).is_err());
    push(&quotas, "group/a", 7, 0);
    push(&quotas, "elsewhere", 1, 60);
    assert_eq!(used(&opened(&settings)), [70, 150]);
}

#[test]
fn what_is_full_refuses_only_what_would_add() {
    let folder = tempfile::tempdir().unwrap();
    let quotas = opened(&settings(folder.path(), &[("**", 100)]));
    push(&quotas, "a", 1, 90);
    quotas.set(Some(&settings(folder.path(), &[("**", 50)])));
    push(&quotas, "b", 1, 90);
    assert!(reserve(&quotas, "b", 2, 1).is_err());
    quotas.of("b").reserve(&digest(2), 1, Limit::Passed).unwrap().settle();
    quotas.set(Some(&settings(folder.path(), &[("**", 92)])));
    push(&quotas, "b", 3, 1);
    assert_eq!(used(&quotas), [92]);
}

#[test]
fn of_two_at_once_one_has_room() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), &[("**", 1000)]);
    // Two processes over one file, too.
    let both = [opened(&settings), opened(&settings)];
    let taken: usize = thread::scope(|scope| {
        let one = |number: u64| {
            let quotas = &both[usize::from(number.is_multiple_of(2))];
            scope.spawn(move || match reserve(quotas, "a", number, 100) {
                Ok(reserved) => {
                    reserved.settle();
                    1
                }
                Err(_) => 0,
            })
        };
        let all: Vec<_> = (0..32).map(one).collect();
        all.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(taken, 10);
    assert_eq!([used(&both[0]), used(&both[1])], [[1000], [1000]]);
}

#[test]
fn what_is_not_linked_is_given_back_by_the_last_who_wanted_it() {
    let folder = tempfile::tempdir().unwrap();
    let quotas = opened(&settings(folder.path(), &[("**", 100)]));
    let (one, other) = (reserve(&quotas, "a", 1, 60), reserve(&quotas, "b", 1, 60));
    drop(one);
    assert_eq!(used(&quotas), [60]);
    drop(other);
    assert_eq!(used(&quotas), [0]);
    let (one, other) = (reserve(&quotas, "a", 1, 60), reserve(&quotas, "b", 1, 60));
    one.unwrap().settle();
    drop(other);
    assert_eq!(used(&quotas), [60]);
    drop(reserve(&quotas, "c", 1, 60));
    assert_eq!(used(&quotas), [60]);
}

#[test]
fn an_entry_that_is_not_whole_ends_the_file_and_one_in_the_middle_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), &[("**", 1000)]);
    let quotas = opened(&settings);
    (1..=3).for_each(|number| push(&quotas, "a", number, 10));
    let path = file(folder.path());
    let whole = fs::read(&path).unwrap();
    for cut in 1..entry::ENTRY_BYTES {
        fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let quotas = opened(&settings);
        assert_eq!(used(&quotas), [20], "{cut}");
        push(&quotas, "a", 3, 10);
        assert_eq!(used(&opened(&settings)), [30], "{cut}");
    }
    // Room that a crash left without its bytes.
    let mut torn = OpenOptions::new().append(true).open(&path).unwrap();
    torn.write_all(&[0; 3 * entry::ENTRY_BYTES]).unwrap();
    assert_eq!(used(&opened(&settings)), [30]);
    assert_eq!(fs::metadata(&path).unwrap().len(), whole.len() as u64);
    // It was counted, and is not any more.
    let fills = Count::begin(Some(&settings)).end(true, |_| vec![(digest(1), 10), (digest(2), 10)]);
    assert!(fills[0].counted.is_some());
    let mut damaged = fs::read(&path).unwrap();
    damaged[entry::HEAD_BYTES + 3] ^= 1;
    fs::write(&path, damaged).unwrap();
    let fills = opened(&settings).fills();
    assert_eq!((fills[0].used, fills[0].counted), (10, None));
    // Of a head that is not whole nothing is left.
    fs::write(&path, "regctl").unwrap();
    let fills = opened(&settings).fills();
    assert_eq!((fills[0].used, fills[0].counted), (0, None));
}

#[test]
fn a_record_that_cannot_be_used_refuses_pushes_until_it_can_be() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("quotas");
    fs::write(&place, "in the way").unwrap();
    let quotas = opened(&settings(&place, &[("**", 100)]));
    let refused = reserve(&quotas, "a", 1, 10).unwrap_err();
    assert!(matches!(refused, Refused::Record { .. }), "{refused}");
    assert!(quotas.fills()[0].problem.is_some());
    fs::remove_file(&place).unwrap();
    push(&quotas, "a", 1, 10);
    assert_eq!(used(&quotas), [10]);
}

#[test]
fn a_count_has_what_was_linked_meanwhile_whether_or_not_it_was_counted_before() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), &[("**", 1000)]);
    let quotas = opened(&settings);
    push(&quotas, "a", 1, 10);
    push(&quotas, "a", 2, 10);
    push(&quotas, "a", 9, 10);
    let early = reserve(&quotas, "a", 3, 10).unwrap();
    let count = Count::begin(Some(&settings));
    // The survey has looked at its repository by now, and sees none of these.
    push(&quotas, "b", 1, 10);
    early.settle();
    let late = reserve(&quotas, "a", 4, 10).unwrap();
    drop(reserve(&quotas, "a", 5, 10));
    let unseen = reserve(&quotas, "a", 6, 10).unwrap();
    let fills = count.end(true, |_| vec![(digest(2), 12), (digest(4), 0)]);
    let expected: u64 = [1, 3, 4, 6].map(|_| 10).iter().sum::<u64>() + 12;
    assert_eq!(fills[0].used, expected);
    late.settle();
    drop(unseen);
    assert_eq!(used(&quotas), [expected - 10]);
    assert_eq!(used(&opened(&settings)), [expected - 10]);
    assert!(quotas.fills()[0].counted.is_some());
}

#[test]
fn a_count_is_not_believed_that_missed_something_or_was_overtaken() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), &[("**", 1000)]);
    let quotas = opened(&settings);
    push(&quotas, "a", 1, 10);
    let none = |_: &Quota| Vec::new();
    for fills in [
        Count::begin(Some(&settings)).end(false, none),
        Count::begin(Some(&settings)).give_up("the storage failed"),
        {
            let overtaken = Count::begin(Some(&settings));
            let _ = Count::begin(Some(&settings));
            overtaken.end(true, none)
        },
        {
            let overtaken = Count::begin(Some(&settings));
            let _ = Count::begin(Some(&settings)).end(true, |_| vec![(digest(1), 10)]);
            overtaken.end(true, none)
        },
    ] {
        assert!(fills[0].problem.is_some(), "{fills:?}");
        assert_eq!(used(&quotas), [10]);
    }
    assert_eq!(Count::begin(Some(&settings)).end(true, none)[0].used, 0);
    assert_eq!(used(&quotas), [0]);
}

#[test]
fn who_counts_makes_no_folder_and_gives_the_record_to_its_owner() {
    use std::os::unix::fs::{MetadataExt as _, chown};

    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("quotas");
    let settings = settings(&place, &[("**", 1000)]);
    let none = |_: &Quota| Vec::new();
    let fills = Count::begin(Some(&settings)).end(true, none);
    assert!(fills[0].problem.is_some() && !place.exists(), "{fills:?}");
    opened(&settings);
    // Only root can give files away, and then the registry is somebody else.
    let is_root = fs::metadata(&place).unwrap().uid() == 0;
    if is_root {
        chown(&place, Some(65534), Some(65534)).unwrap();
    }
    let owner = fs::metadata(&place).unwrap().uid();
    assert_eq!(Count::begin(Some(&settings)).end(true, none)[0].problem, None);
    assert_eq!(fs::metadata(file(&place)).unwrap().uid(), owner);
    assert_eq!(fs::metadata(place.join("lock")).unwrap().uid(), owner);
}

#[test]
fn a_quota_that_is_no_more_leaves_no_record() {
    let folder = tempfile::tempdir().unwrap();
    let with = |limits: &[(&str, u64)]| settings(folder.path(), limits);
    let quotas = opened(&with(&[("a", 100), ("b", 100)]));
    push(&quotas, "a", 1, 10);
    push(&quotas, "b", 1, 10);
    let under_way = reserve(&quotas, "b", 2, 10).unwrap();
    quotas.set(Some(&with(&[("a", 100)])));
    under_way.settle();
    file(folder.path());
    assert_eq!(used(&opened(&with(&[("a", 100), ("b", 100)]))), [10, 0]);
    // Also of a process that is gone.
    assert_eq!(used(&opened(&with(&[("b", 100)]))), [0]);
    file(folder.path());
    quotas.set(None);
    assert!(quotas.of("a").is_empty());
    assert_eq!(used(&opened(&with(&[("a", 100)]))), [0]);
}

#[test]
fn marks_of_counts_that_were_killed_do_not_make_the_file_grow_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), &[("**", 1 << 40)]);
    let quotas = opened(&settings);
    push(&quotas, "a", 1, 10);
    let path = file(folder.path());
    // As if as many had begun.
    let head = fs::read(&path).unwrap();
    let entries = [&head[entry::HEAD_BYTES..]].concat().repeat(65_540);
    fs::write(&path, [&head[..entry::HEAD_BYTES], &entries].concat()).unwrap();
    assert_eq!(used(&quotas), [10]);
    let count = Count::begin(Some(&settings));
    assert_eq!(
        fs::metadata(&path).unwrap().len(),
        (entry::HEAD_BYTES + 2 * entry::ENTRY_BYTES) as u64
    );
    push(&quotas, "a", 2, 5);
    assert_eq!(used(&quotas), [15]);
    assert_eq!(count.end(true, |_| vec![(digest(1), 10)])[0].used, 15);
}

/// What can happen.
#[derive(Clone, Debug)]
enum Act {
    Push {
        number: u64,
        at: usize,
    },
    /// It is refused after all.
    Fail {
        number: u64,
        at: usize,
    },
    /// The process is killed between the record and the link.
    Lose {
        number: u64,
    },
    /// Another process opens it.
    Reopen,
    /// The process is killed while it writes.
    Tear(usize),
    BeginCount,
    EndCount,
}

fn act() -> impl Strategy<Value = Act> {
    let at = 0..2_usize;
    prop_oneof![
        8 => (0..24_u64, at.clone()).prop_map(|(number, at)| Act::Push { number, at }),
        2 => (0..24_u64, at).prop_map(|(number, at)| Act::Fail { number, at }),
        1 => (0..24_u64).prop_map(|number| Act::Lose { number }),
        2 => Just(Act::Reopen),
        1 => (1..entry::ENTRY_BYTES).prop_map(Act::Tear),
        1 => Just(Act::BeginCount),
        1 => Just(Act::EndCount),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// What counts is what was linked, and what was lost on the way until somebody counts; never less.
    #[test]
    fn the_sum_is_that_of_a_set(acts in proptest::collection::vec(act(), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), &[("**", 4000)]);
        let mut both = [opened(&settings), opened(&settings)];
        let bytes = |number: u64| number * 37 + 1;
        let (mut linked, mut counted) = (BTreeMap::new(), BTreeMap::new());
        let mut count: Option<(Count, BTreeMap<u64, u64>)> = None;
        for act in acts {
            let sum: u64 = counted.values().sum();
            match act {
                Act::Push { number, at } => {
                    let fits = counted.contains_key(&number) || sum + bytes(number) <= 4000;
                    let reserved = reserve(&both[at], "a", number, bytes(number));
                    prop_assert_eq!(reserved.is_ok(), fits, "{} at {}", number, sum);
                    if let Ok(reserved) = reserved {
                        reserved.settle();
                        linked.insert(number, bytes(number));
                        counted.insert(number, bytes(number));
                    }
                }
                Act::Fail { number, at } => {
                    drop(reserve(&both[at], "a", number, bytes(number)));
                    // What counts already may be linked by somebody else.
                    if let Some((_, seen)) = &mut count && counted.contains_key(&number) {
                        seen.insert(number, bytes(number));
                    }
                }
                Act::Lose { number } => {
                    if let Ok(reserved) = reserve(&both[0], "a", number, bytes(number)) {
                        std::mem::forget(reserved);
                        counted.insert(number, bytes(number));
                        both[0] = opened(&settings);
                        if let Some((_, seen)) = &mut count {
                            seen.insert(number, bytes(number));
                        }
                    }
                }
                Act::Reopen => both[1] = opened(&settings),
                Act::Tear(cut) => {
                    let mut file = OpenOptions::new().append(true).open(file(folder.path())).unwrap();
                    file.write_all(&vec![9; cut]).unwrap();
                }
                Act::BeginCount => count = Some((Count::begin(Some(&settings)), linked.clone())),
                Act::EndCount => if let Some((count, seen)) = count.take() {
                    let seen: HashMap<_, _> = seen.into_iter().collect();
                    let all = seen.iter().map(|(number, bytes)| (digest(*number), *bytes)).collect::<Vec<_>>();
                    let fills = count.end(true, |_| all.clone());
                    prop_assert_eq!(&fills[0].problem, &None);
                    counted.retain(|number, _| linked.contains_key(number) || seen.contains_key(number));
                }
            }
            let sum: u64 = counted.values().sum();
            prop_assert_eq!(used(&both[0]), [sum]);
            prop_assert_eq!(used(&both[1]), [sum]);
            prop_assert!(linked.values().sum::<u64>() <= sum);
        }
    }
}

//! Lists of tags that were read lately: a folder of ten thousand takes milliseconds to read, and no time to ask whether
//! it has changed.
//!
//! What is kept counts as long as the folder says that it changed last when it did then. So whoever changes it, this process
//! or an administrator by hand, is seen at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use oci::{RepositoryName, Tag};

/// A change that comes so soon after another may bear the same time; by then it does not.
const SETTLED: Duration = Duration::from_secs(1);

/// A shorter list is read as quickly as it is looked up.
const SHORTEST: usize = 64;

/// Tags that are kept at the most, over all repositories: about ten megabytes.
const TAGS: usize = 100_000;

/// The lists that are kept.
#[derive(Debug, Default)]
pub(super) struct Lists {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    lists: HashMap<RepositoryName, (SystemTime, Arc<[Tag]>)>,
    tags: usize,
}

impl Lists {
    /// The list of a folder that changed last at this time.
    pub(super) fn get(&self, name: &RepositoryName, changed: SystemTime) -> Option<Arc<[Tag]>> {
        let kept = self.lock();
        let (then, list) = kept.lists.get(name)?;
        (*then == changed).then(|| Arc::clone(list))
    }

    /// Keeps a list that was begun to be read at `begun`, if nothing can have changed unnoticed since `changed`.
    pub(super) fn keep(
        &self,
        name: &RepositoryName,
        changed: SystemTime,
        begun: SystemTime,
        list: &Arc<[Tag]>,
    ) {
        let is_settled = begun.duration_since(changed).is_ok_and(|age| age >= SETTLED);
        let mut kept = self.lock();
        kept.forget(name);
        if !is_settled || !(SHORTEST..=TAGS).contains(&list.len()) {
            return;
        }
        if kept.tags + list.len() > TAGS {
            *kept = Kept::default();
        }
        kept.tags += list.len();
        kept.lists.insert(name.clone(), (changed, Arc::clone(list)));
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn forget(&mut self, name: &RepositoryName) {
        if let Some((_, list)) = self.lists.remove(name) {
            self.tags -= list.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(len: usize) -> Arc<[Tag]> {
        (0..len).map(|number| format!("v{number}").parse().unwrap()).collect()
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_list_counts_until_its_folder_changes() {
        let (lists, name) = (Lists::default(), "group/app".parse().unwrap());
        lists.keep(&name, at(10), at(11), &list(100));
        assert_eq!(lists.get(&name, at(10)).map(|list| list.len()), Some(100));
        assert_eq!(lists.get(&name, at(11)), None);
        assert_eq!(lists.get(&"group/other".parse().unwrap(), at(10)), None);
        lists.keep(&name, at(20), at(30), &list(101));
        assert_eq!(lists.get(&name, at(20)).map(|list| list.len()), Some(101));
        assert_eq!(lists.lock().tags, 101);
    }

    #[test]
    fn a_folder_that_has_just_changed_is_read_again() {
        let (lists, name) = (Lists::default(), "app".parse().unwrap());
        lists.keep(&name, at(10), at(30), &list(100));
        for begun in [at(20), at(20) + SETTLED / 2, at(19)] {
            lists.keep(&name, at(20), begun, &list(100));
            assert_eq!(lists.get(&name, at(20)), None);
        }
        assert_eq!(lists.lock().tags, 0);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let lists = Lists::default();
        for number in 0..50 {
            let name = format!("app{number}").parse().unwrap();
            lists.keep(&name, at(10), at(20), &list(9_999));
            assert!(lists.get(&name, at(10)).is_some());
            assert!(lists.lock().tags <= TAGS);
        }
        let name = "app".parse().unwrap();
        lists.keep(&name, at(10), at(20), &list(TAGS + 1));
        lists.keep(&name, at(10), at(20), &list(SHORTEST - 1));
        assert_eq!(lists.get(&name, at(10)), None);
    }
}

//! What manifests that are to go lead to: beside a registry some of them stay, and then that stays, too.

use std::collections::{HashMap, HashSet};

use oci::Digest;
use storage::Item;

use super::{
    plan::{Plan, Step},
    references::{Manifest, References},
    snapshot::Snapshot,
};

/// What each manifest that a plan removes leads to: what it refers to, and what refers to it as its subject.
#[derive(Debug, Default)]
pub(crate) struct Leads {
    of: HashMap<Digest, Lead>,
}

#[derive(Debug, Default)]
struct Lead {
    referred: Vec<Digest>,
    referrers: Vec<Digest>,
}

impl Leads {
    pub(crate) fn of(plan: &Plan, snapshot: &Snapshot, references: &References) -> Self {
        let mut leads = Self::default();
        let mut canonical = HashMap::new();
        for repository in &snapshot.repositories {
            // What links name under another digest stays with that one.
            for &(own, target) in &repository.aliases {
                leads.lead(snapshot.digests.digest(own), snapshot.digests.digest(target));
            }
            for revision in repository.revisions.iter().filter(|it| it.canonical() != it.id) {
                canonical.insert(revision.id, revision.canonical());
            }
        }
        let mut seen = HashSet::new();
        for item in plan.items(Step::Revisions) {
            let Item::Revision(_, digest) = item else { continue };
            // Of a manifest in several repositories once is enough.
            if !seen.insert(digest) {
                continue;
            }
            let Some(id) = snapshot.digests.find(&digest) else { continue };
            let id = canonical.get(&id).copied().unwrap_or(id);
            let Manifest::Refers { children, blobs, subject, .. } = references.of(id) else {
                continue;
            };
            let named = children.iter().chain(blobs);
            for named in named.chain([&id]) {
                leads.lead(digest, snapshot.digests.digest(*named));
            }
            if let Some(subject) = subject.map(|id| snapshot.digests.digest(id)) {
                leads.of.entry(subject).or_default().referrers.push(digest);
            }
        }
        leads
    }

    /// Whether nobody has asked: what is planned goes, or the sweep ends.
    pub(crate) fn are_unknown(&self) -> bool {
        self.of.is_empty()
    }

    fn lead(&mut self, from: Digest, to: Digest) {
        let referred = &mut self.of.entry(from).or_default().referred;
        if from != to {
            referred.push(to);
        }
    }

    /// Everything that can be reached from a manifest, itself included.
    pub(crate) fn closure(&self, digest: Digest) -> HashSet<Digest> {
        let (mut reached, mut waiting) = (HashSet::new(), vec![digest]);
        while let Some(digest) = waiting.pop() {
            if reached.insert(digest)
                && let Some(lead) = self.of.get(&digest)
            {
                waiting.extend(lead.referred.iter().chain(&lead.referrers));
            }
        }
        reached
    }

    /// Puts manifests in waves: none comes with or after what it leads to.
    ///
    /// A referrer that also refers to its subject in another way leads to it, and not the other way round.
    pub(crate) fn waves(&self, items: Vec<Item>) -> Vec<Vec<Item>> {
        let going: HashSet<Digest> = items.iter().filter_map(digest).collect();
        let mut waiting_for: HashMap<Digest, usize> = going.iter().map(|&it| (it, 0)).collect();
        for (_, next) in self.edges(&going) {
            waiting_for.entry(next).and_modify(|count| *count += 1);
        }
        let mut levels = HashMap::new();
        let mut wave: Vec<Digest> =
            waiting_for.iter().filter(|(_, count)| **count == 0).map(|(it, _)| *it).collect();
        let mut level = 0;
        while levels.len() < going.len() {
            if wave.is_empty() {
                // Nobody can make such a circle of hashes alone; with subjects it takes a strange artifact. They go together.
                wave = going.iter().filter(|it| !levels.contains_key(*it)).copied().collect();
            }
            levels.extend(wave.iter().map(|&digest| (digest, level)));
            let ended: HashSet<Digest> = wave.drain(..).collect();
            for (_, next) in self.edges(&ended) {
                let left = waiting_for.get_mut(&next);
                let Some(left) = left.filter(|left| **left > 0) else { continue };
                *left -= 1;
                if *left == 0 && !levels.contains_key(&next) {
                    wave.push(next);
                }
            }
            level += 1;
        }
        let mut waves: Vec<Vec<Item>> = (0..level).map(|_| Vec::new()).collect();
        for item in items {
            let level = digest(&item).and_then(|digest| levels.get(&digest)).copied();
            if let Some(wave) = waves.get_mut(level.unwrap_or(0)) {
                wave.push(item);
            }
        }
        waves
    }

    fn edges<'a>(
        &'a self,
        from: &'a HashSet<Digest>,
    ) -> impl Iterator<Item = (Digest, Digest)> + 'a {
        from.iter().flat_map(move |&digest| {
            let lead = self.of.get(&digest);
            let referred = lead.into_iter().flat_map(|lead| lead.referred.iter().copied());
            let referrers = lead.into_iter().flat_map(|lead| lead.referrers.iter().copied());
            let referrers = referrers.filter(move |it| !self.refers(*it, digest));
            referred.chain(referrers).map(move |next| (digest, next))
        })
    }

    fn refers(&self, from: Digest, to: Digest) -> bool {
        self.of.get(&from).is_some_and(|lead| lead.referred.contains(&to))
    }
}

/// The digest that an item is about; tags and repositories have none.
pub(crate) fn digest(item: &Item) -> Option<Digest> {
    match item {
        Item::TagIndex(_, _, digest)
        | Item::Revision(_, digest)
        | Item::Layer(_, digest)
        | Item::Blob(digest) => Some(*digest),
        Item::Tag(..) | Item::UploadStartedAt(..) | Item::Repository(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use oci::Algorithm;

    use super::*;

    fn digest_of(name: &str) -> Digest {
        Digest::of(Algorithm::Sha256, name.as_bytes())
    }

    fn leads(rows: &[(&str, &[&str], &[&str])]) -> Leads {
        let all = |names: &[&str]| names.iter().map(|name| digest_of(name)).collect();
        let lead = |(name, referred, referrers): &(&str, &[&str], &[&str])| {
            (digest_of(name), Lead { referred: all(referred), referrers: all(referrers) })
        };
        Leads { of: rows.iter().map(lead).collect() }
    }

    fn revisions(names: &[&str]) -> Vec<Item> {
        let item = |name: &&str| Item::Revision("app".parse().unwrap(), digest_of(name));
        names.iter().map(item).collect()
    }

    #[test]
    fn who_leads_to_others_comes_before_them() {
        let leads = leads(&[
            ("index", &["a", "b"], &["signature"]),
            ("a", &["layer"], &[]),
            ("b", &["layer"], &["signature of b"]),
            ("signature", &["layer"], &[]),
            ("signature of b", &[], &[]),
        ]);
        let items = revisions(&["signature", "b", "signature of b", "a", "index"]);
        let waves = leads.waves(items);
        let expected = [
            revisions(&["index"]),
            revisions(&["signature", "b", "a"]),
            revisions(&["signature of b"]),
        ];
        assert_eq!(waves, expected);
        let closure = leads.closure(digest_of("b"));
        let expected = ["b", "layer", "signature of b"].map(digest_of);
        assert_eq!(closure, expected.into_iter().collect());
    }

    #[test]
    fn a_referrer_that_lists_its_subject_leads_to_it() {
        let leads = leads(&[("subject", &[], &["list"]), ("list", &["subject"], &[])]);
        let waves = leads.waves(revisions(&["subject", "list"]));
        assert_eq!(waves, [revisions(&["list"]), revisions(&["subject"])]);
    }

    #[test]
    fn what_leads_in_a_circle_goes_together() {
        let leads = leads(&[("a", &["b"], &[]), ("b", &["c"], &[]), ("c", &["a"], &[])]);
        let waves = leads.waves(revisions(&["a", "b", "c"]));
        assert_eq!(waves, [revisions(&["a", "b", "c"])]);
    }
}

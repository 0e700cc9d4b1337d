//! `regctl registry garbage-collect` on folders where upstream's collector loses something or gives up, beside it.

mod folder;
mod report;
mod stopped;

use folder::{Folder, revision};
use oci::{Algorithm, Digest};

use crate::support::Peer;

/// What upstream's collector does to `app:v1`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Theirs {
    /// All of it can still be pulled.
    Keeps,
    /// It cannot.
    Loses,
    /// It ends with an error.
    GivesUp,
}

struct Case {
    name: &'static str,
    write: fn(&Folder),
    exit: i32,
    theirs: Theirs,
}

const CASES: [Case; 7] = [
    Case { name: "a tagged image", write: plain, exit: 0, theirs: Theirs::Keeps },
    Case { name: "a tagged index", write: index, exit: 0, theirs: Theirs::Loses },
    Case { name: "a repository without tags", write: no_tags, exit: 0, theirs: Theirs::GivesUp },
    Case { name: "a repository without layers", write: no_layers, exit: 0, theirs: Theirs::Keeps },
    Case {
        name: "an empty link",
        write: |folder| {
            plain(folder);
            let other = folder.image("other", "other");
            folder.tag("other", "v1", &other);
            folder.write(&revision("other", &other), b"");
        },
        exit: 5,
        theirs: Theirs::GivesUp,
    },
    Case {
        name: "a link that ends with a newline",
        write: |folder| {
            plain(folder);
            let other = folder.image("other", "other");
            folder.tag("other", "v1", &other);
            let text = format!("{other}\n");
            folder.write(&revision("other", &other), text.as_bytes());
        },
        exit: 5,
        theirs: Theirs::GivesUp,
    },
    Case {
        name: "a child that was deleted under a tagged index",
        write: deleted_child,
        exit: 0,
        theirs: Theirs::Loses,
    },
];

/// A tagged image, and one that its tag has left.
fn plain(folder: &Folder) {
    let (old, new) = (folder.image("app", "old"), folder.image("app", "new"));
    folder.tag("app", "v1", &old);
    folder.tag("app", "v1", &new);
}

fn index(folder: &Folder) {
    let children = [folder.image("app", "one"), folder.image("app", "two")];
    let index = folder.index("app", &children);
    folder.tag("app", "v1", &index);
    folder.image("app", "old");
}

fn no_tags(folder: &Folder) {
    plain(folder);
    folder.image("by-digest", "nobody tagged");
}

fn no_layers(folder: &Folder) {
    plain(folder);
    let digest = folder.image("bare", "bare");
    folder.tag("bare", "v1", &digest);
    folder.remove("repositories/bare/_layers");
}

fn deleted_child(folder: &Folder) {
    index(folder);
    let child = folder.image("app", "one");
    folder.remove(&revision("app", &child));
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn what_a_tag_leads_to_survives_where_upstream_loses_it_or_gives_up() {
    for Case { name, write, exit, theirs } in CASES {
        let ours = Folder::with(write);
        // Of a deleted child, the manifest itself cannot be pulled before either.
        let before = ours.missing("app", "v1");
        let ran = ours.collect(&["-m"]);
        assert_eq!(ran.exit, exit, "{name}: {ran:?}");
        assert_eq!(ours.missing("app", "v1"), before, "{name}");
        // The next one has nothing left to do.
        let left = ours.files();
        assert_eq!(ours.collect(&["-m"]).exit, exit, "{name}");
        assert_eq!(ours.files(), left, "{name}");

        let folder = Folder::with(write);
        let output = Peer::garbage_collect(&folder.storage(), &["-m"]);
        let what = match (output.status.success(), has_layers(&folder)) {
            (false, _) => Theirs::GivesUp,
            (true, true) => Theirs::Keeps,
            (true, false) => Theirs::Loses,
        };
        assert_eq!(what, theirs, "{name}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(has_layers(&ours), "{name}");
    }
}

/// Whether the layers of `app:v1` are there: it is an image, or an index of two.
fn has_layers(folder: &Folder) -> bool {
    let files = folder.files();
    let has = |name: &str| {
        let hex = Digest::of(Algorithm::Sha256, format!("layer of {name}").as_bytes()).to_hex();
        files.contains(&format!("blobs/sha256/{}/{hex}/data", &hex[..2]))
    };
    has("new") || has("one") && has("two")
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn a_child_that_another_repository_holds_keeps_its_layers_and_links_do_not_depend_on_the_order() {
    for (first, second) in [("aa", "zz"), ("zz", "aa")] {
        let folder = Folder::new();
        let child = folder.image(second, "child");
        let there = folder.index(second, &[child]);
        folder.tag(second, "v1", &there);
        let sparse = folder.index(first, &[child]);
        folder.tag(first, "v1", &sparse);
        // The same image, untagged, elsewhere.
        folder.image("mm", "child");
        let ran = folder.collect(&["-m"]);
        assert_eq!(ran.exit, 0, "{ran:?}");
        assert_eq!(folder.missing(second, "v1"), [""; 0]);
        let layer = Digest::of(Algorithm::Sha256, b"layer of child");
        for repository in [second, "mm"] {
            assert!(folder.path(&folder::layer(repository, &layer)).exists(), "{repository}");
        }
        // An index leads to its children wherever they are.
        assert!(folder.path(&revision("mm", &child)).exists());
    }
}

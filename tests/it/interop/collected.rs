//! The peer's collector over our folder: it ends well, and no tag misses a byte afterwards.

use std::fs;

use oci::{Algorithm, Digest};

use super::{
    seen::{everything, names},
    states::{self, Open, TAGS, Writer},
    wire::{Wire, expect},
};
use crate::support::{Demo, Peer, Stopped};

/// Runs the peer's collector, which must end well and complain of nothing.
pub(super) fn collect(stopped: &Stopped, flags: &[&str]) {
    let output = Peer::garbage_collect(&stopped.storage(), flags);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let complains = |line: &&str| {
        let line = line.to_lowercase();
        ["error", "fail", "panic", "warn"].iter().any(|word| line.contains(word))
    };
    assert_eq!(said.lines().filter(complains).collect::<Vec<_>>(), [""; 0], "{said}");
}

/// Puts what a killed process leaves into the folder that the peer does not know.
fn leave_a_stage(stopped: &Stopped) {
    let folder = stopped.storage().join("docker/registry/v2/regctl/left-by-a-killed-process");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("half a blob"), "of a process that was killed").unwrap();
}

/// Ends the session that stayed open.
fn finish(wire: &Wire, open: &Open) {
    let rest = b"second half";
    let whole = [open.received, rest].concat();
    let digest = Digest::of(Algorithm::Sha256, &whole);
    wire.commit(&open.location, &digest, rest);
    assert_eq!(wire.bytes(&format!("{}/blobs/{digest}", open.repository)), whole);
}

#[test]
#[ignore = "needs docker-registry and skopeo: run cargo xtask test"]
fn every_tag_and_every_digest_survives_a_collection() {
    let demo = Demo::start();
    let open = states::write(&Wire::from(&demo), Writer::Ours);
    let untagged = Wire::from(&demo).push_image("only/digest", "soon", b"without a tag soon");
    Wire::from(&demo).delete("only/digest", "soon");
    let before = everything(&Wire::from(&demo));
    let (stopped, _) = demo.stop();
    leave_a_stage(&stopped);
    collect(&stopped, &[]);
    let demo = stopped.start();
    let wire = Wire::from(&demo);
    assert_eq!(everything(&wire), before);
    wire.bytes(&format!("only/digest/manifests/{untagged}"));
    finish(&wire, &open);
}

#[test]
#[ignore = "needs docker-registry and skopeo: run cargo xtask test"]
fn every_tag_survives_a_collection_of_what_is_untagged() {
    let demo = Demo::start();
    let open = states::write(&Wire::from(&demo), Writer::Ours);
    states::tag_children(&Wire::from(&demo));
    let untagged = Wire::from(&demo).push_image("only/digest", "soon", b"without a tag soon");
    Wire::from(&demo).delete("only/digest", "soon");
    let before = everything(&Wire::from(&demo));
    assert_eq!(names(&before).len(), TAGS.len() + 4);
    let (stopped, _) = demo.stop();
    leave_a_stage(&stopped);
    collect(&stopped, &["-m"]);
    let demo = stopped.start();
    let wire = Wire::from(&demo);
    assert_eq!(everything(&wire), before);
    expect(404, wire.get(&format!("only/digest/manifests/{untagged}")));
    finish(&wire, &open);
}

#[test]
#[ignore = "needs docker-registry and skopeo: run cargo xtask test"]
fn a_folder_that_lost_everything_takes_it_again() {
    let demo = Demo::start();
    let wire = Wire::from(&demo);
    states::write(&wire, Writer::Ours);
    let before = everything(&wire);
    for (repository, images) in &before {
        for tag in images.keys() {
            wire.delete(repository, tag);
        }
    }
    let (stopped, _) = demo.stop();
    collect(&stopped, &["-m"]);
    let demo = stopped.start();
    let wire = Wire::from(&demo);
    assert_eq!(names(&everything(&wire)), [""; 0]);
    states::write(&wire, Writer::Ours);
    assert_eq!(everything(&wire), before);
    let (stopped, _) = demo.stop();
    assert_eq!(everything(&Wire::from(&Peer::start(&stopped.storage()))), before);
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn each_state_alone_is_collected_without_a_complaint() {
    type State = fn(&Wire);
    let states: [State; 5] = [
        |wire| {
            wire.push_blob("app", Algorithm::Sha256, b"of no manifest");
        },
        |wire| {
            wire.push_image("app", "v1", b"found by digest only");
            wire.delete("app", "v1");
        },
        |wire| {
            let digest = wire.push_image("app", "v1", b"its manifest is deleted");
            wire.delete("app", &digest.to_string());
        },
        |wire| {
            let manifest = wire.push_parts("app", Algorithm::Sha256, b"");
            wire.push_manifest("app", "v1", &manifest);
        },
        |wire| {
            wire.push_parts("app", Algorithm::Sha512, b"of no manifest");
        },
    ];
    for state in states {
        for flags in [&[][..], &["-m"]] {
            let demo = Demo::start();
            state(&Wire::from(&demo));
            let listed = Wire::from(&demo).repositories();
            let (stopped, _) = demo.stop();
            collect(&stopped, flags);
            let demo = stopped.start();
            assert_eq!(Wire::from(&demo).repositories(), listed);
        }
    }
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn a_folder_without_a_blob_is_refused_whoever_wrote_it() {
    let begin = |wire: &Wire| {
        wire.append(&wire.begin("app"), b"no more than this");
    };
    let theirs = Stopped::new();
    begin(&Wire::from(&Peer::start(&theirs.storage())));
    let demo = Demo::start();
    begin(&Wire::from(&demo));
    let (ours, _) = demo.stop();
    for stopped in [ours, theirs] {
        let output = Peer::garbage_collect(&stopped.storage(), &["-m"]);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("Path not found: /docker/registry/v2/blobs"), "{said}");
    }
}

#[test]
#[ignore = "needs docker-registry: run cargo xtask test"]
fn a_link_whose_blob_the_peer_collected_is_no_blob() {
    let demo = Demo::start();
    let bytes = b"of no manifest";
    let digest = Wire::from(&demo).push_blob("app", Algorithm::Sha256, bytes);
    let (stopped, _) = demo.stop();
    collect(&stopped, &[]);
    let demo = stopped.start();
    let wire = Wire::from(&demo);
    expect(404, wire.get(&format!("app/blobs/{digest}")));
    wire.push_blob("app", Algorithm::Sha256, bytes);
    assert_eq!(wire.bytes(&format!("app/blobs/{digest}")), bytes);
}

//! A layer of 1 GiB, in chunks to the registry and in one answer back.

use std::{
    fs::{self, File},
    io::{BufWriter, Read, Write as _},
    path::Path,
    process::Stdio,
};

use oci::{Algorithm, Digest, Digester};
use serde_json::json;

use super::skopeo;
use crate::support::{
    Demo, Layout,
    image::{finish, named, store},
    program,
};

pub(crate) const LAYER_BYTES: u64 = 1 << 30;
const BLOCK_BYTES: usize = 1 << 20;

/// Writes a layout with an image `large` that has one layer, and returns the layer's digest.
pub(crate) fn large_image(folder: &Path) -> Digest {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let layer = generate(&blobs.join("layer"));
    fs::rename(blobs.join("layer"), blobs.join(layer.to_hex())).unwrap();
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer.to_string()]},
    });
    let config =
        store(folder, "application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": layer.to_string(),
            "size": LAYER_BYTES,
        }],
    });
    let bytes = manifest.to_string();
    let manifest = store(folder, "application/vnd.oci.image.manifest.v1+json", bytes.as_bytes());
    finish(folder, &[named(manifest, "large")]);
    layer
}

/// Fills a file with the numbers of a xorshift generator, which nothing compresses.
fn generate(path: &Path) -> Digest {
    let mut file = BufWriter::with_capacity(BLOCK_BYTES, File::create(path).unwrap());
    let mut digester = Digester::new(Algorithm::Sha256);
    let (mut state, mut block) = (0x9E37_79B9_7F4A_7C15_u64, vec![0; BLOCK_BYTES]);
    for _ in 0..LAYER_BYTES / BLOCK_BYTES as u64 {
        for word in block.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        digester.update(&block);
        file.write_all(&block).unwrap();
    }
    file.flush().unwrap();
    digester.finish()
}

/// Reads to the end and returns the digest and the length.
pub(crate) fn digest_of(mut reader: impl Read) -> (Digest, u64) {
    let (mut digester, mut length) = (Digester::new(Algorithm::Sha256), 0);
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let read = reader.read(&mut block).unwrap();
        if read == 0 {
            return (digester.finish(), length);
        }
        digester.update(&block[..read]);
        length += read as u64;
    }
}

#[test]
#[ignore = "needs skopeo and curl: run cargo xtask test"]
fn a_layer_of_a_gibibyte_comes_back_with_its_digest() {
    let (demo, folder) = (Demo::start(), tempfile::tempdir().unwrap());
    let layer = large_image(folder.path());
    let image = Layout::at(folder.path().to_owned());
    let name = format!("docker://{}", demo.image("group/large:v1"));
    // Without the flag skopeo would compress the layer on its way.
    skopeo::copy(&["--preserve-digests"], &image.name("large"), &name);

    let pulled = tempfile::tempdir().unwrap();
    let directory = format!("dir:{}", pulled.path().display());
    skopeo::copy(&["--preserve-digests"], &name, &directory);
    let file = File::open(pulled.path().join(layer.to_hex())).unwrap();
    assert_eq!(digest_of(file), (layer, LAYER_BYTES));

    let url = format!("http://{}/blobs/{layer}", demo.image("v2/group/large"));
    let mut curl = program::program("curl", &["--silent", "--fail", "--max-time", "300", &url]);
    let mut child = curl.stdout(Stdio::piped()).spawn().unwrap();
    let received = digest_of(child.stdout.take().unwrap());
    assert_eq!((received, child.wait().unwrap().code()), ((layer, LAYER_BYTES), Some(0)));
}

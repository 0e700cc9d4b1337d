//! One repository, file by file, as Distribution leaves it.

use std::{
    fs::{self, File},
    io::Write as _,
    ops::AddAssign,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Shape;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// How many different layers a repository's images share.
const POOL: usize = 16;
/// A kibibyte of them.
const WORDS: u64 = 128;

/// What was written.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Written {
    pub(crate) blobs: u64,
    pub(crate) files: u64,
}

impl AddAssign for Written {
    fn add_assign(&mut self, other: Self) {
        self.blobs += other.blobs;
        self.files += other.files;
    }
}

struct Writer {
    top: PathBuf,
    repository: PathBuf,
    /// Where pseudo-random bytes go on.
    state: u64,
    written: Written,
}

/// Writes a repository of a shape; its content follows from its number.
pub(super) fn write(folder: &Path, shape: Shape, number: usize) -> Result<Written> {
    let top = folder.join("docker/registry/v2");
    let repository = top.join(format!("repositories/group{}/app{number}", number % 10));
    let state = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(number as u64 + 1) | 1;
    let mut writer = Writer { top, repository, state, written: Written::default() };
    let mut pool = Vec::new();
    for _ in 0..POOL {
        pool.push(writer.layer()?);
    }
    for tag in 0..shape.tagged {
        let image = writer.image(shape, &pool, tag)?;
        writer.tag(&format!("v{tag}"), &image)?;
    }
    for tag in 0..shape.indexes {
        let children = [writer.image(shape, &pool, tag)?, writer.image(shape, &pool, tag + 1)?];
        let children = children.map(|digest| descriptor(MANIFEST, &digest, 700));
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": children });
        let index = writer.manifest(&index)?;
        writer.tag(&format!("multi{tag}"), &index)?;
    }
    for tag in 0..shape.stale {
        let image = writer.image(shape, &pool, tag)?;
        // The tag has moved on; its history remembers.
        writer.history(&format!("v{}", tag % shape.tagged), &image)?;
    }
    Ok(writer.written)
}

impl Writer {
    fn image(&mut self, shape: Shape, pool: &[Value], index: usize) -> Result<String> {
        let own = shape.own_layers + usize::from(index.is_multiple_of(5));
        let mut layers: Vec<Value> =
            (0..shape.shared_layers).map(|at| pool[(index + at) % pool.len()].clone()).collect();
        for _ in 0..own {
            layers.push(self.layer()?);
        }
        let bytes = self.noise();
        let config = self.blob(&bytes)?;
        self.link(&format!("_layers/sha256/{config}/link"), &config)?;
        let config = descriptor(CONFIG, &config, bytes.len());
        let image = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
        self.manifest(&image)
    }

    fn layer(&mut self) -> Result<Value> {
        let bytes = self.noise();
        let digest = self.blob(&bytes)?;
        self.link(&format!("_layers/sha256/{digest}/link"), &digest)?;
        Ok(descriptor(LAYER, &digest, bytes.len()))
    }

    fn manifest(&mut self, document: &Value) -> Result<String> {
        let digest = self.blob(document.to_string().as_bytes())?;
        self.link(&format!("_manifests/revisions/sha256/{digest}/link"), &digest)?;
        Ok(digest)
    }

    fn tag(&mut self, tag: &str, digest: &str) -> Result<()> {
        self.history(tag, digest)?;
        self.link(&format!("_manifests/tags/{tag}/current/link"), digest)
    }

    fn history(&mut self, tag: &str, digest: &str) -> Result<()> {
        self.link(&format!("_manifests/tags/{tag}/index/sha256/{digest}/link"), digest)
    }

    /// 1 to 4 KiB that nobody has seen.
    fn noise(&mut self) -> Vec<u8> {
        let words = WORDS + self.next() % (3 * WORDS);
        (0..words).flat_map(|_| self.next().to_le_bytes()).collect()
    }

    /// Marsaglia's xorshift.
    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    fn blob(&mut self, bytes: &[u8]) -> Result<String> {
        let digest: String =
            Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let path = self.top.join(format!("blobs/sha256/{}/{digest}/data", &digest[..2]));
        self.written.blobs += 1;
        self.file(&path, bytes)?;
        Ok(digest)
    }

    fn link(&mut self, path: &str, digest: &str) -> Result<()> {
        self.file(&self.repository.join(path), format!("sha256:{digest}").as_bytes())
    }

    fn file(&mut self, path: &Path, bytes: &[u8]) -> Result<()> {
        let folder = path.parent().context("every file has a folder")?;
        fs::create_dir_all(folder)
            .with_context(|| format!("failed to make `{}`", folder.display()))?;
        let written = File::create(path).and_then(|mut file| file.write_all(bytes));
        written.with_context(|| format!("failed to write `{}`", path.display()))?;
        self.written.files += 1;
        Ok(())
    }
}

fn descriptor(media_type: &str, digest: &str, size: usize) -> Value {
    json!({ "mediaType": media_type, "digest": format!("sha256:{digest}"), "size": size })
}

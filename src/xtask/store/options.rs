//! The command line of `cargo xtask generate-store`.

use std::path::PathBuf;

use crate::failure::Failure;

/// What to write.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) folder: PathBuf,
    pub(crate) shape: Shape,
    pub(crate) repositories: usize,
}

/// What is in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Tags on images.
    pub(crate) tagged: usize,
    /// Tags on indexes of two images.
    pub(crate) indexes: usize,
    /// Images that no tag leads to any more.
    pub(crate) stale: usize,
    /// Layers of an image that no other one has; each fifth image has another one.
    pub(crate) own_layers: usize,
    /// Layers of an image that others of its repository have too.
    pub(crate) shared_layers: usize,
}

impl Shape {
    /// 100 tags, a tenth of them on indexes, 66 untagged manifests, 8 layers.
    pub(crate) const STANDARD: Self =
        Self { tagged: 90, indexes: 10, stale: 46, own_layers: 5, shared_layers: 3 };
    /// 1,000 tags and 1,000 stale manifests, 6,400 blobs.
    pub(crate) const WIDE: Self =
        Self { tagged: 1000, indexes: 0, stale: 1000, own_layers: 1, shared_layers: 3 };

    /// Repositories of this shape in the store that is measured.
    pub(crate) const fn usual(self) -> usize {
        if self.tagged < Self::WIDE.tagged { 100 } else { 1 }
    }
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let usage = |message: String| Failure::Usage(message);
        let (mut folder, mut shape, mut repositories) = (None, Shape::STANDARD, None);
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--wide" => shape = Shape::WIDE,
                "--repositories" => {
                    let count = words.next().and_then(|count| count.parse().ok());
                    let count = count.ok_or_else(|| usage(format!("`{word}` needs a number")))?;
                    repositories = Some(count);
                }
                option if option.starts_with('-') => {
                    return Err(usage(format!("no option `{option}`")));
                }
                path => folder = Some(PathBuf::from(path)),
            }
        }
        let folder = folder.ok_or_else(|| usage("generate-store needs a folder".to_owned()))?;
        Ok(Self { folder, shape, repositories: repositories.unwrap_or(shape.usual()) })
    }
}

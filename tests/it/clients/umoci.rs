//! umoci, which changes images in a layout: what skopeo brings it, and takes back.

use std::fs;

use super::{podman::Store, skopeo};
use crate::support::{Demo, Layout, program::run};

#[test]
#[ignore = "needs umoci, skopeo and podman: run cargo xtask test"]
fn an_image_that_umoci_has_changed_is_pushed_and_pulled() {
    let (demo, folder) = (Demo::start(), tempfile::tempdir().unwrap());
    let (from, to) = (demo.image("base:v1"), demo.image("changed:v1"));
    skopeo::copy(&[], &Layout::shared().name("amd64"), &format!("docker://{from}"));
    let layout = Layout::at(folder.path().join("layout"));
    skopeo::copy(&[], &format!("docker://{from}"), &layout.name("v1"));
    let image = format!("{}:v1", folder.path().join("layout").display());
    let bundle = folder.path().join("bundle");
    let bundle = bundle.to_str().unwrap();
    run("umoci", &["unpack", "--image", &image, bundle]);
    fs::write(format!("{bundle}/rootfs/added"), "content of the last layer").unwrap();
    run("umoci", &["repack", "--image", &image, bundle]);
    run("umoci", &["config", "--image", &image, "--config.label", "made=by hand"]);
    skopeo::copy(&[], &layout.name("v1"), &format!("docker://{to}"));
    let manifest = layout.document(&layout.digest("v1"));
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 5);
    assert_eq!(Store::new("podman").pull(&to), layout.config("v1").to_string());
}

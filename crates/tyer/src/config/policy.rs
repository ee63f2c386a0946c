//! The policies: a preset, or files.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tyer_core::policy::{Policies, Preset, Source};

use super::teams::Teams;
use super::{ConfigError, read};

/// The section as the file says it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPolicy {
    #[serde(default = "preset_default")]
    preset: String,
    #[serde(default)]
    files: Vec<PathBuf>,
}

impl Default for RawPolicy {
    fn default() -> Self {
        Self { preset: preset_default(), files: Vec::new() }
    }
}

fn preset_default() -> String {
    "ask".to_owned()
}

/// The policies of the section, which name none but these teams.
pub(super) fn load_policies(
    data: &Path,
    path: &Path,
    raw: &RawPolicy,
    teams: &Teams,
) -> Result<Policies, ConfigError> {
    if raw.files.is_empty() {
        let preset: Preset = raw.preset.parse().map_err(|_| ConfigError::Value {
            path: path.to_owned(),
            key: "policy.preset".to_owned(),
            message: format!("`{}` is not a preset; there are `ask` and `guarded`", raw.preset),
        })?;
        return Ok(Policies::preset(preset)?);
    }
    let mut sources = Vec::new();
    for file in &raw.files {
        let file = data.join(file);
        sources.push(Source { name: file.display().to_string(), text: read(&file)? });
    }
    let policies = Policies::load(&sources)?;
    policies.name_only(&teams.keys().cloned().collect())?;
    Ok(policies)
}

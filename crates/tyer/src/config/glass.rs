//! Whether one operator may let a held request through alone, and how often before others have looked at it.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tyer_core::assertion::attestation::Roots;
use tyer_core::limits::REVIEWS_MAX;

use super::ConfigError;

/// The name of the part.
pub(crate) const GLASS: &str = tyer_core::glass::PART;

/// The section as the file says it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGlass {
    /// Reviews of one human's that may be open when they break another glass.
    #[serde(default = "open_reviews")]
    open_reviews: u32,
}

fn open_reviews() -> u32 {
    2
}

impl RawGlass {
    /// How many reviews of one human's may be open. Without makers to trust nobody has a key that breaks glass.
    pub(super) fn load(&self, path: &Path, roots: &Roots) -> Result<u32, ConfigError> {
        let value = |key: &str, message: String| ConfigError::Value {
            path: path.to_owned(),
            key: key.to_owned(),
            message,
        };
        if roots.is_empty() {
            let message = "glass is broken by an attested hardware key only; name the makers whom you trust under \
                           [attestation]";
            return Err(value(GLASS, message.to_owned()));
        }
        if (1..=REVIEWS_MAX).contains(&self.open_reviews) {
            return Ok(self.open_reviews);
        }
        Err(value("break_glass.open_reviews", format!("from 1 to {REVIEWS_MAX}")))
    }
}

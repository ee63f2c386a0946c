//! What acts say of other resources.

use serde::{Deserialize, Serialize};

use super::Resource;

/// What an act says beyond its effect on its resource; what a request comes to with others depends on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tie {
    /// The resource is made as a whole copy of this one.
    CopyOf(Resource),
    /// The resource is called this from now on.
    Becomes(Resource),
    /// Only some of what the resource holds goes.
    Part,
    /// What is made has no name of its own yet: the resource's name, with `*` for what is not known, is any of its kind.
    Unnamed,
    /// The resource is all copies of this one that are kept with it, as automated backups are.
    CopiesOf(Resource),
}

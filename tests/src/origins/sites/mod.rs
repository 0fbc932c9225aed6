//! All the places that leak.

mod builds;
mod calls;
mod flow;
mod golang;
mod languages;
mod loaded;
mod stacks;

use super::site::Site;

/// Every site there is, whether this machine can make it or not.
pub fn all() -> Vec<Site> {
    let parts = [
        builds::sites(),
        calls::sites(),
        stacks::sites(),
        flow::sites(),
        loaded::sites(),
        languages::sites(),
        golang::sites(),
    ];
    parts.concat()
}

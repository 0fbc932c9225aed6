//! What the state of a socket says about who has to close it.

use std::{cmp::Reverse, collections::BTreeMap};

use super::languages;
use crate::model::{
    finding::{Finding, Verdict},
    link_target::connection,
    resource::Call,
};

/// Connections that must be seen before anything is said of all.
const ENOUGH: usize = 3;

/// The peer has closed, and this side has not.
pub(super) fn half_closed(finding: &Finding) -> Option<String> {
    let waiting = peers(finding, "CLOSE_WAIT");
    let samples = finding.samples.len();
    if waiting.is_empty() || waiting.len() * 2 < samples {
        return None;
    }
    let (peer, alone) = most_frequent(&waiting)?;
    let who = if alone {
        format!("{peer} has closed its end")
    } else {
        format!("{peer} and others have closed their ends")
    };
    let end = languages::end_of_input(finding);
    Some(format!(
        "{who}, this process has not: close the socket once {end}"
    ))
}

/// All that were looked at are connected. What came in is the clients' to end; what went out to one
/// peer is this process's.
pub(super) fn connected(finding: &Finding) -> Option<String> {
    let peers = peers(finding, "ESTABLISHED");
    let all = peers.len() == finding.samples.len() && peers.len() >= ENOUGH;
    if !all || finding.verdict != Verdict::Leak {
        return None;
    }
    if is_accepted(finding) {
        let advice = "the clients are still connected: close each when it is served, and the idle \
                      ones after a time";
        return Some(advice.to_owned());
    }
    let (peer, alone) = most_frequent(&peers)?;
    (alone && finding.calls == [Call::Socket]).then(|| {
        format!(
            "connections to {peer} pile up and stay connected: use them again, or close each after use"
        )
    })
}

/// Of the connections in this state. The port of who has connected to us is any, and says nothing.
fn peers(finding: &Finding, state: &str) -> Vec<String> {
    let accepted = is_accepted(finding);
    let targets = finding.samples.iter().filter_map(|it| it.target.as_deref());
    let found = targets
        .filter_map(connection)
        .filter(|(_, it)| *it == state);
    let named = found.map(|(peer, _)| match peer.rsplit_once(':') {
        Some((address, _)) if accepted => address.to_owned(),
        _ => peer.to_owned(),
    });
    named.collect()
}

fn is_accepted(finding: &Finding) -> bool {
    let accepts = |call: &Call| matches!(call, Call::Accept | Call::Accept4);
    finding.calls.iter().any(accepts)
}

/// And whether there is no other.
fn most_frequent(peers: &[String]) -> Option<(&str, bool)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for peer in peers {
        *counts.entry(peer).or_default() += 1;
    }
    let alone = counts.len() == 1;
    let most = counts
        .into_iter()
        .min_by_key(|(peer, count)| (Reverse(*count), *peer));
    most.map(|(peer, _)| (peer, alone))
}

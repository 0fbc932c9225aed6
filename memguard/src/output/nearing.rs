//! Sentences of counts that head for their limit, and of what was held before memguard attached.

use crate::{
    model::finding::{Finding, Limit},
    output::units::{bytes, duration},
};

/// `842 of 1024 descriptors (RLIMIT_NOFILE) in use, +10.0/s, full in 18 s; most from main (a.c:5):
/// 620; 202 held before memguard attached`.
pub(super) fn exhaustion(finding: &Finding) -> String {
    let parts = [
        Some(used(finding)),
        finding.sites.first().map(|site| {
            let place = site.place.as_deref().unwrap_or("an unknown place");
            let held = amount(
                finding,
                if size(finding) {
                    site.bytes
                } else {
                    site.count
                },
            );
            format!("most from {place}: {held}")
        }),
        (finding.hoarded > 0).then(|| format!("{} held before memguard attached", finding.hoarded)),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join("; ")
}

fn used(finding: &Finding) -> String {
    let Some(limit) = &finding.limit else {
        let count = finding.open_bytes.unwrap_or(finding.open_count);
        return format!("{}{} in use", amount(finding, count), noun(finding));
    };
    let Limit {
        name, value, used, ..
    } = *limit;
    let [used, value] = [used, value].map(|count| amount(finding, count));
    let pace = finding.growth.map_or_else(String::new, |growth| {
        let pace = growth.slope_per_second;
        if size(finding) {
            format!(", +{}/s", bytes(pace as u64))
        } else {
            format!(", {pace:+.1}/s")
        }
    });
    let full = match limit.exhausted_in {
        Some(left) if !left.is_zero() => format!(", full in {}", duration(left)),
        _ => String::new(),
    };
    format!(
        "{used} of {value}{} ({name}) in use{pace}{full}",
        noun(finding)
    )
}

fn size(finding: &Finding) -> bool {
    finding.kind.is_size()
}

fn amount(finding: &Finding, count: u64) -> String {
    if size(finding) {
        bytes(count)
    } else {
        count.to_string()
    }
}

/// Of bytes the unit says it.
fn noun(finding: &Finding) -> String {
    if size(finding) {
        String::new()
    } else {
        format!(" {}", finding.kind.noun(2))
    }
}

/// `202 × /etc/hostname, acquired before memguard attached`.
pub(super) fn hoard(finding: &Finding) -> String {
    let count = finding.open_count;
    let target = finding.samples.first().and_then(|it| it.target.as_deref());
    let what = target.unwrap_or_else(|| finding.kind.noun(count));
    format!("{count} × {what}, acquired before memguard attached")
}

/// ` (202 more of the same were held before memguard attached)`, where there were any.
pub(super) fn more_of_before(finding: &Finding) -> String {
    match finding.hoarded {
        0 => String::new(),
        before => format!(" ({before} more of the same were held before memguard attached)"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        model::{
            finding::{Growth, Handle, Sample, Site, Verdict},
            resource::Kind,
        },
        output::{sentence, testing},
    };

    fn filling(kind: Kind, value: u64, used: u64, pace: f64) -> Finding {
        Finding {
            verdict: Verdict::Exhaustion,
            kind,
            origin: None,
            growth: (pace > 0.0).then_some(Growth {
                slope_per_second: pace,
                window: Duration::from_secs(4),
                trend: None,
            }),
            limit: Some(Limit {
                name: "LIMIT",
                value,
                used,
                exhausted_in: Duration::try_from_secs_f64((value - used) as f64 / pace).ok(),
                uncertainty: None,
            }),
            sites: vec![Site {
                place: Some("main (a.c:5)".to_owned()),
                kind: Kind::File,
                bytes: 3 << 20,
                count: 620,
            }],
            ..testing::finding()
        }
    }

    fn check(finding: &Finding, expected: &str) {
        let sentence = sentence::finding(finding);
        assert_eq!(sentence.split_once(": ").unwrap().1, expected);
    }

    #[test]
    fn an_exhaustion_says_how_much_is_left_and_who_has_most() {
        let descriptors = filling(Kind::AllDescriptors, 1024, 842, 10.0);
        let with_more = Finding {
            hoarded: 202,
            ..descriptors
        };
        check(
            &with_more,
            "842 of 1024 descriptors (LIMIT) in use, +10.0/s, full in 18.2 s; \
             most from main (a.c:5): 620; 202 held before memguard attached",
        );
        check(
            &Finding {
                sites: Vec::new(),
                ..filling(Kind::AllThreads, 64, 64, 0.0)
            },
            "64 of 64 threads (LIMIT) in use",
        );
        check(
            &filling(Kind::AllMemory, 64 << 20, 32 << 20, 1048576.0),
            "32 MiB of 64 MiB (LIMIT) in use, +1 MiB/s, full in 32 s; \
             most from main (a.c:5): 3 MiB",
        );
    }

    #[test]
    fn a_hoard_says_of_what() {
        let sample = Sample {
            handle: Handle::Descriptor(9),
            acquired_at: None,
            age: None,
            call: None,
            target: Some("/etc/hostname".to_owned()),
        };
        let hoard = Finding {
            verdict: Verdict::Hoard,
            open_count: 202,
            samples: vec![sample],
            ..testing::finding()
        };
        check(
            &hoard,
            "202 × /etc/hostname, acquired before memguard attached",
        );
    }

    #[test]
    fn a_leak_says_how_many_of_the_same_there_were() {
        let leak = Finding {
            hoarded: 202,
            ..testing::finding()
        };
        let sentence = sentence::finding(&leak);
        let end = " (202 more of the same were held before memguard attached)";
        assert!(sentence.ends_with(end), "{sentence}");
    }
}

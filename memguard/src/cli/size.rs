//! Sizes as people type them.

/// A size as `512M` or `1.5G`, or in bytes; units are powers of 1024.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let invalid = || "write it like 512M or 2G".to_owned();
    let text = text.trim();
    let is_number = |character: char| character.is_ascii_digit() || character == '.';
    let digits = text.trim_end_matches(|character| !is_number(character));
    let unit = text.strip_prefix(digits).unwrap_or_default().trim_start();
    let shift = match unit.to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        _ => return Err(invalid()),
    };
    if !digits.chars().all(is_number) {
        return Err(invalid());
    }
    let number: f64 = digits.parse().ok().ok_or_else(invalid)?;
    let size = number * f64::from(shift).exp2();
    // Beyond 2^53 no float is a whole number of bytes any more.
    let whole = size.is_finite() && (1.0..9e15).contains(&size);
    whole.then_some(size as u64).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_unit_or_none() {
        for (text, expected) in [
            ("1", Some(1)),
            ("1b", Some(1)),
            ("512M", Some(512 << 20)),
            ("512mb", Some(512 << 20)),
            (" 2 GiB ", Some(2 << 30)),
            ("1.5K", Some(1536)),
            ("0.5k", Some(512)),
            ("1T", Some(1 << 40)),
            ("5I", None),
            ("5IB", None),
            ("1GIIBB", None),
            ("1BB", None),
            ("1KK", None),
            ("1KG", None),
            ("1P", None),
            ("1M2", None),
            ("M", None),
            ("", None),
            (".", None),
            ("1.2.3", None),
            ("1e3", None),
            ("inf", None),
            ("nan", None),
            ("-1M", None),
            ("+1M", None),
            ("0", None),
            ("0.1", None),
            ("9000T", None),
            ("\u{ff11}M", None),
        ] {
            assert_eq!(bytes(text).ok(), expected, "{text:?}");
        }
    }
}

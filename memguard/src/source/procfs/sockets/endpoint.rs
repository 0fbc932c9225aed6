//! Addresses as the files of sockets have them.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

/// Address and port, in 20 bytes instead of the 32 of [`SocketAddr`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    address: IpAddr,
    port: u16,
}

impl Endpoint {
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// `0100007F:1538`: the address as 32-bit words in the order of the machine, the port not.
    pub(super) fn parse(field: &str) -> Option<Self> {
        let (address, port) = field.split_once(':')?;
        Some(Self {
            address: parse_address(address)?,
            port: u16::from_str_radix(port, 16).ok()?,
        })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.address, self.port).fmt(f)
    }
}

fn parse_address(hex: &str) -> Option<IpAddr> {
    if hex.len() == 8 {
        return Some(IpAddr::from(word(hex)?));
    }
    let mut octets = [0; 16];
    if hex.len() != 2 * octets.len() {
        return None;
    }
    for (index, chunk) in octets.chunks_exact_mut(4).enumerate() {
        chunk.copy_from_slice(&word(hex.get(index * 8..index * 8 + 8)?)?);
    }
    Some(IpAddr::V6(Ipv6Addr::from(octets)))
}

/// The bytes of a word as they lie in memory, which is the order of the network.
fn word(hex: &str) -> Option<[u8; 4]> {
    u32::from_str_radix(hex, 16).ok().map(u32::to_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_small() {
        assert_eq!(size_of::<Endpoint>(), 20);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn addresses_are_words_of_the_machine() {
        for (field, expected) in [
            ("0100007F:1538", Some("127.0.0.1:5432")),
            ("00000000:0000", Some("0.0.0.0:0")),
            (
                "B80D0120000000000000000007000000:0050",
                Some("[2001:db8::7]:80"),
            ),
            (
                "0000000000000000FFFF00000400000A:A232",
                Some("[::ffff:10.0.0.4]:41522"),
            ),
            ("0100007F", None),
            ("0100007F:", None),
            ("0100007F:10000", None),
            ("100007F:0050", None),
            ("B80D01200000000000000000070000:0050", None),
            ("\u{20ac}\u{20ac}12:0050", None),
            (
                "\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}\u{20ac}12:0050",
                None,
            ),
        ] {
            let found = Endpoint::parse(field).map(|endpoint| endpoint.to_string());
            assert_eq!(found.as_deref(), expected, "{field}");
        }
    }
}

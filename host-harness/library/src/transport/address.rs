//! Judges addresses: a plugin's request may go to the public internet and nowhere else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRefused(pub &'static str);

/// Checks an address to which a name was resolved, or that is part of a URL.
///
/// # Errors
///
/// For every address that is not on the public internet, and for those that embed one that is not
/// (IPv4-mapped, IPv4-compatible, NAT64, 6to4, Teredo). `100::/64`, the discard prefix, is allowed:
/// it leads nowhere.
pub fn judge_address(address: IpAddr) -> Result<(), AddressRefused> {
    match address {
        IpAddr::V4(address) => judge_v4(address),
        IpAddr::V6(address) => judge_v6(address),
    }
}

/// Judges an address of an origin for which an operator has approved private addresses: those of
/// private networks (RFC 1918), shared networks (RFC 6598), and unique local addresses (RFC 4193).
///
/// # Errors
///
/// For every other address that [`judge_address`] refuses: loopback and link-local addresses, among
/// them those where clouds keep their metadata, stay out of reach.
pub fn judge_private_address(address: IpAddr) -> Result<(), AddressRefused> {
    let is_private = match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            let is_shared = a == 100 && (64..=127).contains(&b);
            // A metadata service here as well.
            address.is_private() || (is_shared && (b, c, d) != (100, 100, 200))
        }
        IpAddr::V6(address) => {
            // An address of a metadata service that clouds have put into this range.
            const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
            address.is_unique_local() && address != METADATA
        }
    };
    if is_private { Ok(()) } else { judge_address(address) }
}

fn judge_v4(address: Ipv4Addr) -> Result<(), AddressRefused> {
    let [a, b, c, _] = address.octets();
    let reason = match (a, b, c) {
        (0, ..) => "an address of this network (0.0.0.0/8)",
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => "a private address",
        (100, 64..=127, _) => "a shared address (100.64.0.0/10)",
        (127, ..) => "a loopback address",
        (169, 254, _) => "a link-local address, where clouds keep their metadata",
        (192, 0, 0) => "an address of IETF protocols (192.0.0.0/24)",
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => "an address for documentation",
        (192, 88, 99) => "a 6to4 relay address",
        (198, 18..=19, _) => "an address for benchmarks (198.18.0.0/15)",
        (224..=239, ..) => "a multicast address",
        (240..=255, ..) => "a reserved or broadcast address",
        _ => return Ok(()),
    };
    Err(AddressRefused(reason))
}

fn judge_v6(address: Ipv6Addr) -> Result<(), AddressRefused> {
    let s = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    let reason = match s {
        [0, 0, 0, 0, 0, 0, 0, 0] => "the unspecified address",
        [0, 0, 0, 0, 0, 0, 0, 1] => "a loopback address",
        // IPv4-compatible, IPv4-mapped, IPv4-translated, NAT64.
        [0, 0, 0, 0, 0, 0, high, low]
        | [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => return judge_v4(v4(high, low)),
        [0x64, 0xff9b, 1, ..] => "a local translation address (64:ff9b:1::/48)",
        // 6to4 embeds the IPv4 address after its prefix, Teredo the server's.
        [0x2002, high, low, ..] => return judge_v4(v4(high, low)),
        [0x2001, 0, ..] => "a Teredo address",
        [0x2001, 1..=0x1ff, ..] => "an address of IETF protocols (2001::/23)",
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => "an address for documentation",
        [0x5f00, ..] => "a segment routing address",
        [0xfc00..=0xfdff, ..] => "a unique local address",
        [0xfe80..=0xfebf, ..] => "a link-local address",
        [0xfec0..=0xfeff, ..] => "a site-local address",
        [0xff00..=0xffff, ..] => "a multicast address",
        _ => return Ok(()),
    };
    Err(AddressRefused(reason))
}

#[cfg(test)]
mod tests {
    use super::{judge_address, judge_private_address};

    #[test]
    fn approved_private_addresses_are_those_of_networks_and_no_others() {
        for allowed in ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd12::1", "1.1.1.1"]
        {
            assert!(judge_private_address(allowed.parse().unwrap()).is_ok(), "{allowed}");
        }
        for refused in [
            "127.0.0.1",
            "::1",
            "0.0.0.0",
            "169.254.169.254",
            "100.100.100.200",
            "fe80::1",
            "fd00:ec2::254",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "224.0.0.1",
        ] {
            assert!(judge_private_address(refused.parse().unwrap()).is_err(), "{refused}");
        }
    }

    #[test]
    fn only_the_public_internet_is_allowed() {
        for refused in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::",
            "2001:1::1",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "::ffff:0:127.0.0.1",
        ] {
            assert!(judge_address(refused.parse().unwrap()).is_err(), "{refused}");
        }
        for allowed in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.255.255",
            "2606:4700::1111",
            "64:ff9b::808:808",
            "100::1",
        ] {
            assert!(judge_address(allowed.parse().unwrap()).is_ok(), "{allowed}");
        }
    }
}

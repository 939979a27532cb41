//! Points on P-256 whose logarithm nobody knows: hashes (RFC 9380, P256_XMD:SHA-256_SSWU_RO_).

use p256::NistP256;
use p256::elliptic_curve::VoprfParameters;
use p256::elliptic_curve::hash2curve::{ExpandMsgXmd, GroupDigest};
use p256::elliptic_curve::sec1::ToEncodedPoint;

type Expand = ExpandMsgXmd<<NistP256 as VoprfParameters>::Hash>;

/// Keeps our points apart from those that others make of the same bytes (RFC 9380 §3.1).
const USE: &[u8] = b"countersign store 2 token slot with P256_XMD:SHA-256_SSWU_RO_";

/// The point of a slot, from its salt: uncompressed, as every token takes it.
pub(super) fn of_salt(salt: &[u8]) -> Vec<u8> {
    hash_to_curve(salt, USE)
}

fn hash_to_curve(message: &[u8], domain: &[u8]) -> Vec<u8> {
    let point = NistP256::hash_from_bytes::<Expand>(&[message], &[domain])
        // It fails for an empty domain, and for outputs longer than a hash function can be expanded to.
        .expect("neither depends on the message");
    // Not the point at infinity, but for one message among 2^256.
    point
        .to_affine()
        .to_encoded_point(false)
        .as_bytes()
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashing_follows_the_published_vectors() {
        // RFC 9380, appendix J.1.1
        let domain = b"QUUX-V01-CS02-with-P256_XMD:SHA-256_SSWU_RO_";
        for (message, x, y) in [
            (
                "",
                "2c15230b26dbc6fc9a37051158c95b79656e17a1a920b11394ca91c44247d3e4",
                "8a7a74985cc5c776cdfe4b1f19884970453912e9d31528c060be9ab5c43e8415",
            ),
            (
                "abc",
                "0bb8b87485551aa43ed54f009230450b492fead5f1cc91658775dac4a3388a0f",
                "5c41b3d0731a27a7b14bc0bf0ccded2d8751f83493404c84a88e71ffd424212e",
            ),
        ] {
            let point = hash_to_curve(message.as_bytes(), domain);
            assert_eq!(hex::encode(&point), format!("04{x}{y}"), "{message:?}");
        }
    }

    #[test]
    fn each_salt_has_a_point_of_its_own_which_stays_the_same() {
        assert_ne!(of_salt(&[1; 16]), of_salt(&[2; 16]));
        assert_ne!(of_salt(b"abc"), hash_to_curve(b"abc", b"another use"));
        // A slot opens for as long as this holds. The value is another implementation's.
        let (x, y) = (
            "95f38814e883b90c1ca3d8c268b9805675b823c0a5cb36e5c4b3b9ab348c47cd",
            "d17feebabbac171180db5522a95fb3559aeca698ad622694fee3923e1bbf4ee3",
        );
        assert_eq!(hex::encode(of_salt(&[7; 16])), format!("04{x}{y}"));
    }
}

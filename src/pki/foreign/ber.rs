//! BER made DER (X.690 §8 and §10): older Windows, macOS and NSS write PKCS#12 and PKCS#7 with indefinite lengths
//! and strings in pieces. Only the frames are written anew; primitive contents pass as they are.

use zeroize::Zeroizing;

use super::tlv::wrap;

/// Deeper than this is nothing that people have.
const DEEPEST: usize = 32;

const CONSTRUCTED: u8 = 0x20;
const OCTET_STRING: u8 = 0x04;

/// The same as DER; `None` for what is no BER either, or is followed by something.
pub(super) fn to_der(ber: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (der, rest) = element(ber, DEEPEST)?;
    rest.is_empty().then_some(der)
}

/// One element, and what follows it.
fn element(input: &[u8], depth: usize) -> Option<(Zeroizing<Vec<u8>>, &[u8])> {
    let (&identifier, rest) = input.split_first()?;
    // Numbers that need a second octet, and the end of contents where it ends nothing.
    if identifier & 0x1f == 0x1f || identifier == 0 {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    let constructed = identifier & CONSTRUCTED != 0;
    if first == 0x80 {
        if !constructed {
            return None;
        }
        let (parts, rest) = elements_until_end(rest, depth.checked_sub(1)?)?;
        return Some((assembled(identifier, &parts)?, rest));
    }
    let (length, rest) = if first & 0x80 == 0 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        (number(digits)?, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    if !constructed {
        return Some((wrap(identifier, &[content]), rest));
    }
    let (mut parts, mut inner) = (Vec::new(), content);
    while !inner.is_empty() {
        let (part, after) = element(inner, depth.checked_sub(1)?)?;
        parts.push(part);
        inner = after;
    }
    Some((assembled(identifier, &parts)?, rest))
}

type Parts<'a> = (Vec<Zeroizing<Vec<u8>>>, &'a [u8]);

fn elements_until_end(mut input: &[u8], depth: usize) -> Option<Parts<'_>> {
    let mut parts = Vec::new();
    loop {
        if let Some(rest) = input.strip_prefix(&[0, 0]) {
            return Some((parts, rest));
        }
        let (part, rest) = element(input, depth)?;
        parts.push(part);
        input = rest;
    }
}

/// Strings in pieces become whole ones.
fn assembled(identifier: u8, parts: &[Zeroizing<Vec<u8>>]) -> Option<Zeroizing<Vec<u8>>> {
    if identifier != OCTET_STRING | CONSTRUCTED {
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_slice()).collect();
        return Some(wrap(identifier, &parts));
    }
    let pieces: Option<Vec<&[u8]>> = parts
        .iter()
        .map(|part| {
            super::tlv::Element::only(part)
                .ok()
                .filter(|piece| piece.tag == der::Tag::OctetString)
                .map(|piece| piece.value)
        })
        .collect();
    Some(wrap(OCTET_STRING, &pieces?))
}

fn number(digits: &[u8]) -> Option<usize> {
    let digits = super::tlv::without_zeros(digits);
    if digits.len() > 4 {
        return None;
    }
    Some(
        digits
            .iter()
            .fold(0, |sum, digit| sum << 8 | usize::from(*digit)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indefinite_lengths_and_strings_in_pieces_come_out_as_der() {
        let ber = [
            0x30, 0x80, 0x24, 0x80, 0x04, 0x01, 0xaa, 0x04, 0x02, 0xbb, 0xcc, 0, 0, 0x02, 0x81, 1,
            5, 0, 0,
        ];
        let der = [0x30, 8, 0x04, 3, 0xaa, 0xbb, 0xcc, 0x02, 1, 5];
        assert_eq!(to_der(&ber).unwrap().as_slice(), der);
        assert_eq!(to_der(&der).unwrap().as_slice(), der);
    }

    #[test]
    fn what_is_cut_off_endless_or_too_deep_is_nothing() {
        for bad in [
            &[][..],
            &[0x30],
            &[0x30, 0x80],
            &[0x30, 0x80, 0x02, 1],
            &[0x04, 0x80, 0, 0],
            &[0x30, 0x85, 1, 0, 0, 0, 0],
            &[0x30, 0, 0],
            &[0x30, 0x80].repeat(10_000),
        ] {
            assert!(to_der(bad).is_none());
        }
    }
}

//! Which of the tokens that are there gets to see the PIN: exactly one, or none.

use super::{Pin, PinState, TokenFault, TokenName};

/// Chooses among the tokens that are there the one that opens a slot. `named` is the label that was asked for.
#[cfg_attr(not(any(feature = "pkcs11", test)), expect(dead_code))]
pub(super) fn that_opens<'a, T>(
    there: &'a [T],
    name: impl Fn(&T) -> &TokenName,
    wanted: &[&TokenName],
    named: Option<&str>,
) -> Result<&'a T, TokenFault> {
    let mut distinct: Vec<TokenName> = Vec::new();
    for token in wanted {
        if !distinct.iter().any(|known| known.is(token)) {
            distinct.push((*token).clone());
        }
    }
    let is_wanted = |token: &TokenName| distinct.iter().any(|wanted| wanted.is(token));
    let fitting: Vec<&T> = there
        .iter()
        .filter(|token| is_wanted(name(token)))
        .filter(|token| named.is_none_or(|label| &*name(token).label == label))
        .collect();
    match fitting[..] {
        [token] => Ok(token),
        [] if there.is_empty() => Err(TokenFault::Absent { wanted: distinct }),
        [] => Err(TokenFault::OtherToken {
            wanted: distinct,
            found: there.iter().map(|token| name(token).clone()).collect(),
        }),
        _ => Err(TokenFault::AmbiguousToken {
            tokens: fitting.iter().map(|token| name(token).clone()).collect(),
        }),
    }
}

/// Chooses a token for a new slot.
#[cfg_attr(not(any(feature = "pkcs11", test)), expect(dead_code))]
pub(super) fn for_new<'a, T>(
    there: &'a [T],
    name: impl Fn(&T) -> &TokenName,
    named: Option<&str>,
) -> Result<&'a T, TokenFault> {
    let fitting: Vec<&T> = there
        .iter()
        .filter(|token| named.is_none_or(|label| &*name(token).label == label))
        .collect();
    match fitting[..] {
        [token] => Ok(token),
        [] => Err(TokenFault::NoToken {
            label: named.map(str::to_owned),
        }),
        _ => Err(TokenFault::AmbiguousToken {
            tokens: fitting.iter().map(|token| name(token).clone()).collect(),
        }),
    }
}

/// Whether a PIN may be tried on a token in this state.
#[cfg_attr(not(any(feature = "pkcs11", test)), expect(dead_code))]
pub(super) fn may_try(token: &TokenName, state: PinState, pin: &Pin) -> Result<(), TokenFault> {
    let token = || token.clone();
    match state {
        _ if pin.is_empty() => Err(TokenFault::EmptyPin),
        PinState::Locked => Err(TokenFault::PinLocked { token: token() }),
        PinState::CountLow | PinState::FinalTry if !pin.typed => Err(TokenFault::PinSpared {
            token: token(),
            state,
        }),
        PinState::Calm | PinState::CountLow | PinState::FinalTry => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(label: &str, serial: &str) -> TokenName {
        TokenName {
            label: label.into(),
            maker: "A maker".into(),
            model: "One".into(),
            serial: serial.into(),
        }
    }

    fn opens<'a>(
        there: &'a [TokenName],
        wanted: &[&TokenName],
        named: Option<&str>,
    ) -> Result<&'a TokenName, TokenFault> {
        that_opens(there, |token| token, wanted, named)
    }

    #[test]
    fn a_token_is_known_by_its_serial_number_and_not_by_its_label() {
        let ours = token("ops", "1");
        let renamed = token("ops 2", "1");
        assert_eq!(
            opens(std::slice::from_ref(&renamed), &[&ours], None).unwrap(),
            &renamed
        );
        let lookalike = token("ops", "2");
        let refused = opens(&[lookalike], &[&ours], None).unwrap_err();
        assert!(
            matches!(refused, TokenFault::OtherToken { .. }),
            "{refused}"
        );
        let elsewhere = TokenName {
            maker: "Another maker".into(),
            ..ours.clone()
        };
        let refused = opens(&[elsewhere], &[&ours], None).unwrap_err();
        assert!(
            matches!(refused, TokenFault::OtherToken { .. }),
            "{refused}"
        );
        let refused = opens(&[], &[&ours], None).unwrap_err();
        assert!(matches!(refused, TokenFault::Absent { .. }), "{refused}");
    }

    #[test]
    fn of_two_tokens_that_open_the_store_none_sees_the_pin_until_one_is_named() {
        let there = [token("left", "1"), token("right", "2"), token("spare", "3")];
        let wanted = [&there[0], &there[0], &there[1]];
        let refused = opens(&there, &wanted, None).unwrap_err();
        assert!(
            matches!(&refused, TokenFault::AmbiguousToken { tokens } if tokens.len() == 2),
            "{refused}"
        );
        assert_eq!(opens(&there, &wanted, Some("right")).unwrap(), &there[1]);
        let refused = opens(&there, &wanted, Some("spare")).unwrap_err();
        assert!(
            matches!(&refused, TokenFault::OtherToken { wanted, .. } if wanted.len() == 2),
            "{refused}"
        );
    }

    #[test]
    fn a_new_slot_takes_the_only_token_or_the_one_that_is_named() {
        let there = [token("left", "1"), token("right", "2")];
        let new = |there, named| for_new(there, |token: &TokenName| token, named);
        assert_eq!(new(&there[..1], None).unwrap(), &there[0]);
        assert_eq!(new(&there, Some("right")).unwrap(), &there[1]);
        assert!(matches!(
            new(&there, None),
            Err(TokenFault::AmbiguousToken { .. })
        ));
        assert!(matches!(
            new(&there, Some("neither")),
            Err(TokenFault::NoToken { .. })
        ));
    }

    #[test]
    fn a_pin_that_nobody_typed_never_takes_a_try_from_a_token_that_had_a_wrong_one() {
        let token = token("ops", "1");
        let typed = Pin::typed("1234".to_owned().into());
        let stored = Pin::stored("1234".to_owned().into());
        for (state, by_person, by_file) in [
            (PinState::Calm, true, true),
            (PinState::CountLow, true, false),
            (PinState::FinalTry, true, false),
            (PinState::Locked, false, false),
        ] {
            assert_eq!(may_try(&token, state, &typed).is_ok(), by_person, "{state}");
            assert_eq!(may_try(&token, state, &stored).is_ok(), by_file, "{state}");
        }
        let nothing = Pin::typed(String::new().into());
        assert!(matches!(
            may_try(&token, PinState::Calm, &nothing),
            Err(TokenFault::EmptyPin)
        ));
    }
}

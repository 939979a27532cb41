//! The conversation with a token, through its maker's module.
//!
//! One at a time: a module is initialised once for a whole process. It stays loaded, since not every library
//! survives being unloaded, but it is initialised for each conversation anew and left after it: so it sees tokens
//! that came meanwhile, and nobody stays logged in.

use std::ffi::c_ulong;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::elliptic_curve::{EcKdf, Ecdh1DeriveParams};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use super::{
    Answer, Answers, Pin, PinState, Question, Token, TokenFault, TokenKey, TokenName, pick, point,
};

/// The DER of the object identifier of P-256 (RFC 5480 §2.1.1.1), as `CKA_EC_PARAMS` holds it.
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// An abscissa, in bytes.
const ABSCISSA: usize = 32;

/// The longest `CKA_ID` and label that are recorded, in bytes.
const LONGEST: usize = 255;

/// The module that is loaded; held by whoever speaks with it.
static MODULE: Mutex<Option<(PathBuf, Pkcs11)>> = Mutex::new(None);

/// A token that is there.
struct Present {
    slot: Slot,
    name: TokenName,
    state: PinState,
}

/// A private key that would do.
struct Found {
    handle: ObjectHandle,
    key: TokenKey,
}

/// Chooses a key for a new slot, and asks it.
pub(super) fn enroll(token: &Token, salt: &[u8]) -> Result<(TokenKey, Answer), TokenFault> {
    converse(&token.place.module, |module| {
        let there = present(module)?;
        let chosen = pick::for_new(&there, |there| &there.name, token.place.token.as_deref())?;
        let session = enter(module, chosen, &token.pin)?;
        let Found { handle, key } = choose(&session, chosen, token.place.key.as_deref())?;
        let answer = derive(&session, chosen, handle, salt)?;
        if *derive(&session, chosen, handle, salt)? != *answer {
            return Err(refused(
                &chosen.name,
                "be used",
                "its key gives another answer each time, and would open nothing",
            ));
        }
        Ok((key, answer))
    })
}

/// The key that would be chosen for a new slot.
pub(super) fn identify(token: &Token) -> Result<TokenKey, TokenFault> {
    converse(&token.place.module, |module| {
        let there = present(module)?;
        let chosen = pick::for_new(&there, |there| &there.name, token.place.token.as_deref())?;
        let session = enter(module, chosen, &token.pin)?;
        Ok(choose(&session, chosen, token.place.key.as_deref())?.key)
    })
}

/// Asks the token that opens one of these slots about all that are its.
pub(super) fn answers(token: &Token, questions: &[Question<'_>]) -> Result<Answers, TokenFault> {
    converse(&token.place.module, |module| {
        let there = present(module)?;
        let wanted: Vec<_> = questions.iter().map(|asked| &asked.key.token).collect();
        let named = token.place.token.as_deref();
        let chosen = pick::that_opens(&there, |there| &there.name, &wanted, named)?;
        let session = enter(module, chosen, &token.pin)?;
        let found = keys(&session, chosen)?;
        let mut by_slot = Vec::new();
        let mut otherwise = TokenFault::NoSlot;
        for Question { slot, key, salt } in questions {
            if !key.token.is(&chosen.name) {
                continue;
            }
            let key = (*key).clone();
            match found.iter().find(|found| found.key.is(&key)) {
                Some(Found { handle, .. }) => {
                    by_slot.push((*slot, derive(&session, chosen, *handle, salt)?));
                    otherwise = TokenFault::OtherKey { key };
                }
                None => otherwise = TokenFault::KeyGone { key },
            }
        }
        Ok(Answers { by_slot, otherwise })
    })
}

fn converse<T>(
    path: &Path,
    talk: impl FnOnce(&Pkcs11) -> Result<T, TokenFault>,
) -> Result<T, TokenFault> {
    // Whoever panicked in between has left at worst an initialised module, which is used as it is.
    let mut loaded = MODULE.lock().unwrap_or_else(PoisonError::into_inner);
    let unusable = |error: Error| TokenFault::ModuleUnusable {
        path: path.to_owned(),
        why: words(&error),
    };
    let module = match &*loaded {
        Some((known, module)) if known == path => module.clone(),
        _ => {
            inspect(path)?;
            let module = Pkcs11::new(path).map_err(unusable)?;
            *loaded = Some((path.to_owned(), module.clone()));
            module
        }
    };
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
        Err(error) => return Err(unusable(error)),
    }
    let said = talk(&module);
    // What it had to say has been said; what is left of the conversation goes with the next one at the latest.
    let _ = module.finalize();
    said
}

/// A module runs with our rights: who can change it can do what we can.
fn inspect(path: &Path) -> Result<(), TokenFault> {
    let unusable = |why: String| TokenFault::ModuleUnusable {
        path: path.to_owned(),
        why,
    };
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(TokenFault::ModuleMissing {
                path: path.to_owned(),
            });
        }
        Err(error) => return Err(unusable(error.to_string())),
    };
    if !found.is_file() {
        return Err(unusable("it is no file".to_owned()));
    }
    let (owner, mode) = (found.uid(), found.permissions().mode() & 0o7777);
    let trusted = owner == 0 || owner == rustix::process::geteuid().as_raw();
    if !trusted || mode & 0o022 != 0 {
        return Err(TokenFault::ExposedModule {
            path: path.to_owned(),
            owner,
            mode,
        });
    }
    Ok(())
}

/// The tokens that are there.
fn present(module: &Pkcs11) -> Result<Vec<Present>, TokenFault> {
    let failed = |error: Error| TokenFault::Refused {
        token: "(any)".to_owned(),
        doing: "be listed",
        why: words(&error),
    };
    let mut there = Vec::new();
    for slot in module.get_slots_with_token().map_err(failed)? {
        let info = match module.get_token_info(slot) {
            Ok(info) => info,
            // Pulled out just now, or something that this module does not know.
            Err(Error::Pkcs11(
                RvError::TokenNotPresent | RvError::TokenNotRecognized | RvError::DeviceRemoved,
                _,
            )) => continue,
            Err(error) => return Err(failed(error)),
        };
        if info.token_initialized() {
            let text = |text: &str| text.trim().into();
            there.push(Present {
                slot,
                state: state(&info),
                name: TokenName {
                    label: text(info.label()),
                    maker: text(info.manufacturer_id()),
                    model: text(info.model()),
                    serial: text(info.serial_number()),
                },
            });
        }
    }
    Ok(there)
}

fn state(info: &TokenInfo) -> PinState {
    if info.user_pin_locked() {
        PinState::Locked
    } else if info.user_pin_final_try() {
        PinState::FinalTry
    } else if info.user_pin_count_low() {
        PinState::CountLow
    } else {
        PinState::Calm
    }
}

/// Logs in; the PIN is tried once, if it may be tried at all.
fn enter(module: &Pkcs11, token: &Present, pin: &Pin) -> Result<Session, TokenFault> {
    pick::may_try(&token.name, token.state, pin)?;
    let failed = |error: Error| refused(&token.name, "be opened", &words(&error));
    let session = module.open_ro_session(token.slot).map_err(failed)?;
    let text = AuthPin::from(pin.text.as_str().to_owned());
    match session.login(UserType::User, Some(&text)) {
        Ok(()) => Ok(session),
        Err(Error::Pkcs11(
            RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
            _,
        )) => {
            let now = module.get_token_info(token.slot);
            Err(TokenFault::WrongPin {
                token: token.name.clone(),
                state: now.map_or(token.state, |info| state(&info)),
            })
        }
        Err(Error::Pkcs11(RvError::PinLocked, _)) => Err(TokenFault::PinLocked {
            token: token.name.clone(),
        }),
        Err(error) => Err(refused(&token.name, "be logged in to", &words(&error))),
    }
}

/// The key for a new slot: the only one that would do, or the one that is named.
fn choose(session: &Session, token: &Present, label: Option<&str>) -> Result<Found, TokenFault> {
    let mut fitting = keys(session, token)?;
    fitting.retain(|found| label.is_none_or(|label| &*found.key.label == label));
    if fitting.len() > 1 {
        return Err(TokenFault::AmbiguousKey {
            token: token.name.clone(),
            keys: fitting
                .iter()
                .map(|found| found.key.label.to_string())
                .collect(),
        });
    }
    fitting.pop().ok_or_else(|| TokenFault::NoKey {
        token: token.name.clone(),
        label: label.map(str::to_owned),
    })
}

/// The private keys on P-256 that may derive.
fn keys(session: &Session, token: &Present) -> Result<Vec<Found>, TokenFault> {
    let failed = |error: Error| refused(&token.name, "list its keys", &words(&error));
    let template = [
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::KeyType(KeyType::EC),
    ];
    let mut fitting = Vec::new();
    for handle in session.find_objects(&template).map_err(failed)? {
        let attributes = [
            AttributeType::EcParams,
            AttributeType::Derive,
            AttributeType::Id,
            AttributeType::Label,
        ];
        let (mut curve, mut derives) = (false, false);
        let (mut id, mut label) = (Vec::new(), Vec::new());
        for attribute in session
            .get_attributes(handle, &attributes)
            .map_err(failed)?
        {
            match attribute {
                Attribute::EcParams(params) => curve = params == P256,
                Attribute::Derive(may) => derives = may,
                Attribute::Id(bytes) => id = bytes,
                Attribute::Label(bytes) => label = bytes,
                _ => {}
            }
        }
        if curve && derives && id.len() <= LONGEST && label.len() <= LONGEST {
            let label = String::from_utf8_lossy(&label).into();
            let token = token.name.clone();
            fitting.push(Found {
                handle,
                key: TokenKey { token, label, id },
            });
        }
    }
    Ok(fitting)
}

/// What a key makes of the point of a salt.
fn derive(
    session: &Session,
    token: &Present,
    key: ObjectHandle,
    salt: &[u8],
) -> Result<Answer, TokenFault> {
    let failed = |error: Error| refused(&token.name, "derive with its key", &words(&error));
    let point = point::of_salt(salt);
    let template = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::GENERIC_SECRET),
        Attribute::ValueLen((ABSCISSA as c_ulong).into()),
        Attribute::Sensitive(false),
        Attribute::Extractable(true),
        Attribute::Token(false),
    ];
    let parameters = Ecdh1DeriveParams::new(EcKdf::null(), &point);
    let derived = session
        .derive_key(&Mechanism::Ecdh1Derive(parameters), key, &template)
        .map_err(failed)?;
    let value = session
        .get_attributes(derived, &[AttributeType::Value])
        .map_err(failed)?;
    let mut answer = Zeroizing::new(Vec::new());
    for attribute in value {
        if let Attribute::Value(value) = attribute {
            answer = Zeroizing::new(value);
        }
    }
    // It lives in the session, and ends with it.
    let _ = session.destroy_object(derived);
    if answer.len() == ABSCISSA {
        Ok(answer)
    } else {
        Err(refused(
            &token.name,
            "derive with its key",
            "it does not give out what it derived",
        ))
    }
}

fn refused(token: &TokenName, doing: &'static str, why: &str) -> TokenFault {
    TokenFault::Refused {
        token: token.to_string(),
        doing,
        why: why.to_owned(),
    }
}

/// An error in few words: the wrapper explains each return value in a paragraph.
fn words(error: &Error) -> String {
    match error {
        Error::Pkcs11(value, function) => format!("{function} answers {value:?}"),
        Error::LibraryLoading(error) => error.to_string(),
        error => error.to_string(),
    }
}

//! Whatever else stands there: what is needed, in general words.

use super::{
    order::{METHODS, Order},
    sheet::{Sheet, Tried},
};

pub(super) fn sheet(order: &Order<'_>) -> Sheet {
    let sheet = Sheet::new(Tried::Written).step(
        "Have a client certificate required and verified in the first handshake, for the whole listener.",
    );
    let sheet = if order.pinned() {
        sheet.step(
            "Where the gateway lists accepted certificates or fingerprints: add the new one, and keep the \
             present one.",
        )
    } else {
        sheet
    };
    let sheet = sheet.step(format!(
        "Where it keeps the authorities of clients: {}.",
        order.anchors_in_words()
    ));
    let sheet = if order.self_signed() {
        sheet
    } else {
        sheet.step(format!(
            "An authority certifies others too: admit only {}.",
            match order.pinned() {
                true => order.list(" and ", |c| format!("SHA-256 {}", c.fingerprint)),
                false => order.names().join(", "),
            }
        ))
    };
    sheet.step(format!(
        "Let {} through on {}, with bodies unchanged and no further authentication.",
        METHODS.join(", "),
        order.paths().join("** and ") + "**"
    ))
}

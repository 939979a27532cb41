//! What to install, at the partner's product: the same sheet that `gateway render` shows.

use super::{LetterFacts, page::Page};
use crate::{
    gateway::{Anchors, Order, Sheet, general_sheet, host_of, sheet},
    model::one_line,
};

/// The steps for the gateway on file.
pub(super) fn install(page: &mut Page, facts: &LetterFacts) {
    let sheet = sheet_of(facts);
    for (at, step) in sheet.steps.iter().enumerate() {
        page.item(&format!("{}.", at + 1), &step.what);
        if let Some(lines) = &step.lines {
            page.verbatim(lines);
        }
    }
    for limit in &sheet.limits {
        page.item("-", limit);
    }
    page.blank();
    page.prose(&sheet.rule);
    page.blank();
    page.prose(sheet.tried.in_words());
}

/// How long both generations stay trusted, if there are two.
pub(super) fn overlap(facts: &LetterFacts) -> Option<String> {
    sheet_of(facts).overlap
}

/// Where a name cannot be written into a configuration, the letter says in general words what is needed: it has to
/// be written all the same.
fn sheet_of(facts: &LetterFacts) -> Sheet {
    let (pem, authorities) = (facts.pem_name(), facts.authorities_name());
    let anchors = if facts.leaf.self_issued {
        Anchors::New { file: &pem }
    } else if facts.chain.len() > 1 {
        Anchors::New { file: &authorities }
    } else {
        Anchors::Theirs {
            issuer: &facts.leaf.issuer,
        }
    };
    let order = Order {
        product: facts.gateway,
        pin: facts.pin,
        host: host_of(&facts.endpoint),
        new: &facts.leaf,
        present: facts.previous.as_ref(),
        anchors,
        oauth: facts.oauth,
        until: facts.overlap.until,
    };
    sheet(&order).unwrap_or_else(|unfit| {
        let mut sheet = general_sheet(&order);
        sheet.limits.push(one_line(&unfit.to_string()));
        sheet
    })
}

//! Layer 1, pure: what a partner's gateway needs, in the words and the syntax of that product.
//!
//! Letters and `gateway render` show the same [`Sheet`]. Every sheet keeps to the same rules: both generations at
//! once; a whole listener, never a path, asks for the certificate; what an authority certifies is never enough
//! without a fingerprint or a name; the four methods on `/rest/`, and no authentication beyond the handshake. What a
//! product cannot do is said, and so is whether the text was ever loaded by that product.

mod apache;
mod apigee;
mod aws;
mod azure;
mod caddy;
mod cloudflare;
mod envoy;
mod f5;
mod haproxy;
mod iis;
mod istio;
mod kong;
mod nginx;
mod order;
mod other;
mod sheet;
mod spelling;
#[cfg(test)]
mod tests;
mod traefik;
mod words;

use order::METHODS;
pub use order::{Anchors, Order, Unfit, host_of};
pub use sheet::{Bundle, Sheet, Step, Tried};
pub use spelling::{Spelling, spelling};
pub use words::{Words, words};

use crate::model::GatewayProduct as Product;

/// The sheet for an order.
///
/// # Errors
///
/// [`Unfit`] when a name would have to be written into a configuration and is not one of the host names that
/// certificates bear (RFC 5280 §4.2.1.6, RFC 1034 §3.5), for it could say something else there; or when there is no
/// name, so that everybody of the authority would come in.
pub fn sheet(order: &Order<'_>) -> Result<Sheet, Unfit> {
    order.check()?;
    Ok(completed(order, configuration(order)))
}

/// What is needed in general words, which hold for every product and every certificate.
pub fn general_sheet(order: &Order<'_>) -> Sheet {
    completed(order, other::sheet(order))
}

/// How far what is said of a product has been tried.
pub const fn tried(product: Product) -> Tried {
    match product {
        Product::Apache
        | Product::Caddy
        | Product::Envoy
        | Product::Haproxy
        | Product::Nginx
        | Product::Traefik => Tried::Loaded,
        Product::ApigeeX | Product::AwsAlb | Product::AwsApiGateway | Product::Istio => {
            Tried::Checked
        }
        _ => Tried::Written,
    }
}

fn configuration(order: &Order<'_>) -> Sheet {
    match order.product {
        Product::Apache => apache::sheet(order),
        Product::ApigeeEdge => apigee::edge(order),
        Product::ApigeeX => apigee::x(order),
        Product::AwsAlb => aws::load_balancer(order),
        Product::AwsApiGateway => aws::api_gateway(order),
        Product::AzureApiManagement => azure::api_management(order),
        Product::AzureApplicationGateway => azure::application_gateway(order),
        Product::Caddy => caddy::sheet(order),
        Product::Cloudflare => cloudflare::sheet(order),
        Product::Envoy => envoy::sheet(order),
        Product::F5 => f5::sheet(order),
        Product::Haproxy => haproxy::sheet(order),
        Product::Iis => iis::sheet(order),
        Product::Istio => istio::sheet(order),
        Product::Kong => kong::sheet(order),
        Product::Nginx => nginx::sheet(order),
        Product::Other => other::sheet(order),
        Product::Traefik => traefik::sheet(order),
    }
}

/// What every sheet says.
fn completed(order: &Order<'_>, mut sheet: Sheet) -> Sheet {
    sheet.rule = format!(
        "Let {} through on {}{}, with bodies unchanged and no further authentication at the gateway. Ask for the \
         client certificate in the first handshake, for the whole listener, not for a path.",
        METHODS.join(", "),
        order.paths_in_words(),
        match order.oauth {
            true => "",
            false => " (OAuth 1.0a would need /plugins/servlet/oauth/** as well)",
        }
    );
    if !order.pinned() && sheet.bundle == Bundle::Authorities {
        sheet.rule += " As it admits by authority and name, a later certificate of the same authority and name is no \
                       work here.";
    }
    sheet.overlap = order.present.map(|_| match order.until {
        Some(until) => format!(
            "Both certificates stay trusted until {} at the longest: then the present one ends by itself. Do not \
             remove it before we write that it may go.",
            until.strftime("%Y-%m-%d %H:%M UTC")
        ),
        None => "Both certificates stay trusted until we write that the present one may go.".to_owned(),
    });
    sheet
}

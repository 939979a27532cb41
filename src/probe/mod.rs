//! Layer 2: asking the wire.
mod request;
pub use request::{ClientIdentity, ProbeLimits, ProbeRequest, Prober, TlsParity};

/// stub
pub struct TlsProber;
impl TlsProber {
    /// stub
    pub fn new(_: ProbeLimits) -> Self {
        Self
    }
}
impl Prober for TlsProber {
    async fn probe(&self, _: &ProbeRequest<'_>) -> crate::model::ProbeReport {
        unimplemented!()
    }
}

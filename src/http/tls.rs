//! HTTPS for clients.

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::server::Tls;

/// A certificate or key that cannot be used.
#[derive(Debug)]
pub struct TlsSetupError(String);

impl fmt::Display for TlsSetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsSetupError {}

/// Reads certificate and key. Offers HTTP/2 and HTTP/1.1.
///
/// # Errors
///
/// [`TlsSetupError`] with the file that is wrong.
pub fn acceptor(config: &Tls) -> Result<TlsAcceptor, TlsSetupError> {
    let fail = |file: &std::path::Path, error: &dyn fmt::Display| TlsSetupError(format!("{}: {error}", file.display()));
    let certificates = CertificateDer::pem_file_iter(&config.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| fail(&config.certificate, &error))?;
    let key = PrivateKeyDer::from_pem_file(&config.key).map_err(|error| fail(&config.key, &error))?;
    let mut tls = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| fail(&config.certificate, &error))?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(tls)))
}

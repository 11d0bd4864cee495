//! The randomness of the operating system.
//!
//! Invariant: nothing here is stored or logged.

use twinpool_shared::{
    error::{Error, ErrorKind},
    import::password::{BYTES, password},
    personal::Personal,
};

/// A password that nobody knows.
///
/// # Errors
/// `Unavailable` when the operating system has no randomness.
pub(crate) fn random_password() -> Result<Personal, Error> {
    let mut random = [0; BYTES];
    getrandom::fill(&mut random)
        .map_err(|_| Error::new(ErrorKind::NotFound, "the operating system's source of randomness"))?;
    Ok(password(&random))
}

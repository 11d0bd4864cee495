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
/// `Unmet` when the operating system gives no randomness: that is no matter of a single user.
pub(crate) fn random_password() -> Result<Personal, Error> {
    let mut random = [0; BYTES];
    getrandom::fill(&mut random).map_err(|_| {
        Error::new(
            ErrorKind::Unmet,
            "the operating system gives no randomness for passwords",
        )
    })?;
    Ok(password(&random))
}

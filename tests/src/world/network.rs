//! The way between a machine and a service: it takes time, and sometimes it fails.
//!
//! Invariant: a refusal comes before the effect, a lost answer after it. The caller sees an error of the same kinds in
//! either case and cannot tell them apart.

use std::sync::{Arc, Mutex};

use twinpool_shared::error::{Error, ErrorKind};

use super::{clock::wait, locked, weather::Weather};
use crate::life::Draw;

/// One service as the machines reach it.
#[derive(Debug)]
pub struct Network {
    service: &'static str,
    weather: Arc<Weather>,
    draw: Mutex<Draw>,
}

impl Network {
    /// The way to `service`, with draws of its own.
    #[must_use]
    pub fn new(service: &'static str, weather: Arc<Weather>, draw: Draw) -> Self {
        Self {
            service,
            weather,
            draw: Mutex::new(draw),
        }
    }

    /// The weather.
    #[must_use]
    pub fn weather(&self) -> &Weather {
        &self.weather
    }

    /// A number below `end`, which is not 0.
    pub fn below(&self, end: u64) -> u64 {
        locked(&self.draw).below(end)
    }

    /// True in `percent` of the draws.
    pub fn percent(&self, percent: u64) -> bool {
        locked(&self.draw).percent(percent)
    }

    /// Brings a request to the service, which may refuse it.
    ///
    /// # Errors
    /// `Throttled` or `Unavailable`; the service has done nothing.
    pub async fn reach(&self) -> Result<(), Error> {
        let millis = {
            let mut draw = locked(&self.draw);
            // Most calls take tens of milliseconds; some take as long as a retried one.
            if draw.percent(3) {
                200 + draw.below(4_000)
            } else {
                1 + draw.below(60)
            }
        };
        wait(millis).await;
        self.fail(self.weather.refused_per_mille)
    }

    /// Brings the answer back, which may be lost.
    ///
    /// # Errors
    /// `Throttled` or `Unavailable`; the service has done what was asked.
    pub async fn answer(&self) -> Result<(), Error> {
        // Half of the answers come at once: a wait each would only cost time.
        let millis = {
            let mut draw = locked(&self.draw);
            if draw.percent(50) { 0 } else { 1 + draw.below(20) }
        };
        if millis > 0 {
            wait(millis).await;
        }
        self.fail(self.weather.lost_answers_per_mille)
    }

    fn fail(&self, per_mille: u64) -> Result<(), Error> {
        let mut draw = locked(&self.draw);
        if self.weather.is_calm() || draw.below(1_000) >= per_mille {
            return Ok(());
        }
        let kind = if draw.percent(50) {
            ErrorKind::Throttled
        } else {
            ErrorKind::Unavailable
        };
        Err(Error::new(kind, format!("{} failed as the seed says", self.service)))
    }
}

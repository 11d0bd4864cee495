//! Usage times prices.
//!
//! Invariant: a line for every row of the price table, those that cost nothing included.

use serde::Serialize;

use super::{Usage, price::Price};

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// The service.
    pub service: &'static str,
    /// What is paid for.
    pub what: &'static str,
    /// Units used in a month.
    pub quantity: f64,
    /// What a unit is.
    pub unit: &'static str,
    /// US dollars for `per` units.
    pub price: f64,
    /// How many units the price is for.
    pub per: f64,
    /// US dollars a month.
    pub dollars: f64,
    /// The same, less what AWS charges nobody for.
    pub dollars_above_free: f64,
    /// Where the price was read.
    pub source: &'static str,
    /// Whether no source confirmed it.
    pub unverified: bool,
}

/// A month's bill.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bill {
    /// Its lines, in the order of the price table.
    pub lines: Vec<Line>,
    /// US dollars.
    pub total: f64,
    /// US dollars, when nothing else of the account uses AWS's monthly free allowances.
    pub total_above_free: f64,
}

impl Bill {
    /// The bill of `usage` at `prices`.
    #[must_use]
    pub fn of(usage: &Usage, prices: &[Price]) -> Self {
        let line = |price: &Price| {
            // Folded, because the sum of no floating-point numbers is -0.
            let quantity = price.meters.iter().fold(0.0, |sum, meter| sum + usage.get(*meter));
            let dollars = |units: f64| units / price.per * price.dollars;
            Line {
                service: price.service,
                what: price.what,
                quantity,
                unit: price.unit,
                price: price.dollars,
                per: price.per,
                dollars: dollars(quantity),
                dollars_above_free: dollars((quantity - price.free).max(0.0)),
                source: price.source.as_str(),
                unverified: price.source.is_unverified(),
            }
        };
        let lines: Vec<Line> = prices.iter().map(line).collect();
        Self {
            total: lines.iter().map(|line| line.dollars).sum(),
            total_above_free: lines.iter().map(|line| line.dollars_above_free).sum(),
            lines,
        }
    }

    /// US dollars of one service.
    #[must_use]
    pub fn of_service(&self, service: &str) -> f64 {
        let lines = self.lines.iter().filter(|line| line.service == service);
        lines.map(|line| line.dollars).sum()
    }
}

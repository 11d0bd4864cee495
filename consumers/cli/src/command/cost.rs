//! `twinpool cost`: the modelled bill of a month, beside the AWS reference solution's for the same pool.
//!
//! Invariant: says that it is a model, of when its prices are, and which of them nobody confirmed. Reads nothing of AWS.

use serde::Serialize;
use twinpool_shared::{
    cost::{
        Bill, DAYS_A_MONTH, Line, Pool,
        coefficient::{ITEM_BYTES, SIGN_INS_A_DAY},
        price,
        reference::{self, Reference},
    },
    error::Error,
    quota::Share,
    settings::RETENTION_DAYS_DEFAULT,
};

use crate::{context::Context, exit::Exit, output::Output};

/// What is assumed, in words; the numbers are constants of `shared/src/cost/coefficient.rs`.
const ASSUMPTIONS: &[&str] = &[
    "A model, not a bill. On-demand list prices, no taxes or discounts; one pool alone in its stack.",
    "Measured on the local cloud and on fixtures, not on AWS: calls per change, the triggers' time beyond the queue, the size \
     of an item. Derived from the code: the calls of a reconcile, its documents, the steps of the state machine.",
    "Assumed: times of AWS's answers, size of log lines, two aliases a user, one change in ten touching an alias, sign-ins with \
     SRP and without managed login, and a trail that already exists.",
    "A night that finds nothing to mend; the first run writes every user once.",
    "Not in it: KMS requests of encrypted logs, key rotation (a dollar a key and year for two years), S3 for the trail.",
];

/// Arguments of `cost`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Users of the pool
    #[arg(long, value_name = "N")]
    users: u64,
    /// Users who sign in at least once a month
    #[arg(long, value_name = "M")]
    mau: u64,
    /// Changes of users a day that are no sign-ins: edits, memberships, deletions
    #[arg(long, value_name = "C")]
    changes_per_day: u64,
    /// Memberships of all groups together; default: one for each user, none without groups
    #[arg(long, value_name = "N")]
    memberships: Option<u64>,
    /// Groups
    #[arg(long, value_name = "N", default_value_t = 10)]
    groups: u64,
    /// Sign-ins of a monthly active user on an average day
    #[arg(long, value_name = "RATE", default_value_t = SIGN_INS_A_DAY)]
    sign_ins_per_day: f64,
    /// Bytes of a user's item in the table; the default is that of a user with three aliases, two groups and MFA
    #[arg(long, value_name = "BYTES", default_value_t = ITEM_BYTES, value_parser = clap::value_parser!(u64).range(1..=400_000))]
    item_bytes: u64,
    /// Recovery Regions that hold the table
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=30))]
    replicas: u64,
    /// Reconciles a month; default: one a night
    #[arg(long, value_name = "N", default_value_t = DAYS_A_MONTH)]
    reconciles: f64,
    /// Share of Cognito's quotas that a reconcile takes, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = Share::default().percent())]
    share: u8,
    /// Days that superseded versions are kept
    #[arg(long, value_name = "DAYS", default_value_t = RETENTION_DAYS_DEFAULT.unsigned_abs(), value_parser = clap::value_parser!(u64).range(29..=3_650))]
    retention_days: u64,
}

/// The document.
#[derive(Debug, Serialize)]
struct Cost {
    /// For what; the defaults included.
    model: Pool,
    /// Month in which the prices were read.
    prices_read: &'static str,
    /// Region that they are of.
    prices_region: &'static str,
    currency: &'static str,
    #[serde(flatten)]
    bill: Bill,
    /// The AWS reference solution.
    reference: Reference,
    assumptions: &'static [&'static str],
}

/// Computes and shows the bill.
///
/// # Errors
/// `BadSetting` for what no pool can be.
pub(crate) fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let cost = cost(args)?;
    if context.output.json {
        // Of no pool in particular.
        context.output.document("cost", "", &cost)?;
    } else {
        print(&context.output, &cost)?;
    }
    Ok(Exit::Ok)
}

fn cost(args: &Args) -> Result<Cost, Error> {
    let model = Pool {
        memberships: args
            .memberships
            .unwrap_or(if args.groups == 0 { 0 } else { args.users }),
        groups: args.groups,
        sign_ins_per_active_user_per_day: args.sign_ins_per_day,
        item_bytes: args.item_bytes,
        replicas: args.replicas,
        reconciles_per_month: args.reconciles,
        share: Share::new(args.share)?,
        retention_days: args.retention_days,
        ..Pool::new(args.users, args.mau, args.changes_per_day)
    };
    model.check()?;
    Ok(Cost {
        prices_read: price::READ,
        prices_region: price::REGION,
        currency: "USD",
        bill: model.bill(),
        reference: reference::bill(&model),
        assumptions: ASSUMPTIONS,
        model,
    })
}

fn print(output: &Output, cost: &Cost) -> Result<(), Error> {
    let pool = &cost.model;
    output.line(&format!(
        "Modelled monthly bill: {} users, {} of them active, {} changes a day, {} memberships in {} groups, {} replica(s)",
        grouped(pool.users as f64),
        grouped(pool.monthly_active as f64),
        grouped(pool.changes_per_day as f64),
        grouped(pool.memberships as f64),
        grouped(pool.groups as f64),
        pool.replicas,
    ))?;
    output.line(&format!(
        "Prices of {}, read {}; * = no source confirmed it",
        cost.prices_region, cost.prices_read
    ))?;
    output.line("")?;
    let mut rows: Vec<Vec<String>> = Vec::new();
    for line in &cost.bill.lines {
        let service = if rows.iter().any(|row| row[0] == line.service) {
            ""
        } else {
            line.service
        };
        rows.push(row(service, line));
    }
    output.table(&["service", "what", "quantity", "price", "$ a month"], &rows)?;
    output.line("")?;
    output.line(&format!("Total: ${:.2} a month", cost.bill.total))?;
    output.line(&format!(
        "${:.2} when nothing else of the account uses AWS's monthly free allowances",
        cost.bill.total_above_free
    ))?;
    output.line("")?;
    let theirs = &cost.reference;
    let documented = &theirs.documented;
    output.line(&format!(
        "The AWS reference solution (\"Cognito User Profiles Export\") writes all {} items in each run:",
        grouped(theirs.writes_per_run as f64)
    ))?;
    output.line(&format!(
        "  as documented: ${:.0} a month for {} users with one group each, daily, at the prices of 2024; DynamoDB ${:.0} of it",
        documented.total,
        grouped(documented.users as f64),
        documented.dynamodb
    ))?;
    output.line(&format!(
        "  for this pool: DynamoDB ${:.2} at the prices of 2024*, ${:.2} at today's; ${:.2} with the ${:.0} documented for the rest",
        theirs.dynamodb_2024, theirs.dynamodb_today, theirs.total_today, documented.others
    ))?;
    output.line("")?;
    for assumption in cost.assumptions {
        output.line(&format!("- {assumption}"))?;
    }
    Ok(())
}

fn row(service: &str, line: &Line) -> Vec<String> {
    let mark = if line.unverified { "*" } else { "" };
    let price = if line.price <= 0.0 {
        "free".to_owned()
    } else if line.per > 1.0 {
        format!("{}{mark} / {}", line.price, grouped(line.per))
    } else {
        format!("{}{mark}", line.price)
    };
    vec![
        service.to_owned(),
        line.what.to_owned(),
        format!("{} {}", quantity(line.quantity), line.unit),
        price,
        format!("{:>9.2}", line.dollars),
    ]
}

/// Small quantities with decimals, large ones without.
fn quantity(value: f64) -> String {
    if value < 100.0 {
        format!("{value:.2}")
    } else {
        grouped(value)
    }
}

/// A whole number in groups of three digits.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::Value;

    use super::*;
    use crate::output::tests::documented_document;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn model(options: &str) -> Result<Cost, Error> {
        let line = format!("cost --users 100000 --mau 30000 --changes-per-day 1000 {options}");
        cost(
            &Line::try_parse_from(line.split_whitespace())
                .expect("a command line")
                .args,
        )
    }

    #[test]
    fn the_defaults_of_the_command_line_are_those_of_the_model() {
        assert_eq!(model("").expect("a bill").model, Pool::new(100_000, 30_000, 1_000));
    }

    #[test]
    fn without_groups_nobody_is_a_member() {
        assert_eq!(model("--groups 0").expect("a bill").model.memberships, 0);
    }

    #[test]
    fn what_no_pool_can_be_is_refused() {
        for (options, says) in [
            ("--groups 10001", "groups: 10001"),
            ("--memberships 2000000", "memberships: 2000000"),
            ("--share 0", "quota share is 0 %"),
            ("--sign-ins-per-day NaN", "sign-ins a day"),
        ] {
            let error = model(options).expect_err(options);
            assert!(error.what.contains(says), "{options}: {}", error.what);
        }
    }

    #[test]
    fn the_documentation_shows_the_members_that_are_written() {
        let mut written = serde_json::to_value(model("").expect("a bill")).expect("JSON");
        // Twenty lines look alike; the page shows one.
        written["lines"].as_array_mut().expect("lines").truncate(1);
        let mut documented = documented_document("cost");
        let members = documented.as_object_mut().expect("an object");
        for member in ["schema", "pool", "personal"] {
            assert!(
                members.remove(member).is_some_and(|value| value.is_string()),
                "{member}"
            );
        }
        assert_eq!(names(&written), names(&documented));
    }

    /// The names of all members, so that a price may change without the page.
    fn names(value: &Value) -> Vec<String> {
        match value {
            Value::Object(members) => {
                let deep = |(name, value): (&String, &Value)| -> Vec<String> {
                    let inside = names(value).into_iter().map(|inner| format!("{name}.{inner}"));
                    std::iter::once(name.clone()).chain(inside).collect()
                };
                members.iter().flat_map(deep).collect()
            }
            Value::Array(values) => values.first().map(names).unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn numbers_are_read_in_groups_of_three() {
        for (value, text) in [
            (0.0, "0"),
            (999.0, "999"),
            (1_000.0, "1,000"),
            (1_234_567.8, "1,234,568"),
        ] {
            assert_eq!(grouped(value), text);
        }
    }
}

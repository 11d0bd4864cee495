//! Replication lag of the last hour, as CloudWatch has it.
//!
//! Invariant: no figure is made up: without data there is none.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use twinpool_shared::{
    error::{Error, ErrorKind},
    metric::{NAMESPACE, REPLICATION_LAG},
    time::Timestamp,
};

use crate::untyped::{CLOUDWATCH, Untyped};

/// Length of the window, and of CloudWatch's periods in it, in seconds.
const WINDOW_SECONDS: i64 = 3_600;
/// Functions that are asked about; each replicator is one set of dimensions.
const FUNCTIONS_MAX: usize = 20;

/// From the event to the committed write.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Lag {
    /// The slowest, in milliseconds.
    pub(crate) maximum_millis: f64,
    /// 99 of 100 were faster, in milliseconds; of several periods or functions, the slowest one's.
    pub(crate) p99_millis: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Results {
    #[serde(default)]
    metric_data_results: Vec<MetricResult>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricResult {
    id: String,
    #[serde(default)]
    values: Vec<f64>,
}

/// The lag of the hour before `now`; `None` when nothing was replicated in it.
///
/// # Errors
/// As CloudWatch answers.
pub(crate) async fn of_last_hour(cloudwatch: &Untyped, now: Timestamp) -> Result<Option<Lag>, Error> {
    let listed = json!({"Namespace": NAMESPACE, "MetricName": REPLICATION_LAG.name});
    let listed = cloudwatch.call(CLOUDWATCH, "ListMetrics", &listed).await?;
    let Some(queries) = queries(&listed) else {
        return Ok(None);
    };
    let input = json!({
        "StartTime": now.as_seconds() - WINDOW_SECONDS,
        "EndTime": now.as_seconds(),
        "MetricDataQueries": queries,
    });
    let answer = cloudwatch.call(CLOUDWATCH, "GetMetricData", &input).await?;
    let results: Results = serde_json::from_value(answer).map_err(|_| {
        Error::new(
            ErrorKind::Unavailable,
            "cloudwatch:GetMetricData answered something else than documented",
        )
    })?;
    Ok(slowest(&results))
}

/// Two queries for every set of dimensions; `None` without any.
fn queries(listed: &Value) -> Option<Vec<Value>> {
    let metrics = listed["Metrics"].as_array()?;
    let queries: Vec<Value> = metrics
        .iter()
        .take(FUNCTIONS_MAX)
        .enumerate()
        .flat_map(|(number, metric)| {
            [("max", "Maximum"), ("p99", "p99")].map(|(name, statistic)| {
                json!({
                    "Id": format!("{name}_{number}"),
                    "MetricStat": {"Metric": metric, "Period": WINDOW_SECONDS, "Stat": statistic},
                })
            })
        })
        .collect();
    (!queries.is_empty()).then_some(queries)
}

fn slowest(results: &Results) -> Option<Lag> {
    let of = |prefix: &str| {
        let wanted = results
            .metric_data_results
            .iter()
            .filter(|one| one.id.starts_with(prefix));
        wanted.flat_map(|one| one.values.iter().copied()).reduce(f64::max)
    };
    Some(Lag {
        maximum_millis: of("max_")?,
        p99_millis: of("p99_")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_of_all_functions_and_periods_is_shown() {
        let answer = json!({"MetricDataResults": [
            {"Id": "max_0", "Values": [900.0, 1200.5]}, {"Id": "p99_0", "Values": [800.0]},
            {"Id": "max_1", "Values": [100.0]}, {"Id": "p99_1", "Values": [850.0]},
        ]});
        let results: Results = serde_json::from_value(answer).expect("results");
        let lag = slowest(&results).expect("a lag");
        assert_eq!((lag.maximum_millis, lag.p99_millis), (1200.5, 850.0));
    }

    #[test]
    fn without_data_there_is_no_lag() {
        assert!(queries(&json!({"Metrics": []})).is_none());
        let results: Results =
            serde_json::from_value(json!({"MetricDataResults": [{"Id": "max_0"}]})).expect("results");
        assert!(slowest(&results).is_none());
    }
}

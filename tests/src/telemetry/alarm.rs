//! CloudWatch alarms: what a definition says about datapoints.
//!
//! Invariant: pure. A datapoint counts for an alarm only with exactly the alarm's dimensions, and what an alarm asks for that is
//! not modelled here is refused aloud, never taken for fine.

use std::collections::BTreeMap;

use serde_json::Value;

/// One value of a metric, on the clock of [`super::clock::Clock`].
#[derive(Clone, Debug, PartialEq)]
pub struct Datapoint {
    /// Of which metric.
    pub series: Series,
    /// When, in milliseconds.
    pub at: i64,
    /// How much.
    pub value: f64,
}

/// A metric: a name in a namespace with its dimensions.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Name and value of each dimension.
    pub dimensions: BTreeMap<String, String>,
}

impl Series {
    /// A metric with one dimension.
    #[must_use]
    pub fn of(namespace: &str, name: &str, dimension: (&str, &str)) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            dimensions: BTreeMap::from([(dimension.0.to_owned(), dimension.1.to_owned())]),
        }
    }

    fn read(metric: &Value) -> Result<Self, String> {
        let dimensions = metric["Dimensions"].as_array().into_iter().flatten();
        let pairs = dimensions.map(|one| Ok((text(one, "Name")?, text(one, "Value")?)));
        Ok(Self {
            namespace: text(metric, "Namespace")?,
            name: text(metric, "MetricName")?,
            dimensions: pairs.collect::<Result<_, String>>()?,
        })
    }
}

/// What an alarm looks at in a period.
#[derive(Clone, Debug, PartialEq)]
enum Source {
    /// A statistic of some metrics, added up. One of them is the usual alarm; several are an expression, `a + b`
    /// or `SUM(METRICS())`; a period in which one of them has no datapoint has the sum of the others.
    Metrics(Vec<(Series, String)>),
    /// `SELECT SUM(name) FROM "namespace"`: over every set of dimensions.
    Query { namespace: String, name: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Absent {
    Breaching,
    NotBreaching,
    Missing,
}

/// An alarm as CloudFormation and `DescribeAlarms` write it.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// Its whole name.
    pub name: String,
    source: Source,
    period_millis: i64,
    periods: i64,
    to_alarm: usize,
    threshold: f64,
    comparison: String,
    missing: Absent,
}

/// The state of an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The threshold is not crossed.
    Ok,
    /// It is.
    Alarm,
    /// There is no datapoint to tell.
    InsufficientData,
}

impl State {
    /// As CloudWatch writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

impl Alarm {
    /// Reads a definition whose intrinsic functions are resolved.
    ///
    /// # Errors
    /// Says what is missing or not modelled.
    pub fn read(given: &Value) -> Result<Self, String> {
        let name = text(given, "AlarmName")?;
        let refuse = |why: String| format!("{name}: {why}");
        let metrics = given["Metrics"].as_array().filter(|metrics| !metrics.is_empty());
        let (source, period) = match metrics {
            Some(metrics) => Source::of_metrics(metrics).map_err(refuse)?,
            None => {
                let statistic = text(given, "ExtendedStatistic").or_else(|_| text(given, "Statistic"));
                let one = (Series::read(given).map_err(refuse)?, statistic.map_err(refuse)?);
                (Source::Metrics(vec![one]), number(given, "Period").map_err(refuse)?)
            }
        };
        let periods = number(given, "EvaluationPeriods").map_err(refuse)?;
        let to_alarm = number(given, "DatapointsToAlarm").unwrap_or(periods);
        let missing = match given["TreatMissingData"].as_str() {
            Some("breaching") => Absent::Breaching,
            Some("notBreaching") => Absent::NotBreaching,
            Some("missing") | None => Absent::Missing,
            Some(other) => return Err(refuse(format!("TreatMissingData {other} is not modelled"))),
        };
        #[expect(clippy::cast_possible_truncation, reason = "periods are seconds, and whole")]
        let millis = (period * 1_000.0) as i64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small whole number"
        )]
        let (periods, to_alarm) = (periods as i64, to_alarm as usize);
        Ok(Self {
            source,
            period_millis: millis,
            periods,
            to_alarm,
            threshold: number(given, "Threshold").map_err(refuse)?,
            comparison: text(given, "ComparisonOperator").map_err(refuse)?,
            missing,
            name,
        })
    }

    /// The metrics that it names, without those of a query.
    #[must_use]
    pub fn watched(&self) -> Vec<&Series> {
        match &self.source {
            Source::Metrics(metrics) => metrics.iter().map(|(series, _)| series).collect(),
            Source::Query { .. } => Vec::new(),
        }
    }

    /// The state at `now`, over the periods that end there.
    ///
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html>: M of the last N periods, and a
    /// period without a datapoint counts as `TreatMissingData` says.
    ///
    /// # Errors
    /// When statistic or comparison are not modelled.
    pub fn state(&self, datapoints: &[Datapoint], now: i64) -> Result<State, String> {
        let (mut breaching, mut known) = (0, 0);
        for period in 0..self.periods {
            let end = now - period * self.period_millis;
            let within = |point: &&Datapoint| point.at <= end && point.at > end - self.period_millis;
            let points: Vec<&Datapoint> = datapoints.iter().filter(within).collect();
            match self.value(&points)? {
                Some(value) => {
                    known += 1;
                    breaching += usize::from(self.breaches(value)?);
                }
                None => breaching += usize::from(self.missing == Absent::Breaching),
            }
        }
        Ok(if breaching >= self.to_alarm {
            State::Alarm
        } else if known == 0 && self.missing == Absent::Missing {
            State::InsufficientData
        } else {
            State::Ok
        })
    }

    fn value(&self, points: &[&Datapoint]) -> Result<Option<f64>, String> {
        match &self.source {
            Source::Query { namespace, name } => {
                let of_it = points
                    .iter()
                    .filter(|point| point.series.namespace == *namespace && point.series.name == *name);
                statistic("Sum", of_it.map(|point| point.value).collect())
            }
            Source::Metrics(metrics) => {
                let mut sum = None;
                for (series, wanted) in metrics {
                    let of_it = points.iter().filter(|point| point.series == *series);
                    let value = statistic(wanted, of_it.map(|point| point.value).collect())?;
                    sum = value.map_or(sum, |value| Some(sum.unwrap_or(0.0) + value));
                }
                Ok(sum)
            }
        }
    }

    fn breaches(&self, value: f64) -> Result<bool, String> {
        match self.comparison.as_str() {
            "GreaterThanThreshold" => Ok(value > self.threshold),
            "GreaterThanOrEqualToThreshold" => Ok(value >= self.threshold),
            "LessThanThreshold" => Ok(value < self.threshold),
            "LessThanOrEqualToThreshold" => Ok(value <= self.threshold),
            other => Err(format!("{}: {other} is not modelled", self.name)),
        }
    }
}

impl Source {
    fn of_metrics(metrics: &[Value]) -> Result<(Self, f64), String> {
        let shown = metrics.iter().filter(|one| one["ReturnData"] != Value::Bool(false));
        let [expression] = shown.collect::<Vec<_>>()[..] else {
            return Err("exactly one of Metrics has to return data".to_owned());
        };
        let formula = text(expression, "Expression")?;
        if let Some(query) = formula.strip_prefix("SELECT SUM(") {
            let (name, from) = query.split_once(") FROM ").ok_or("a query of another form")?;
            let namespace = from.trim_matches('"').to_owned();
            let name = name.to_owned();
            return Ok((Self::Query { namespace, name }, number(expression, "Period")?));
        }
        let stats: Vec<&Value> = if formula == "SUM(METRICS())" {
            let all = metrics.iter().map(|one| &one["MetricStat"]);
            all.filter(|stat| stat.is_object()).collect()
        } else {
            let ids = formula.split('+').map(str::trim);
            let found = ids.map(|id| metrics.iter().find(|one| one["Id"] == id));
            let found: Option<Vec<&Value>> = found.collect();
            let found = found.ok_or_else(|| format!("{formula} is not modelled"))?;
            found.into_iter().map(|one| &one["MetricStat"]).collect()
        };
        let mut terms = Vec::new();
        let mut period = None;
        for stat in stats {
            terms.push((Series::read(&stat["Metric"])?, text(stat, "Stat")?));
            period = Some(number(stat, "Period")?);
        }
        Ok((Self::Metrics(terms), period.ok_or("an empty expression")?))
    }
}

fn statistic(wanted: &str, mut values: Vec<f64>) -> Result<Option<f64>, String> {
    if values.is_empty() {
        return Ok(None);
    }
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "a handful of datapoints")]
    let count = values.len() as f64;
    let value = match wanted {
        "Sum" => values.iter().sum(),
        "SampleCount" => count,
        "Average" => values.iter().sum::<f64>() / count,
        "Maximum" => values[values.len() - 1],
        "Minimum" => values[0],
        percentile => {
            let share = percentile.strip_prefix('p').and_then(|share| share.parse::<f64>().ok());
            let share = share.ok_or_else(|| format!("statistic {percentile} is not modelled"))?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "an index of a handful"
            )]
            let rank = (share / 100.0 * count).ceil() as usize;
            values[rank.clamp(1, values.len()) - 1]
        }
    };
    Ok(Some(value))
}

fn text(given: &Value, member: &str) -> Result<String, String> {
    let text = given[member].as_str().filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| format!("no {member}"))
}

/// CloudFormation takes numbers as text too.
fn number(given: &Value, member: &str) -> Result<f64, String> {
    let value = &given[member];
    let number = value
        .as_f64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    number.ok_or_else(|| format!("no {member}"))
}

#[cfg(test)]
mod tests;

//! Means and quantiles of what was measured.

use overlay_proto::time::Span;

/// Measured values in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample(Vec<f64>);

impl Sample {
    /// These values; what is not a number is left out.
    pub fn new(values: impl IntoIterator<Item = f64>) -> Sample {
        let mut values: Vec<f64> = values.into_iter().filter(|value| !value.is_nan()).collect();
        values.sort_by(f64::total_cmp);
        Sample(values)
    }

    /// These spans, in milliseconds.
    pub fn millis<'a>(spans: impl IntoIterator<Item = &'a Span>) -> Sample {
        Sample::new(spans.into_iter().map(|span| span.as_millis_f64()))
    }

    /// The values, the smallest first.
    pub fn values(&self) -> &[f64] {
        &self.0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The mean; `None` of nothing.
    pub fn mean(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.0.iter().sum::<f64>() / self.len() as f64)
    }

    /// The smallest value that is at least as large as the share `q`, from 0 to 1, of them (the
    /// nearest rank); `None` of nothing.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let rank = (q * self.len() as f64).ceil() as usize;
        self.0.get(rank.clamp(1, self.len().max(1)) - 1).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_ranks() {
        let sample = Sample::new((1..=100).rev().map(f64::from));
        assert_eq!(sample.quantile(0.5), Some(50.0));
        assert_eq!(sample.quantile(0.99), Some(99.0));
        assert_eq!(sample.quantile(1.0), Some(100.0));
        assert_eq!(sample.quantile(0.0), Some(1.0));
        assert_eq!(sample.mean(), Some(50.5));
        assert_eq!(Sample::millis(&[Span::secs(2)]).mean(), Some(2_000.0));
        assert_eq!((Sample::default().mean(), Sample::default().quantile(0.5)), (None, None));
    }
}

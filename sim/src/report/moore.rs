//! The Moore bound: no graph of this degree has a smaller mean distance.

/// Mean distance from one node to the others if it had `degree` at distance 1, and each of those
/// `degree - 1` more, until all `nodes` are placed. Zero for fewer than two nodes.
pub fn mean_distance(nodes: usize, degree: usize) -> f64 {
    let others = nodes.saturating_sub(1);
    if others == 0 || degree == 0 {
        return 0.0;
    }
    let (mut left, mut at, mut distance, mut sum) = (others, degree, 1_usize, 0_usize);
    while left > 0 {
        // A ring, or less, still grows: by what there is, one at least.
        let placed = left.min(at.max(1));
        sum += placed * distance;
        left -= placed;
        distance += 1;
        at = at.saturating_mul(degree.saturating_sub(1).max(1));
    }
    sum as f64 / others as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_in_the_lab_notes() {
        for (nodes, degree, mean) in
            [(1_000, 8, 3.47), (10_000, 8, 4.63), (100_000, 8, 5.74), (100_000, 6, 6.71)]
        {
            let found = mean_distance(nodes, degree);
            assert!((found - mean).abs() < 0.005, "{nodes} {degree}: {found}");
        }
        assert_eq!(mean_distance(9, 8), 1.0);
        assert_eq!(mean_distance(1, 8), 0.0);
        assert_eq!(mean_distance(5, 2), 1.5);
    }
}

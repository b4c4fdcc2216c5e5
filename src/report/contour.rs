//! Closed curves of one height over a grid of heights (marching squares).

use std::collections::BTreeMap;

/// A grid of heights, row by row; what lies around it is 0.
pub struct Grid {
    /// Heights in a row.
    pub columns: usize,
    /// All heights, not negative.
    pub heights: Vec<f64>,
}

/// Where a curve crosses between two neighbours: the left or lower one, and whether the other is above it.
type Crossing = (i64, i64, bool);

impl Grid {
    fn rows(&self) -> i64 {
        (self.heights.len() / self.columns) as i64
    }

    fn height(&self, column: i64, row: i64) -> f64 {
        let inside = (0..self.columns as i64).contains(&column) && (0..self.rows()).contains(&row);
        if inside { self.heights[(row * self.columns as i64 + column) as usize] } else { 0.0 }
    }

    /// The height above which a `share` of the total lies.
    pub fn level(&self, share: f64) -> f64 {
        let mut heights = self.heights.clone();
        heights.sort_unstable_by(|a, b| b.total_cmp(a));
        let (total, mut sum): (f64, f64) = (heights.iter().sum(), 0.0);
        let enough = heights.iter().find(|height| {
            sum += **height;
            sum >= share * total
        });
        enough.copied().unwrap_or(0.0)
    }

    /// The curves at `level` > 0, as (column, row), each closed from its last point to its first.
    pub fn curves(&self, level: f64) -> Vec<Vec<(f64, f64)>> {
        // Each square of four neighbours leads a curve from a side to a side, with the high ground to its left.
        let mut next: BTreeMap<Crossing, Crossing> = BTreeMap::new();
        for row in -1..self.rows() {
            for column in -1..self.columns as i64 {
                self.lead(column, row, level, &mut next);
            }
        }
        let mut curves = Vec::new();
        while let Some((start, mut at)) = next.pop_first() {
            let mut curve = vec![self.place(start, level)];
            while at != start {
                curve.push(self.place(at, level));
                at = next.remove(&at).expect("a curve that enters a square leaves it");
            }
            curves.push(curve);
        }
        curves
    }

    fn lead(&self, column: i64, row: i64, level: f64, next: &mut BTreeMap<Crossing, Crossing>) {
        let corners = [(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)];
        let sides = [(column, row, false), (column + 1, row, true), (column, row + 1, false), (column, row, true)];
        let heights = corners.map(|(column, row)| self.height(column, row));
        let high = heights.map(|height| height >= level);
        let leaves = |side: usize| high[side] && !high[(side + 1) % 4];
        let enters = |side: usize| !high[side] && high[(side + 1) % 4];
        let saddle = high[0] == high[2] && high[1] == high[3] && high[0] != high[1];
        let parted = saddle && heights.iter().sum::<f64>() / 4.0 < level; // two hills, with a valley between
        for side in (0..4).filter(|&side| leaves(side)) {
            let around = [1, 2, 3].map(|step| (side + if parted { 4 - step } else { step }) % 4);
            let end = around.into_iter().find(|&side| enters(side)).expect("who leaves the high ground comes back");
            next.insert(sides[side], sides[end]);
        }
    }

    fn place(&self, (column, row, up): Crossing, level: f64) -> (f64, f64) {
        let here = self.height(column, row);
        let there = if up { self.height(column, row + 1) } else { self.height(column + 1, row) };
        let way = (level - here) / (there - here);
        if up { (column as f64, row as f64 + way) } else { (column as f64 + way, row as f64) }
    }
}

#[cfg(test)]
mod tests {
    use super::Grid;

    fn area(curve: &[(f64, f64)]) -> f64 {
        let next = curve.iter().cycle().skip(1);
        curve.iter().zip(next).map(|(a, b)| (a.0 * b.1 - b.0 * a.1) / 2.0).sum()
    }

    fn of(columns: usize, rows: usize, height: impl Fn(f64, f64) -> f64) -> Grid {
        let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (column as f64, row as f64)));
        Grid { columns, heights: places.map(|(x, y)| height(x, y)).collect() }
    }

    #[test]
    fn a_cone_is_cut_in_a_circle() {
        let grid = of(41, 41, |x, y| (20.0 - (x - 20.0).hypot(y - 20.0)).max(0.0));
        let curves = grid.curves(8.0);
        assert_eq!(curves.len(), 1);
        assert!(curves[0].iter().all(|(x, y)| ((x - 20.0).hypot(y - 20.0) - 12.0).abs() < 0.05));
        assert!((area(&curves[0]).abs() / (144.0 * std::f64::consts::PI) - 1.0).abs() < 0.01);
    }

    #[test]
    fn a_ring_has_two_curves_that_run_against_each_other() {
        let grid = of(41, 31, |x, y| (1.0 - ((x - 20.0).hypot(y - 15.0) - 9.0).abs() / 3.0).max(0.0));
        let curves = grid.curves(0.5);
        assert_eq!(curves.len(), 2);
        assert!(area(&curves[0]) * area(&curves[1]) < 0.0);
    }

    #[test]
    fn what_is_high_at_the_border_is_closed_along_it_and_saddles_are_led_both_ways() {
        assert_eq!(of(5, 4, |_, _| 1.0).curves(0.5).len(), 1);
        let two = |middle: f64| Grid { columns: 2, heights: vec![1.0, middle, middle, 1.0] };
        assert_eq!(two(0.1).curves(0.6).len(), 2, "parted");
        assert_eq!(two(0.5).curves(0.6).len(), 1, "joined");
    }

    #[test]
    fn a_level_holds_its_share() {
        let grid = of(61, 61, |x, y| (-((x - 30.0).powi(2) + (y - 30.0).powi(2)) / 200.0).exp());
        let level = grid.level(0.5);
        let inside: f64 = grid.heights.iter().filter(|height| **height >= level).sum();
        assert!((inside / grid.heights.iter().sum::<f64>() - 0.5).abs() < 0.01);
    }
}

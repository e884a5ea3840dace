//! A table of points in which near ones lie near.
//!
//! Each point lies in one of two buckets, as in cuckoo hashing (Pagh and Rodler 2004, "Cuckoo Hashing"). In place of a
//! hash, the beginning of a number selects a bucket. So points of a bucket begin alike, and the nearest to a query
//! mostly lies in one of the query's two buckets. The first number selects the first bucket. The second number selects
//! the second one; points of one number use that number, moved by half a bucket.

use super::distance::{Cost, Metric};
use super::number::{WHOLE, moved};

/// Most points that a bucket has at first.
const ROOM: usize = 128;
/// Most points that make way for another, before the table grows.
const MAX_MOVES: usize = 64;
/// Buckets a side after as many splits. Three more splits make it ten times as many: one more digit.
const FIRST_SPLITS: [usize; 3] = [1, 2, 5];

/// Points among which a query finds an equal or a near one.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Numbers a point.
    width: usize,
    /// `[point, number]`.
    points: Vec<u32>,
    /// Buckets a side are `FIRST_SPLITS[splits % 3] · 10^(splits / 3)`.
    splits: usize,
    /// Most points a bucket.
    room: usize,
    /// Points of each bucket, of both sides.
    buckets: [Vec<Vec<u32>>; 2],
}

/// Result of a look-up: the place of a point, and its distance from the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub point: usize,
    pub cost: Cost,
}

impl Table {
    /// An empty table of points with `width` numbers.
    pub fn new(width: usize) -> Self {
        let buckets = [vec![Vec::new()], vec![Vec::new()]];
        Self { width, points: Vec::new(), splits: 0, room: ROOM, buckets }
    }

    pub fn len(&self) -> usize {
        self.points.len() / self.width
    }

    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Numbers a point.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Numbers of all points, `[point, number]`.
    pub fn points(&self) -> &[u32] {
        &self.points
    }

    /// Adds a point, and returns its place. Equal points may be added.
    pub fn push(&mut self, point: &[u32]) -> usize {
        let place = self.len();
        self.points.extend_from_slice(point);
        if let Err(homeless) = self.settle(place as u32) {
            self.grow(homeless);
        }
        place
    }

    /// Finds the nearest point in the buckets of `query`, or of all points if these are empty: the first of those that
    /// are equally near. A nearer one may lie in another bucket. `None` if there are no points.
    pub fn nearest(&self, metric: &Metric, query: &[u32]) -> Option<Found> {
        let prepared = metric.prepare(query);
        let near = self.near(query).map(|place| {
            let place = place as usize;
            Found { cost: prepared.to(self.point(place)), point: place }
        });
        let found = near.min_by_key(|found| (found.cost, found.point));
        found.or_else(|| {
            let (point, cost) = prepared.nearest(&self.points)?;
            Some(Found { point, cost })
        })
    }

    /// Finds the nearest of all points by a scan.
    pub fn scan(&self, metric: &Metric, query: &[u32]) -> Option<Found> {
        let (point, cost) = metric.prepare(query).nearest(&self.points)?;
        Some(Found { point, cost })
    }

    /// Finds the first point with the numbers of `query`.
    pub fn find(&self, query: &[u32]) -> Option<usize> {
        let equal = self.near(query).map(|place| place as usize);
        equal.filter(|place| self.point(*place) == query).min()
    }

    fn point(&self, place: usize) -> &[u32] {
        &self.points[place * self.width..][..self.width]
    }

    fn near(&self, query: &[u32]) -> impl Iterator<Item = u32> {
        let homes = [self.home(0, query), self.home(1, query)];
        let sides = self.buckets.iter().zip(homes);
        sides.flat_map(|(side, home)| side[home].iter().copied())
    }

    /// Bucket of `point` on `side`.
    fn home(&self, side: usize, point: &[u32]) -> usize {
        let size = WHOLE / self.buckets[0].len() as u32;
        let number = match (side, point) {
            (0, [first, ..]) => *first,
            (_, [_, second, ..]) => *second,
            (_, [first]) => moved(*first, i64::from(size / 2)),
            (_, []) => 0,
        };
        (number / size) as usize
    }

    /// Puts a point in one of its buckets, or moves others to their other bucket until there is room. Fails with the
    /// point that is left over after [`MAX_MOVES`] moves.
    fn settle(&mut self, place: u32) -> Result<(), u32> {
        let mut place = place;
        for turn in 0..MAX_MOVES {
            let homes = [0, 1].map(|side| self.home(side, self.point(place as usize)));
            let free =
                [0, 1].into_iter().find(|side| self.buckets[*side][homes[*side]].len() < self.room);
            if let Some(side) = free {
                self.buckets[side][homes[side]].push(place);
                return Ok(());
            }
            let side = turn % 2;
            let bucket = &mut self.buckets[side][homes[side]];
            // Another one each turn.
            let index = turn * 31 % bucket.len();
            place = std::mem::replace(&mut bucket[index], place);
        }
        Err(place)
    }

    /// Makes room for the point `homeless`: by more buckets, or by larger ones where points would not spread over more.
    fn grow(&mut self, homeless: u32) {
        let per_bucket = self.len() / self.buckets[0].len();
        let most = 3 * 8;
        if per_bucket * 2 >= self.room && self.splits < most {
            self.splits += 1;
        } else {
            self.room *= 2;
        }
        loop {
            let count = FIRST_SPLITS[self.splits % 3] * 10_usize.pow(self.splits as u32 / 3);
            self.buckets = [vec![Vec::new(); count], vec![Vec::new(); count]];
            let mut all =
                (0..self.len() as u32).filter(|place| *place != homeless).chain([homeless]);
            match all.find_map(|place| self.settle(place).err()) {
                None => return,
                Some(_) => self.room *= 2,
            }
        }
    }
}

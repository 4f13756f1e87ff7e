//! What has happened since it was last told.

use super::protocol::{News, What};

/// News that nobody has been told yet.
#[derive(Default)]
pub(super) struct Untold {
    /// How many there were before these.
    from: u64,
    news: Vec<News>,
    /// How many of them have a position.
    placed: usize,
}

impl Untold {
    /// Something has happened.
    pub(super) fn put(&mut self, what: What) {
        self.news.push(News { position: 0, what });
    }

    /// All that has happened so far did so before this position.
    pub(super) fn place(&mut self, position: u64) {
        for news in &mut self.news[self.placed..] {
            news.position = position;
        }
        self.placed = self.news.len();
    }

    /// What is to be told, and how many there were before. It is not told again,
    /// but by a checkpoint that was made before this.
    pub(super) fn tell(&mut self) -> (u64, Vec<News>) {
        let news = std::mem::take(&mut self.news);
        let from = self.from;
        self.from += news.len() as u64;
        self.placed = 0;
        (from, news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;

    #[test]
    fn news_have_the_position_of_the_first_moment_after_them() {
        let mut untold = Untold::default();
        let stopped = || What::One(Frame::Stopped);
        untold.put(stopped());
        untold.place(5);
        untold.put(stopped());
        untold.put(stopped());
        untold.place(9);
        let (from, news) = untold.tell();
        let positions: Vec<_> = news.iter().map(|news| news.position).collect();
        assert_eq!((from, &positions[..]), (0, &[5, 9, 9][..]));
        untold.put(stopped());
        untold.place(10);
        let (from, news) = untold.tell();
        assert_eq!((from, news[0].position), (3, 10));
    }
}

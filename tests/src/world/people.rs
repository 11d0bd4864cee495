//! What people do in a world: a random history of pool operations, and now and then of the table's console.
//!
//! Invariant: a step depends on the seed and on the pool, never on what the consumers did. So a seed keeps its operations
//! when the product changes. The last living user is never deleted: an emptied pool is the guard's business.

mod calls;
mod steps;

use std::sync::Arc;

use twinpool_shared::personal::Sub;

use super::{clock::wait, journal::Journal, pool::PoolDouble, table::TableDouble, trail::Ears, weather::Story};
use crate::life::Draw;

/// Most users of a world: below the guard's allowance.
const USERS_MAX: usize = 18;
const GROUPS: [&str; 3] = ["admins", "buyers", "cooks"];

/// One user, as the people behind the keyboard know them.
#[derive(Clone, Debug)]
struct Person {
    sub: Sub,
    name: String,
    /// The code of the last message.
    code: Option<String>,
    alive: bool,
}

/// Everybody who does something.
pub struct People {
    draw: Draw,
    story: Story,
    pool: PoolDouble,
    table: TableDouble,
    ears: Arc<Ears>,
    journal: Arc<Journal>,
    persons: Vec<Person>,
    /// Who leaves next, in a moment.
    leaving: Option<usize>,
    /// Makes names and values, so that no value ever comes twice by chance.
    counter: u64,
    /// Steps that the pool carried out.
    done: u64,
}

impl People {
    /// Nobody yet.
    #[must_use]
    pub fn new(
        draw: Draw,
        story: Story,
        (pool, table): (PoolDouble, TableDouble),
        ears: Arc<Ears>,
        journal: Arc<Journal>,
    ) -> Self {
        Self {
            draw,
            story,
            pool,
            table,
            ears,
            journal,
            persons: Vec::new(),
            leaving: None,
            counter: 0,
            done: 0,
        }
    }

    /// Steps that the pool carried out.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Does `steps` things, with pauses.
    pub async fn live(&mut self, steps: u64) {
        for _ in 0..steps {
            let pause = self.pause();
            wait(pause).await;
            self.step();
        }
    }

    /// Some things happen in one second, most within some, and sometimes nothing for minutes.
    fn pause(&mut self) -> u64 {
        let pause = match self.draw.below(100) {
            _ if self.leaving.is_some() => self.draw.below(600),
            0..40 => self.draw.below(600),
            40..85 => self.draw.below(6_000),
            85..97 => self.draw.below(60_000),
            _ => self.draw.below(400_000),
        };
        // The replicator cannot tell two changes of one second apart when the index lags: see the verdict of its own story.
        if self.story == Story::ReplicatorAlone {
            pause.max(1_100)
        } else {
            pause
        }
    }

    fn living(&self) -> usize {
        self.persons.iter().filter(|person| person.alive).count()
    }

    /// Place of a living person.
    fn anybody(&mut self) -> Option<usize> {
        let living: Vec<usize> = (0..self.persons.len())
            .filter(|place| self.persons[*place].alive)
            .collect();
        if living.is_empty() {
            return None;
        }
        let pick = self.draw.below(living.len() as u64);
        living.get(usize::try_from(pick).unwrap_or(0)).copied()
    }

    fn group(&mut self) -> &'static str {
        let pick = self.draw.below(GROUPS.len() as u64);
        GROUPS[usize::try_from(pick).unwrap_or(0)]
    }

    fn value(&mut self, kind: &str) -> String {
        self.counter += 1;
        format!("{kind}{}", self.counter)
    }
}

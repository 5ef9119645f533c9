//! A list without memory of its own.

/// At most `N` items, in the order in which they came.
#[derive(Clone, Copy)]
pub struct List<T: Copy, const N: usize>([Option<T>; N]);

impl<T: Copy, const N: usize> List<T, N> {
    /// No items.
    pub const EMPTY: Self = Self([None; N]);

    /// Adds an item behind the others; a full list stops the test.
    pub fn push(&mut self, item: T) {
        let place = self.0.iter_mut().find(|place| place.is_none());
        match place {
            Some(place) => *place = Some(item),
            None => crate::complain!("a list of {N} items is full"),
        }
    }

    /// The items.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }

    /// The items, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().flatten()
    }

    /// Takes the first item that fits.
    pub fn take(&mut self, fits: impl Fn(&T) -> bool) -> Option<T> {
        let index = self.0.iter().position(|item| item.as_ref().is_some_and(&fits))?;
        let taken = self.0[index].take();
        self.0[index..].rotate_left(1);
        taken
    }
}

//! Which documents hold a term.

use std::collections::BTreeMap;

/// The documents of one term, by number, ascending.
pub struct Postings {
    documents: Vec<u32>,
}

impl Postings {
    /// The document at a position of the list.
    #[inline(always)]
    fn at(&self, position: usize) -> u32 {
        self.documents[position]
    }
}

/// Terms and their postings.
#[derive(Default)]
pub struct Index {
    terms: BTreeMap<String, Postings>,
}

impl Index {
    /// An index with a single term.
    pub fn with_term(term: &str, documents: Vec<u32>) -> Index {
        Index { terms: BTreeMap::from([(term.to_owned(), Postings { documents })]) }
    }

    /// The documents of a term on one page of results; panics when the page lies behind the last one.
    #[inline(never)]
    pub fn page(&self, term: &str, first: usize, length: usize) -> Vec<u32> {
        match self.terms.get(term) {
            Some(postings) => (first..first + length).map(|position| postings.at(position)).collect(),
            None => Vec::new(),
        }
    }
}

/// Ask for the second page of a list that has only one: panics.
#[inline(never)]
pub fn read_behind_last_page() {
    let index = Index::with_term("error", vec![3, 5, 8, 13, 21]);
    std::hint::black_box(index.page("error", 4, 4));
}

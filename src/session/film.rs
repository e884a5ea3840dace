//! The film that is being made of the page's pictures.

use super::state::Session;
use crate::export;
use crate::protocol::{Event, Film, NamedFile};

impl<E: Fn(Event)> Session<E> {
    /// Takes a part of a film. After a failure, which is told once, the parts that are still to come are ignored.
    pub(super) fn film(&mut self, part: Film) {
        let made = match (part, self.film.take()) {
            (Film::Begin(form), _) => export::Film::begin(form).map(Some),
            (Film::Add { name, bytes }, Some(mut film)) => {
                film.add(&name, bytes).map(|()| Some(film))
            }
            (Film::Finish { name }, Some(film)) => film.finish(&name).map(|file| {
                let file = NamedFile { name: file.name, bytes: file.bytes };
                (self.emit)(Event::Film(Ok(file)));
                None
            }),
            (Film::Add { .. } | Film::Finish { .. }, None) | (Film::Drop, _) => Ok(None),
        };
        match made {
            Ok(film) => self.film = film,
            Err(error) => (self.emit)(Event::Film(Err(error.to_string()))),
        }
    }
}

//! Whatever happens, in whatever order: nothing illegal is decided, and every state has an exit.

mod explore;
mod moves;
mod pace;
mod world;

//! The whole program, as people and machines meet it: one binary of tests, a module for each subject.

mod architecture;

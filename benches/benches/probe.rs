//! A full probe of a healthy gateway on loopback, and what an administrator would type in its place:
//! `cargo bench -p countersign-benches --bench probe`.

#![allow(clippy::unwrap_used)]

use countersign::probe::TlsParity;
use countersign_benches::probing::Scene;
use divan::Bencher;

fn main() {
    divan::main();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

#[divan::bench(args = [false, true])]
fn a_full_probe(bencher: Bencher<'_, '_>, tls13: bool) {
    let (scene, runtime) = (Scene::default(), runtime());
    let tls = match tls13 {
        false => TlsParity::Tls12Only,
        true => TlsParity::Tls12And13,
    };
    bencher.bench_local(|| runtime.block_on(scene.probe(scene.address(), tls, true)));
}

#[divan::bench]
fn a_run_of_s_client(bencher: Bencher<'_, '_>) {
    let (scene, directory) = (Scene::default(), tempfile::tempdir().unwrap());
    scene.write_files(directory.path());
    bencher.bench_local(|| scene.s_client(directory.path()));
}
